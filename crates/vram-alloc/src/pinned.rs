//! Page-locked host memory, which the device copies to and from without the driver's help.

use core::ffi::c_void;
use core::fmt;
use core::ptr::NonNull;
use std::sync::Arc;

use vram_sys::Function;

use crate::context::Context;
use crate::span::{Span, SpanMut};
use crate::stream::{Event, Stream};
use crate::{Device, Error, Result, size};

/// Page-locked memory (`cuMemHostAlloc`), zeroed. Dropping it overwrites it with zeros and gives it
/// back; whoever drops it has waited for the copies that use it.
pub(crate) struct PinnedMemory {
    context: Arc<Context>,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the value owns its memory alone; nothing about it belongs to a thread.
unsafe impl Send for PinnedMemory {}
// SAFETY: shared memory is only read.
unsafe impl Sync for PinnedMemory {}

impl PinnedMemory {
    /// Memory that only copies reach: it isn't mapped into the device's addresses.
    pub(crate) fn new(context: Arc<Context>, len: usize) -> Result<Self> {
        Self::with_flags(context, len, 0)
    }

    /// Memory that kernels reach too.
    pub(crate) fn mapped(context: Arc<Context>, len: usize) -> Result<Self> {
        /// `CU_MEMHOSTALLOC_DEVICEMAP`.
        const DEVICE_MAP: u32 = 2;
        Self::with_flags(context, len, DEVICE_MAP)
    }

    fn with_flags(context: Arc<Context>, len: usize, flags: u32) -> Result<Self> {
        let mut raw: *mut c_void = core::ptr::null_mut();
        let entered = context.enter()?;
        // SAFETY: the driver writes one pointer.
        let result = unsafe { (entered.table().cuMemHostAlloc)(&raw mut raw, len, flags) };
        entered.check(Function::cuMemHostAlloc, result, "pinning host memory")?;
        drop(entered);
        let start = NonNull::new(raw.cast::<u8>()).ok_or_else(|| Error::Driver {
            function: Function::cuMemHostAlloc,
            name: "a null pointer".to_owned(),
            code: 0,
            doing: "pinning host memory",
        })?;
        // SAFETY: the driver gave `len` writable bytes there. Zeroing also initialises them, which
        // every slice made of them relies on.
        unsafe { start.as_ptr().write_bytes(0, len) };
        context.pinned(len);
        Ok(Self {
            context,
            start,
            len,
        })
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The bytes. No copy into them is under way: what starts one sees to that.
    pub(crate) const fn bytes(&self) -> &[u8] {
        // SAFETY: `len` initialised bytes that this value owns, shared for reading only.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// The bytes. No copy into or out of them is under way: what starts one sees to that.
    pub(crate) const fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `len` initialised bytes that this value owns and that `&mut self` borrows alone.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Where the memory starts, for a copy.
    pub(crate) const fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Overwrites the first `len` bytes with zeros.
    ///
    /// The stores can't be optimised away: the memory is the driver's, and its address goes back
    /// to the driver, which may read it for all the compiler knows.
    pub(crate) fn wipe(&mut self, len: usize) {
        let len = len.min(self.len);
        self.bytes_mut().get_mut(..len).unwrap_or_default().fill(0);
        core::hint::black_box(self.start);
    }
}

impl Drop for PinnedMemory {
    fn drop(&mut self) {
        self.wipe(self.len);
        let released = self.context.enter_even_if_lost().and_then(|entered| {
            // SAFETY: this value owns the memory and drops it once; the copies that use it have been
            // waited for, and the driver waits too.
            let result = unsafe { (entered.table().cuMemFreeHost)(self.start.as_ptr().cast()) };
            entered.check(Function::cuMemFreeHost, result, "unpinning host memory")
        });
        match released {
            Ok(()) => self.context.unpinned(self.len),
            Err(error) => self.context.release_failed("pinned host memory", &error),
        }
    }
}

/// A page-locked host buffer (`cuMemHostAlloc`) for copies in either direction that this thread
/// doesn't wait for.
///
/// Its bytes can be reached only once the copies into it and out of it are done:
/// [`bytes`](Self::bytes) and [`bytes_mut`](Self::bytes_mut) wait for them. It is wiped when it is
/// dropped. Weights go up through a [`StagingRing`](crate::StagingRing); this is for measuring the
/// link, and for reading back what may be read back.
pub struct PinnedBuffer {
    memory: PinnedMemory,
    /// Passed once every copy so far is done: they are all on one stream, or in its order.
    done: Event,
}

impl PinnedBuffer {
    /// Page-locks `len` bytes of zeros.
    ///
    /// # Errors
    ///
    /// [`Error::BadSetting`] for a buffer of 0 bytes; [`Error::Driver`] if the host has no memory to
    /// page-lock.
    pub fn new(device: &Device, len: usize) -> Result<Self> {
        if len == 0 {
            return Err(Error::BadSetting {
                setting: "the buffer length",
                value: 0,
                expected: "1 byte or more",
            });
        }
        let context = Arc::clone(device.context());
        Ok(Self {
            done: Event::in_context(Arc::clone(&context))?,
            memory: PinnedMemory::new(context, len)?,
        })
    }

    /// Bytes in the buffer.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a buffer of 0 bytes doesn't exist"
    )]
    pub const fn len(&self) -> usize {
        self.memory.len()
    }

