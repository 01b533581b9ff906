//! The driver's table used directly: what a program can do to a region behind the library's back.

use std::ffi::c_void;
use std::sync::Arc;
use std::{ptr, slice};

use vram_kernels::{KernelArgs, PTX, Sha256BlocksArgs, THREADS_PER_BLOCK};
use vram_sim::Machine;
use vram_sys::{CUcontext, CUdevice, CUresult, Driver};

/// A device's context, current to this thread.
#[derive(Debug)]
pub(crate) struct Raw {
    driver: Arc<Driver>,
    device: CUdevice,
    context: CUcontext,
}

macro_rules! call {
    ($raw:expr, $function:ident($($argument:expr),* $(,)?)) => {{
        let function = $raw.driver.table().$function;
        // SAFETY: every pointer is to a living value of the documented type; addresses are device
        // memory, and what the device refuses is what the tests are about.
        unsafe { function($($argument),*) }
    }};
}

impl Raw {
    pub(crate) fn new(machine: &Machine) -> Self {
        Self::on(machine, 0)
    }

    pub(crate) fn on(machine: &Machine, device: CUdevice) -> Self {
        let mut raw = Self {
            driver: machine.driver(),
            device,
            context: ptr::null_mut(),
        };
        let started = call!(raw, cuInit(0));
        assert_eq!(started, CUresult::CUDA_SUCCESS);
        let mut context = ptr::null_mut();
        let retained = call!(raw, cuDevicePrimaryCtxRetain(&raw mut context, device));
        assert_eq!(retained, CUresult::CUDA_SUCCESS);
        raw.context = context;
        let pushed = call!(raw, cuCtxPushCurrent_v2(context));
        assert_eq!(pushed, CUresult::CUDA_SUCCESS);
        raw
    }

    /// Whether the context is the thread's current one, and the only one on its stack.
    pub(crate) fn is_alone_on_the_stack(&self) -> bool {
        let (mut first, mut second) = (ptr::null_mut(), ptr::null_mut());
        let popped = call!(self, cuCtxPopCurrent_v2(&raw mut first));
        let empty = call!(self, cuCtxPopCurrent_v2(&raw mut second));
        call!(self, cuCtxPushCurrent_v2(self.context));
        popped == CUresult::CUDA_SUCCESS
            && first == self.context
            && empty == CUresult::CUDA_ERROR_INVALID_CONTEXT
    }

    /// Allocates plain device memory.
    pub(crate) fn take(&self, len: usize) -> u64 {
        let mut address = 0;
        let taken = call!(self, cuMemAlloc_v2(&raw mut address, len));
        assert_eq!(taken, CUresult::CUDA_SUCCESS);
        address
    }

    /// Allocates memory that the driver may move.
    pub(crate) fn take_managed(&self, len: usize) -> u64 {
        /// `CU_MEM_ATTACH_GLOBAL`.
        const GLOBAL: u32 = 1;
        let mut address = 0;
        let taken = call!(self, cuMemAllocManaged(&raw mut address, len, GLOBAL));
        assert_eq!(taken, CUresult::CUDA_SUCCESS);
        address
    }

    /// Registers memory of the program's own for the device.
    pub(crate) fn register(&self, memory: &mut [u8]) -> u64 {
        /// `CU_MEMHOSTREGISTER_DEVICEMAP`.
        const DEVICE_MAP: u32 = 2;
        let start = memory.as_mut_ptr().cast();
        let registered = call!(self, cuMemHostRegister_v2(start, memory.len(), DEVICE_MAP));
        assert_eq!(registered, CUresult::CUDA_SUCCESS);
        let mut address = 0;
        let mapped = call!(
            self,
            cuMemHostGetDevicePointer_v2(&raw mut address, start, 0)
        );
        assert_eq!(mapped, CUresult::CUDA_SUCCESS);
        address
    }

    pub(crate) fn unregister(&self, memory: &mut [u8]) {
        let unregistered = call!(self, cuMemHostUnregister(memory.as_mut_ptr().cast()));
        assert_eq!(unregistered, CUresult::CUDA_SUCCESS);
    }

    /// Allocates host memory that the device reaches.
    pub(crate) fn take_mapped_host(&self, len: usize) -> (*mut c_void, u64) {
        /// `CU_MEMHOSTALLOC_DEVICEMAP`.
        const DEVICE_MAP: u32 = 2;
        let (mut start, mut address) = (ptr::null_mut(), 0);
        let taken = call!(self, cuMemHostAlloc(&raw mut start, len, DEVICE_MAP));
        assert_eq!(taken, CUresult::CUDA_SUCCESS);
        let mapped = call!(
            self,
            cuMemHostGetDevicePointer_v2(&raw mut address, start, 0)
        );
        assert_eq!(mapped, CUresult::CUDA_SUCCESS);
        (start, address)
    }

