//! The driver itself: what a program can do to memory behind the libraries' back.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use vram_kernels::{KernelArgs, PTX, Sha256BlocksArgs, THREADS_PER_BLOCK};
use vram_sys::{CUresult, Driver};

/// `CU_MEMHOSTALLOC_DEVICEMAP` and `CU_MEMHOSTREGISTER_DEVICEMAP`.
const DEVICE_MAP: u32 = 2;

/// The driver itself, with the device's context current to this thread.
pub(crate) struct Raw {
    driver: Arc<Driver>,
}

macro_rules! call {
    ($raw:expr, $function:ident($($argument:expr),* $(,)?)) => {{
        let function = $raw.driver.table().$function;
        // SAFETY: every pointer is to a living value of the documented type; addresses are memory
        // of the device, and what it refuses is what the tests are about.
        unsafe { function($($argument),*) }
    }};
}

impl Raw {
    pub(crate) fn new(driver: Arc<Driver>) -> Self {
        let raw = Self { driver };
        let mut context = ptr::null_mut();
        let retained = call!(raw, cuDevicePrimaryCtxRetain(&raw mut context, 0));
        assert_eq!(retained, CUresult::CUDA_SUCCESS);
        let pushed = call!(raw, cuCtxPushCurrent_v2(context));
        assert_eq!(pushed, CUresult::CUDA_SUCCESS);
        raw
    }

    /// Leaves the context, as it was found.
    pub(crate) fn leave(self) {
        let mut context = ptr::null_mut();
        let popped = call!(self, cuCtxPopCurrent_v2(&raw mut context));
        assert_eq!(popped, CUresult::CUDA_SUCCESS);
        let released = call!(self, cuDevicePrimaryCtxRelease_v2(0));
        assert_eq!(released, CUresult::CUDA_SUCCESS);
    }

    /// Allocates plain device memory.
    pub(crate) fn take(&self, len: usize) -> u64 {
        let mut address = 0;
        let taken = call!(self, cuMemAlloc_v2(&raw mut address, len));
        assert_eq!(taken, CUresult::CUDA_SUCCESS);
        address
    }

    /// Frees memory of [`take`](Self::take) or [`take_managed`](Self::take_managed).
    pub(crate) fn free(&self, address: u64) {
        assert_eq!(call!(self, cuMemFree_v2(address)), CUresult::CUDA_SUCCESS);
    }

    /// Allocates memory that the driver may move; a few MiB, and never touched.
    pub(crate) fn take_managed(&self, len: usize) -> u64 {
        /// `CU_MEM_ATTACH_GLOBAL`.
        const GLOBAL: u32 = 1;
        let mut address = 0;
        let taken = call!(self, cuMemAllocManaged(&raw mut address, len, GLOBAL));
        assert_eq!(taken, CUresult::CUDA_SUCCESS);
        address
    }

    /// Allocates host memory that the device reaches: where it is for the host, and for the device.
    pub(crate) fn take_mapped_host(&self, len: usize) -> (*mut c_void, u64) {
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

    /// Registers memory of the program's own, so that the device reaches it.
    pub(crate) fn register(&self, memory: &mut [u8]) -> u64 {
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

    /// Waits for the device, and tells what it made of what was queued.
    pub(crate) fn wait(&self) -> CUresult {
        call!(self, cuCtxSynchronize())
    }

    pub(crate) fn copy(&self, to: u64, bytes: &[u8]) -> CUresult {
        let from = bytes.as_ptr().cast();
        call!(
            self,
            cuMemcpyHtoDAsync_v2(to, from, bytes.len(), ptr::null_mut())
        )
    }

    /// Copies from page-locked memory, as staging does.
    pub(crate) fn copy_pinned(&self, to: u64, len: usize) -> CUresult {
        let mut from = ptr::null_mut();
        let taken = call!(self, cuMemHostAlloc(&raw mut from, len, 0));
        assert_eq!(taken, CUresult::CUDA_SUCCESS);
        call!(self, cuMemcpyHtoDAsync_v2(to, from, len, ptr::null_mut()))
    }

    pub(crate) fn copy_within(&self, to: u64, from: u64) -> CUresult {
        call!(self, cuMemcpyDtoDAsync_v2(to, from, 4096, ptr::null_mut()))
    }

    pub(crate) fn fill(&self, to: u64) -> CUresult {
        call!(self, cuMemsetD8Async(to, 0, 4096, ptr::null_mut()))
    }

    /// Lets a kernel write a digest.
    pub(crate) fn launch(&self, to: u64, from: u64) -> CUresult {
        let (mut module, mut function) = (ptr::null_mut(), ptr::null_mut());
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
        let name = Sha256BlocksArgs::KERNEL.name().as_ptr();
        let found = call!(self, cuModuleGetFunction(&raw mut function, module, name));
        assert_eq!(found, CUresult::CUDA_SUCCESS);
        let mut args = Sha256BlocksArgs::new(from, 4096, to);
        let mut parameters = [(&raw mut args).cast()];
        call!(
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
        )
    }
}
