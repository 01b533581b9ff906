//! Streams, which order work on a device, and events, which mark a place in a stream.

use core::fmt;
use std::sync::Arc;

use vram_sys::{CUevent, CUevent_flags, CUresult, CUstream, CUstream_flags, Function, Table};

use crate::context::Context;
use crate::{Device, Error, Result};

/// An ordered queue of work on a device (`cuStreamCreate`, non-blocking).
///
/// Copies and launches on a stream return at once; [`synchronize`](Self::synchronize) waits for
/// them. Memory that they use stays safe without waiting: regions and staging buffers wait for the
/// device before they are released.
pub struct Stream {
    context: Arc<Context>,
    raw: CUstream,
}

// SAFETY: a CUstream is a handle that the driver takes from any thread.
unsafe impl Send for Stream {}
// SAFETY: as for Send; enqueueing from several threads is the driver's to order.
unsafe impl Sync for Stream {}

impl Stream {
    /// A new stream on a device.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`] or [`Error::DeviceLost`].
    pub fn new(device: &Device) -> Result<Self> {
        Self::in_context(Arc::clone(device.context()))
    }

    /// A new stream whose kernels go first, where they and those of ordinary streams wait for room on
    /// the device (`cuStreamCreateWithPriority`). For short work that others wait for.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`] or [`Error::DeviceLost`].
    pub fn urgent(device: &Device) -> Result<Self> {
        /// Lower numbers go first, ordinary streams have 0, and a number outside of the device's range
        /// counts as the nearest within.
        const PRIORITY: i32 = -1;
        let create = |table: &Table, raw: &mut CUstream, flags| {
            // SAFETY: the driver writes one handle.
            unsafe { (table.cuStreamCreateWithPriority)(raw, flags, PRIORITY) }
        };
        let function = Function::cuStreamCreateWithPriority;
        Self::made_by(Arc::clone(device.context()), function, create)
    }

    pub(crate) fn in_context(context: Arc<Context>) -> Result<Self> {
        let create = |table: &Table, raw: &mut CUstream, flags| {
            // SAFETY: the driver writes one handle.
            unsafe { (table.cuStreamCreate)(raw, flags) }
        };
        Self::made_by(context, Function::cuStreamCreate, create)
    }

    fn made_by(
        context: Arc<Context>,
        function: Function,
        create: impl FnOnce(&Table, &mut CUstream, u32) -> CUresult,
    ) -> Result<Self> {
        let mut raw = core::ptr::null_mut();
        let entered = context.enter()?;
        let flags = CUstream_flags::CU_STREAM_NON_BLOCKING.0;
        let result = create(entered.table(), &mut raw, flags);
        entered.check(function, result, "making a stream")?;
        drop(entered);
        Ok(Self { context, raw })
    }

