//! The CUDA driver's table used directly, for tests: what other code in a process can do to memory behind the
//! libraries' back.
//!
//! A call that only prepares a test must succeed. What a call that writes came to is the test's to judge: its answer is
//! given back as it is.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test fails where what it needs is refused"
)]

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use vram_kernels::{KernelArgs, PTX, Sha256BlocksArgs, THREADS_PER_BLOCK};
use vram_sys::{
    CUcontext, CUdevice, CUmemAccess_flags, CUmemAccessDesc, CUmemLocation, CUmemLocationType,
    CUresult, Driver,
};

/// `CU_MEMHOSTALLOC_DEVICEMAP` and `CU_MEMHOSTREGISTER_DEVICEMAP`.
const DEVICE_MAP: u32 = 2;

/// Page-locked host memory of the driver's, until it is [freed](Raw::free_host).
#[derive(Debug)]
pub struct HostMemory(*mut c_void);

impl HostMemory {
    /// Where it begins, for the host.
    #[must_use]
    pub const fn start(&self) -> *const u8 {
        self.0.cast()
    }
}

/// A device's primary context, current to this thread until this is dropped or [left](Self::leave).
#[derive(Debug)]
pub struct Raw {
    driver: Arc<Driver>,
    device: CUdevice,
    context: CUcontext,
    /// Whether the context is retained and current.
    entered: bool,
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
    /// On the driver's first device.
    #[must_use]
    pub fn new(driver: Arc<Driver>) -> Self {
        Self::on(driver, 0)
    }

    /// On one of the driver's devices.
    #[must_use]
    pub fn on(driver: Arc<Driver>, device: CUdevice) -> Self {
        let mut raw = Self {
            driver,
            device,
            context: ptr::null_mut(),
            entered: false,
        };
        let started = call!(raw, cuInit(0));
        assert_eq!(started, CUresult::CUDA_SUCCESS);
        let mut context = ptr::null_mut();
        let retained = call!(raw, cuDevicePrimaryCtxRetain(&raw mut context, device));
        assert_eq!(retained, CUresult::CUDA_SUCCESS);
        raw.context = context;
        let pushed = call!(raw, cuCtxPushCurrent_v2(context));
        assert_eq!(pushed, CUresult::CUDA_SUCCESS);
        raw.entered = true;
        raw
    }

    /// Leaves the context, which must be in order.
    pub fn leave(mut self) {
        assert_eq!(self.exit(), [CUresult::CUDA_SUCCESS; 2]);
    }

    fn exit(&mut self) -> [CUresult; 2] {
        self.entered = false;
        let mut context = ptr::null_mut();
        [
            call!(self, cuCtxPopCurrent_v2(&raw mut context)),
            call!(self, cuDevicePrimaryCtxRelease_v2(self.device)),
        ]
    }

    /// Whether the context is the thread's current one, and the only one on its stack.
    #[must_use]
    pub fn is_alone_on_the_stack(&self) -> bool {
        let (mut first, mut second) = (ptr::null_mut(), ptr::null_mut());
        let popped = call!(self, cuCtxPopCurrent_v2(&raw mut first));
        let empty = call!(self, cuCtxPopCurrent_v2(&raw mut second));
        call!(self, cuCtxPushCurrent_v2(self.context));
        popped == CUresult::CUDA_SUCCESS
            && first == self.context
            && empty == CUresult::CUDA_ERROR_INVALID_CONTEXT
    }

    /// Allocates plain device memory.
    #[must_use]
    pub fn take(&self, len: usize) -> u64 {
        let mut address = 0;
        let taken = call!(self, cuMemAlloc_v2(&raw mut address, len));
        assert_eq!(taken, CUresult::CUDA_SUCCESS);
        address
    }

    /// Takes all device memory that nobody holds, as it is.
    #[must_use]
    pub fn take_all(&self) -> u64 {
        let (mut free, mut total) = (0, 0);
        let told = call!(self, cuMemGetInfo_v2(&raw mut free, &raw mut total));
        assert_eq!(told, CUresult::CUDA_SUCCESS);
        self.take(free)
    }

    /// Allocates memory that the driver may move; a few MiB, and never touched.
    #[must_use]
    pub fn take_managed(&self, len: usize) -> u64 {
        /// `CU_MEM_ATTACH_GLOBAL`.
        const GLOBAL: u32 = 1;
        let mut address = 0;
        let taken = call!(self, cuMemAllocManaged(&raw mut address, len, GLOBAL));
        assert_eq!(taken, CUresult::CUDA_SUCCESS);
        address
    }

    /// Frees memory of [`take`](Self::take), [`take_all`](Self::take_all) or [`take_managed`](Self::take_managed).
    pub fn free(&self, address: u64) {
        assert_eq!(call!(self, cuMemFree_v2(address)), CUresult::CUDA_SUCCESS);
    }

    /// Allocates page-locked host memory.
    #[must_use]
    pub fn take_host(&self, len: usize) -> HostMemory {
        self.take_host_with(len, 0)
    }

