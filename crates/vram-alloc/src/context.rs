//! A device's context: what every call runs in, and what remembers that the device is lost.

use core::marker::PhantomData;
use std::sync::Arc;

use vram_sys::{CUcontext, CUdevice, CUresult, Driver, Function, Table};

use crate::failure::{self, Lost};
use crate::sync::{AtomicU64, OnceLock, Ordering};
use crate::{Error, Result};

/// A device's primary context, retained (`cuDevicePrimaryCtxRetain`).
///
/// The primary one, because it is what the CUDA runtime and the frameworks over it use: memory
/// sealed here can be used by their kernels in the same process.
pub(crate) struct Context {
    driver: Arc<Driver>,
    device: CUdevice,
    raw: CUcontext,
    lost: OnceLock<Lost>,
    release_failures: AtomicU64,
    pinned: AtomicU64,
    most_pinned: AtomicU64,
}

// SAFETY: a CUcontext is a handle, not memory of ours; the driver's functions take it from any
// thread (CUDA driver API, "Difference between the driver and runtime APIs": contexts may be
// current to several threads). The table behind `driver` is callable from any thread.
unsafe impl Send for Context {}
// SAFETY: as for Send; nothing is mutated but atomics and a OnceLock.
unsafe impl Sync for Context {}

impl Context {
    pub(crate) fn retain(driver: Arc<Driver>, device: CUdevice) -> Result<Self> {
        let mut raw = core::ptr::null_mut();
        // SAFETY: the driver is initialised (a Platform made it so) and writes one handle to `raw`.
        let result = unsafe { (driver.table().cuDevicePrimaryCtxRetain)(&raw mut raw, device) };
        if result != CUresult::CUDA_SUCCESS {
            let function = Function::cuDevicePrimaryCtxRetain;
            return Err(failure::error(
                driver.table(),
                function,
                result,
                "opening the device",
            ));
        }
        Ok(Self {
            driver,
            device,
            raw,
            lost: OnceLock::new(),
            release_failures: AtomicU64::new(0),
            pinned: AtomicU64::new(0),
            most_pinned: AtomicU64::new(0),
        })
    }

    /// Whether a handle is this context's.
    pub(crate) fn is(&self, raw: CUcontext) -> bool {
        self.raw == raw
    }

    /// The handle as a number, as the driver's pointer attributes have it.
    pub(crate) fn to_number(&self) -> u64 {
        u64::try_from(self.raw.addr()).unwrap_or(u64::MAX)
    }

    /// Makes the context current to this thread until the guard is dropped.
    ///
    /// What was current before is current again afterwards: a library leaves its caller's thread as
    /// it found it.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`] without calling the driver, once the device has been seen lost.
    pub(crate) fn enter(&self) -> Result<Entered<'_>> {
        match self.lost.get() {
            Some(lost) => Err(lost.error()),
            None => self.enter_even_if_lost(),
        }
    }

    /// As [`enter`](Self::enter), for releasing what a lost device held.
    pub(crate) fn enter_even_if_lost(&self) -> Result<Entered<'_>> {
        // SAFETY: `raw` is a context that this value retains.
        let result = unsafe { (self.driver.table().cuCtxPushCurrent_v2)(self.raw) };
        self.check(
            Function::cuCtxPushCurrent_v2,
            result,
            "entering the device's context",
        )?;
        Ok(Entered {
            context: self,
            not_send: PhantomData,
        })
    }

    /// Turns a driver's answer into a result, and remembers it if the device is lost.
    pub(crate) fn check(
        &self,
        function: Function,
        result: CUresult,
        doing: &'static str,
    ) -> Result<()> {
        if result == CUresult::CUDA_SUCCESS {
            return Ok(());
        }
        let error = failure::error(self.table(), function, result, doing);
        if let Error::DeviceLost { function, name } = &error {
            let lost = self.lost.get_or_init(|| {
                tracing::error!(%function, error = %name, "the device is lost");
                Lost {
                    function: *function,
                    name: name.clone(),
                }
            });
            return Err(lost.error());
        }
        Err(error)
    }

    /// Logs and counts a release that the driver refused: what it held is leaked.
    pub(crate) fn release_failed(&self, what: &'static str, error: &Error) {
        self.release_failures.fetch_add(1, Ordering::Relaxed);
        tracing::error!(what, %error, "could not be released");
    }

    /// Releases that the driver has refused so far.
    pub(crate) fn release_failures(&self) -> u64 {
        self.release_failures.load(Ordering::Relaxed)
    }

    /// Counts host memory that was page-locked.
    pub(crate) fn pinned(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let before = self.pinned.fetch_add(bytes, Ordering::Relaxed);
        let now = before.saturating_add(bytes);
        self.most_pinned.fetch_max(now, Ordering::Relaxed);
    }

    /// Counts host memory that isn't page-locked any more.
    pub(crate) fn unpinned(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.pinned.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes page-locked now, and the most at any time.
    pub(crate) fn pinned_bytes(&self) -> (u64, u64) {
        let now = self.pinned.load(Ordering::Relaxed);
        (now, self.most_pinned.load(Ordering::Relaxed))
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.get().is_some()
    }

    pub(crate) fn table(&self) -> &Table {
        self.driver.table()
    }

    pub(crate) const fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    pub(crate) const fn device(&self) -> CUdevice {
        self.device
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: this value retained the context once, and releases it once.
        let result = unsafe { (self.driver.table().cuDevicePrimaryCtxRelease_v2)(self.device) };
        let function = Function::cuDevicePrimaryCtxRelease_v2;
        if let Err(error) = self.check(function, result, "closing the device") {
            self.release_failed("a device context", &error);
        }
    }
}

/// Proof that a context is current to this thread.
pub(crate) struct Entered<'a> {
    context: &'a Context,
    /// Current to this thread only.
    not_send: PhantomData<*const ()>,
}

impl Entered<'_> {
    pub(crate) fn table(&self) -> &Table {
        self.context.table()
    }

    pub(crate) fn check(
        &self,
        function: Function,
        result: CUresult,
        doing: &'static str,
    ) -> Result<()> {
        self.context.check(function, result, doing)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut popped = core::ptr::null_mut();
        // SAFETY: `enter` pushed onto this thread's stack (the guard is not Send), and guards nest.
        let result = unsafe { (self.table().cuCtxPopCurrent_v2)(&raw mut popped) };
        let function = Function::cuCtxPopCurrent_v2;
        if let Err(error) = self.check(function, result, "leaving the device's context") {
            self.context.release_failed("the current context", &error);
        }
    }
}