    pub(crate) fn free_host(&self, start: *mut c_void) {
        assert_eq!(call!(self, cuMemFreeHost(start)), CUresult::CUDA_SUCCESS);
    }

    fn settle(&self) -> CUresult {
        call!(self, cuCtxSynchronize())
    }

    /// Takes all device memory that nobody holds, as it is.
    pub(crate) fn take_device_memory(&self) -> u64 {
        let (mut free, mut total, mut address) = (0, 0, 0);
        let told = call!(self, cuMemGetInfo_v2(&raw mut free, &raw mut total));
        assert_eq!(told, CUresult::CUDA_SUCCESS);
        let taken = call!(self, cuMemAlloc_v2(&raw mut address, free));
        assert_eq!(taken, CUresult::CUDA_SUCCESS);
        address
    }

    pub(crate) fn free_device_memory(&self, address: u64) {
        let freed = call!(self, cuMemFree_v2(address));
        assert_eq!(freed, CUresult::CUDA_SUCCESS);
    }

    /// What lies in page-locked memory that nobody holds, so many bytes of it.
    pub(crate) fn free_pinned_memory(&self, len: usize) -> Vec<u8> {
        let mut pointer = ptr::null_mut();
        let taken = call!(self, cuMemHostAlloc(&raw mut pointer, len, 0));
        assert_eq!(taken, CUresult::CUDA_SUCCESS);
        // SAFETY: the driver has given so many bytes there, which the simulator has initialised.
        let bytes = unsafe { slice::from_raw_parts(pointer.cast::<u8>(), len) }.to_vec();
        let freed = call!(self, cuMemFreeHost(pointer));
        assert_eq!(freed, CUresult::CUDA_SUCCESS);
        bytes
    }

    /// What became of work, if the queue took it.
    fn outcome(&self, queued: CUresult) -> CUresult {
        if queued == CUresult::CUDA_SUCCESS {
            self.settle()
        } else {
            queued
        }
    }

    /// Copies bytes to an address, and waits.
    pub(crate) fn copy(&self, address: u64, bytes: &[u8]) -> CUresult {
        let queued = call!(
            self,
            cuMemcpyHtoDAsync_v2(address, bytes.as_ptr().cast(), bytes.len(), ptr::null_mut())
        );
        self.outcome(queued)
    }

    /// Fills memory at an address, and waits.
    pub(crate) fn fill(&self, address: u64, len: usize) -> CUresult {
        let queued = call!(self, cuMemsetD8Async(address, 0, len, ptr::null_mut()));
        self.outcome(queued)
    }

    /// Fills memory at an address, and doesn't wait.
    #[cfg(feature = "cust")]
    pub(crate) fn queue_fill(&self, address: u64, len: usize) {
        let queued = call!(self, cuMemsetD8Async(address, 0, len, ptr::null_mut()));
        assert_eq!(queued, CUresult::CUDA_SUCCESS);
    }

    /// Lets a kernel write the digest of one block to an address, and waits.
    pub(crate) fn launch(&self, data: u64, digests: u64) -> CUresult {
        let mut module = ptr::null_mut();
        let loaded = call!(
            self,
            cuModuleLoadDataEx(
                &raw mut module,
                PTX.as_ptr().cast(),
                0,
                ptr::null_mut(),
                ptr::null_mut()
            )
        );
        assert_eq!(loaded, CUresult::CUDA_SUCCESS);
        let mut function = ptr::null_mut();
        let name = Sha256BlocksArgs::KERNEL.name();
        let found = call!(
            self,
            cuModuleGetFunction(&raw mut function, module, name.as_ptr())
        );
        assert_eq!(found, CUresult::CUDA_SUCCESS);
        let mut args = Sha256BlocksArgs::new(data, 4096, digests);
        let mut parameters = [(&raw mut args).cast()];
        let queued = call!(
            self,
            cuLaunchKernel(
                function,
                1,
                1,
                1,
                THREADS_PER_BLOCK,
                1,
                1,
                0,
                ptr::null_mut(),
                parameters.as_mut_ptr(),
                ptr::null_mut()
            )
        );
        self.outcome(queued)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let mut context = ptr::null_mut();
        call!(self, cuCtxPopCurrent_v2(&raw mut context));
        call!(self, cuDevicePrimaryCtxRelease_v2(self.device));
    }
}