    /// The bytes, once the copies are done.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`] if a copy ended the context.
    pub fn bytes(&mut self) -> Result<&[u8]> {
        self.bytes_mut().map(|bytes| &*bytes)
    }

    /// The bytes, to be changed, once the copies are done.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes).
    pub fn bytes_mut(&mut self) -> Result<&mut [u8]> {
        self.done.synchronize()?;
        Ok(self.memory.bytes_mut())
    }

    /// Starts copying from the start of the buffer to all of the range (`cuMemcpyHtoDAsync`).
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for a range that is longer than the buffer; [`Error::WrongDevice`];
    /// [`Error::Driver`], [`Error::DeviceLost`].
    pub fn upload(&mut self, stream: &Stream, to: &mut SpanMut<'_>) -> Result<()> {
        let operation = "an upload";
        let len = self.admit(stream, to.context(), to.len(), operation)?;
        if len == 0 {
            return Ok(());
        }
        let entered = self.memory.context().enter()?;
        // SAFETY: both ranges were checked. The region waits for the device before it is released,
        // and this buffer's bytes are neither given out nor freed before the mark set below is passed.
        let result = unsafe {
            (entered.table().cuMemcpyHtoDAsync_v2)(
                to.address(),
                self.memory.start().cast_const().cast(),
                len,
                stream.raw(),
            )
        };
        let doing = "copying to the device";
        entered.check(Function::cuMemcpyHtoDAsync_v2, result, doing)?;
        drop(entered);
        self.mark(stream)
    }

    /// Starts copying all of the range to the start of the buffer (`cuMemcpyDtoHAsync`).
    ///
    /// # Errors
    ///
    /// As [`upload`](Self::upload).
    pub fn download(&mut self, stream: &Stream, from: Span<'_>) -> Result<()> {
        let operation = "a download";
        let len = self.admit(stream, from.context(), from.len(), operation)?;
        if len == 0 {
            return Ok(());
        }
        let entered = self.memory.context().enter()?;
        // SAFETY: as for an upload; the bytes are written while nobody can reach them.
        let result = unsafe {
            (entered.table().cuMemcpyDtoHAsync_v2)(
                self.memory.start().cast(),
                from.address(),
                len,
                stream.raw(),
            )
        };
        let doing = "copying from the device";
        entered.check(Function::cuMemcpyDtoHAsync_v2, result, doing)?;
        drop(entered);
        self.mark(stream)
    }

    /// Checks a copy's range, and puts it behind the copies of this buffer on other streams.
    fn admit(
        &self,
        stream: &Stream,
        other: &Context,
        len: u64,
        operation: &'static str,
    ) -> Result<usize> {
        stream.same_context(self.memory.context(), operation)?;
        stream.same_context(other, operation)?;
        let room = u64::try_from(self.len()).unwrap_or(u64::MAX);
        size::check_range(operation, 0, len, room)?;
        stream.wait_for(&self.done)?;
        size::to_usize(operation, len)
    }

    fn mark(&self, stream: &Stream) -> Result<()> {
        stream.record(&self.done).or_else(|error| {
            // Without the mark, only the stream itself can tell when the copy is done.
            stream.settle()?;
            Err(error)
        })
    }
}

impl Drop for PinnedBuffer {
    fn drop(&mut self) {
        // A single refusal may pass: what is being copied should not be overwritten.
        let copied = self.done.synchronize();
        if let Err(error) = copied.or_else(|_| self.done.synchronize()) {
            tracing::warn!(%error, "a pinned buffer is wiped without waiting for its copies");
        }
    }
}

impl fmt::Debug for PinnedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinnedBuffer")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
