//! The driver itself: what a program can do to memory behind the libraries' back.

use std::ptr;
use std::sync::Arc;

use vram_kernels::{KernelArgs, PTX, Sha256BlocksArgs, THREADS_PER_BLOCK};
use vram_sys::{CUresult, Driver};

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