    /// Waits for all work queued so far (`cuStreamSynchronize`).
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`] if any of it ended the context.
    pub fn synchronize(&self) -> Result<()> {
        let entered = self.context.enter()?;
        // SAFETY: `raw` is a stream that this value owns.
        let result = unsafe { (entered.table().cuStreamSynchronize)(self.raw) };
        entered.check(
            Function::cuStreamSynchronize,
            result,
            "waiting for a stream",
        )
    }

    /// Waits for work that uses memory borrowed from a caller, who gets it back next: a refused
    /// wait is tried once more, for the work may not be done.
    pub(crate) fn settle(&self) -> Result<()> {
        self.synchronize().or_else(|error| {
            self.synchronize()?;
            Err(error)
        })
    }

    /// Marks the work queued so far (`cuEventRecord`).
    ///
    /// # Errors
    ///
    /// [`Error::Driver`] or [`Error::DeviceLost`].
    pub fn record(&self, event: &Event) -> Result<()> {
        self.same_context(&event.context, "recording an event")?;
        let entered = self.context.enter()?;
        // SAFETY: both handles are owned by living values of this context.
        let result = unsafe { (entered.table().cuEventRecord)(event.raw, self.raw) };
        entered.check(Function::cuEventRecord, result, "recording an event")
    }

    /// Lets work queued from now on wait for an event, without this thread waiting
    /// (`cuStreamWaitEvent`).
    ///
    /// # Errors
    ///
    /// [`Error::Driver`] or [`Error::DeviceLost`].
    pub fn wait_for(&self, event: &Event) -> Result<()> {
        self.same_context(&event.context, "waiting for an event")?;
        let entered = self.context.enter()?;
        // SAFETY: both handles are owned by living values of this context; the flags are the default.
        let result = unsafe { (entered.table().cuStreamWaitEvent)(self.raw, event.raw, 0) };
        entered.check(Function::cuStreamWaitEvent, result, "ordering two streams")
    }

    pub(crate) fn same_context(&self, other: &Context, operation: &'static str) -> Result<()> {
        if core::ptr::eq(Arc::as_ptr(&self.context), other) {
            return Ok(());
        }
        Err(Error::WrongDevice { operation })
    }

    pub(crate) const fn raw(&self) -> CUstream {
        self.raw
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let released = self.context.enter_even_if_lost().and_then(|entered| {
            // SAFETY: this value owns the stream and drops it once; queued work still completes.
            let result = unsafe { (entered.table().cuStreamDestroy_v2)(self.raw) };
            entered.check(Function::cuStreamDestroy_v2, result, "destroying a stream")
        });
        if let Err(error) = released {
            self.context.release_failed("a stream", &error);
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// A mark in a stream (`cuEventCreate`, without timing).
pub struct Event {
    context: Arc<Context>,
    raw: CUevent,
}

// SAFETY: a CUevent is a handle that the driver takes from any thread.
unsafe impl Send for Event {}
// SAFETY: as for Send.
unsafe impl Sync for Event {}

impl Event {
    /// A new event on a device; it counts as passed until it is recorded.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`] or [`Error::DeviceLost`].
    pub fn new(device: &Device) -> Result<Self> {
        Self::in_context(Arc::clone(device.context()))
    }

    pub(crate) fn in_context(context: Arc<Context>) -> Result<Self> {
        let mut raw = core::ptr::null_mut();
        let entered = context.enter()?;
        let flags = CUevent_flags::CU_EVENT_DISABLE_TIMING.0;
        // SAFETY: the driver writes one handle.
        let result = unsafe { (entered.table().cuEventCreate)(&raw mut raw, flags) };
        entered.check(Function::cuEventCreate, result, "making an event")?;
        drop(entered);
        Ok(Self { context, raw })
    }

    /// Waits until the work before the mark is done (`cuEventSynchronize`).
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`] if any of it ended the context.
    pub fn synchronize(&self) -> Result<()> {
        let entered = self.context.enter()?;
        // SAFETY: `raw` is an event that this value owns.
        let result = unsafe { (entered.table().cuEventSynchronize)(self.raw) };
        entered.check(Function::cuEventSynchronize, result, "waiting for an event")
    }

    /// Whether the work before the mark is done (`cuEventQuery`).
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`] if any of it ended the context.
    pub fn is_done(&self) -> Result<bool> {
        let entered = self.context.enter()?;
        // SAFETY: `raw` is an event that this value owns.
        let result = unsafe { (entered.table().cuEventQuery)(self.raw) };
        if result == CUresult::CUDA_ERROR_NOT_READY {
            return Ok(false);
        }
        entered.check(Function::cuEventQuery, result, "asking for an event")?;
        Ok(true)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let released = self.context.enter_even_if_lost().and_then(|entered| {
            // SAFETY: this value owns the event and drops it once.
            let result = unsafe { (entered.table().cuEventDestroy_v2)(self.raw) };
            entered.check(Function::cuEventDestroy_v2, result, "destroying an event")
        });
        if let Err(error) = released {
            self.context.release_failed("an event", &error);
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").finish_non_exhaustive()
    }
}