    /// Allocates page-locked host memory that the device reaches, and tells where it is for the device.
    #[must_use]
    pub fn take_mapped_host(&self, len: usize) -> (HostMemory, u64) {
        let memory = self.take_host_with(len, DEVICE_MAP);
        let address = self.mapped(memory.0);
        (memory, address)
    }

    fn take_host_with(&self, len: usize, flags: u32) -> HostMemory {
        let mut start = ptr::null_mut();
        let taken = call!(self, cuMemHostAlloc(&raw mut start, len, flags));
        assert_eq!(taken, CUresult::CUDA_SUCCESS);
        HostMemory(start)
    }

    /// Where host memory is for the device.
    fn mapped(&self, start: *mut c_void) -> u64 {
        let mut address = 0;
        let mapped = call!(
            self,
            cuMemHostGetDevicePointer_v2(&raw mut address, start, 0)
        );
        assert_eq!(mapped, CUresult::CUDA_SUCCESS);
        address
    }

    /// Frees memory of [`take_host`](Self::take_host) or [`take_mapped_host`](Self::take_mapped_host).
    pub fn free_host(&self, memory: HostMemory) {
        let freed = call!(self, cuMemFreeHost(memory.0));
        assert_eq!(freed, CUresult::CUDA_SUCCESS);
    }

    /// Registers memory of the program's own, so that the device reaches it: where it is for the device.
    #[must_use]
    pub fn register(&self, memory: &mut [u8]) -> u64 {
        let start = memory.as_mut_ptr().cast();
        let registered = call!(self, cuMemHostRegister_v2(start, memory.len(), DEVICE_MAP));
        assert_eq!(registered, CUresult::CUDA_SUCCESS);
        self.mapped(start)
    }

    /// Ends what [`register`](Self::register) began.
    pub fn unregister(&self, memory: &mut [u8]) {
        let unregistered = call!(self, cuMemHostUnregister(memory.as_mut_ptr().cast()));
        assert_eq!(unregistered, CUresult::CUDA_SUCCESS);
    }

    /// Lets kernels write to memory that was frozen.
    pub fn allow_writes(&self, address: u64, len: usize) -> CUresult {
        let access = CUmemAccessDesc {
            location: CUmemLocation {
                type_: CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
                id: self.device,
            },
            flags: CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
        };
        call!(self, cuMemSetAccess(address, len, &raw const access, 1))
    }

    /// Queues a copy of these bytes.
    pub fn copy(&self, to: u64, bytes: &[u8]) -> CUresult {
        self.copy_from(to, bytes.as_ptr().cast(), bytes.len())
    }

    /// Queues a copy from page-locked memory, as staging does. The memory is never freed.
    pub fn copy_pinned(&self, to: u64, len: usize) -> CUresult {
        self.copy_from(to, self.take_host(len).0, len)
    }

    fn copy_from(&self, to: u64, from: *const c_void, len: usize) -> CUresult {
        call!(self, cuMemcpyHtoDAsync_v2(to, from, len, ptr::null_mut()))
    }

    /// Queues a copy within the device.
    pub fn copy_within(&self, to: u64, from: u64, len: usize) -> CUresult {
        call!(self, cuMemcpyDtoDAsync_v2(to, from, len, ptr::null_mut()))
    }

    /// Queues a fill with zeros.
    pub fn fill(&self, to: u64, len: usize) -> CUresult {
        call!(self, cuMemsetD8Async(to, 0, len, ptr::null_mut()))
    }

    /// Queues a kernel that writes one digest to an address: of as many bytes as there are at another, one block of
    /// them at most.
    pub fn write_digest(&self, to: u64, from: u64, len: u64) -> CUresult {
        let (mut module, mut function) = (ptr::null_mut(), ptr::null_mut());
        let image = PTX.as_ptr().cast();
        let (options, values) = (ptr::null_mut(), ptr::null_mut());
        let loaded = call!(
            self,
            cuModuleLoadDataEx(&raw mut module, image, 0, options, values)
        );
        assert_eq!(loaded, CUresult::CUDA_SUCCESS);
        let name = Sha256BlocksArgs::KERNEL.name().as_ptr();
        let found = call!(self, cuModuleGetFunction(&raw mut function, module, name));
        assert_eq!(found, CUresult::CUDA_SUCCESS);
        let mut argument = Sha256BlocksArgs::new(from, len, to);
        let mut parameters = [(&raw mut argument).cast()];
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

    /// Waits for the device, and tells what it made of what was queued.
    pub fn wait(&self) -> CUresult {
        call!(self, cuCtxSynchronize())
    }

    /// What became of work: waits for it if the queue took it.
    pub fn outcome(&self, queued: CUresult) -> CUresult {
        if queued == CUresult::CUDA_SUCCESS {
            self.wait()
        } else {
            queued
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if self.entered {
            // Of a lost context both may fail.
            self.exit();
        }
    }
}
