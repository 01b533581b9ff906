//! Pinned staging: the only host memory that weights pass through, bounded and wiped.

use core::fmt;
use core::ops::Deref;
use std::collections::VecDeque;
use std::sync::Arc;

use vram_sys::Function;

use crate::context::Context;
use crate::pinned::PinnedMemory;
use crate::region::OpenRegion;
use crate::size;
use crate::stream::{Event, Stream};
use crate::{Device, Error, Result};

/// A ring of pinned buffers (`cuMemHostAlloc`) that copies to the device go through, some while
/// others are being filled.
///
/// Pinning is slow, about 0.6 s per GiB, so a ring is small and made once. [`wipe`](Self::wipe) it
/// after each use; a buffer that is dropped is wiped too.
///
/// ```
/// # use vram_alloc::{Allocator, AllocatorConfig, Platform, StagingRing};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let machine = vram_sim::Machine::builder().device(vram_sim::DeviceModel::h100()).build()?;
/// # let device = Platform::with_driver(machine.driver())?.open(0)?;
/// # let mut region = Allocator::new(&device, AllocatorConfig::default())?.allocate(6)?;
/// let mut ring = StagingRing::new(&device, 2, 4096)?;
/// for (offset, piece) in [(0, b"wei"), (3, b"ght")] {
///     let mut buffer = ring.acquire()?;
///     buffer.bytes_mut()[..3].copy_from_slice(piece);
///     let sent = ring.send(buffer, 3, &mut region, offset)?;
///     assert_eq!(*sent, *piece); // still readable, while it is being copied
///     ring.give_back(sent);
/// }
/// ring.wipe()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StagingRing {
    /// Buffers that nobody holds, the one sent longest ago first.
    idle: VecDeque<Buffer>,
    buffers: usize,
    buffer_len: usize,
    /// Shared with every buffer of the ring that still exists, wherever it is.
    membership: Arc<()>,
    stream: Stream,
}

/// One pinned buffer.
struct Buffer {
    memory: PinnedMemory,
    /// How much of it may hold weights: all that was given out since the last wipe.
    filled: usize,
    /// Passed once the last copy out of the buffer is done.
    copied: Event,
    /// Its ring counts by this how many buffers exist.
    _membership: Arc<()>,
}

impl StagingRing {
    /// A ring of `buffers` pinned buffers of `len` bytes each.
    ///
    /// # Errors
    ///
    /// [`Error::BadSetting`] for less than 2 buffers or empty ones; [`Error::Driver`] if the host
    /// has no memory to pin.
    pub fn new(device: &Device, buffers: usize, len: usize) -> Result<Self> {
        let mut ring = Self::growing(device, buffers, len)?;
        for _ in 0..buffers {
            let buffer = ring.pin()?;
            ring.idle.push_back(buffer);
        }
        Ok(ring)
    }

    /// A ring of at most `buffers` pinned buffers of `len` bytes each, none of which is pinned yet.
    ///
    /// [`acquire`](Self::acquire) pins one when all that there are are out or being copied. Where
    /// copies are faster than what fills the buffers, or all fits in one, the ring stays small.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), but that memory is pinned later.
    pub fn growing(device: &Device, buffers: usize, len: usize) -> Result<Self> {
        if buffers < 2 {
            let value = u64::try_from(buffers).unwrap_or(u64::MAX);
            let expected = "2 or more, so that one is filled while another is copied";
            return Err(Error::BadSetting {
                setting: "the number of buffers",
                value,
                expected,
            });
        }
        if len == 0 {
            let expected = "1 byte or more";
            return Err(Error::BadSetting {
                setting: "the buffer length",
                value: 0,
                expected,
            });
        }
        let stream = Stream::new(device)?;
        Ok(Self {
            idle: VecDeque::with_capacity(buffers),
            buffers,
            buffer_len: len,
            membership: Arc::new(()),
            stream,
        })
    }

    /// Bytes in each buffer.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        self.buffer_len
    }

    /// Bytes pinned in all, in buffers that are out too.
    #[must_use]
    pub fn pinned(&self) -> usize {
        self.existing().saturating_mul(self.buffer_len)
    }

    /// The stream that the copies are on.
    #[must_use]
    pub const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// A buffer to be filled: the one sent longest ago, once its copy is done.
    ///
    /// # Errors
    ///
    /// [`Error::BadSetting`] if all buffers are out; [`Error::Driver`], [`Error::DeviceLost`].
    pub fn acquire(&mut self) -> Result<StagingBuffer> {
        let mut buffer = self.next()?;
        if let Err(error) = buffer.copied.synchronize() {
            self.idle.push_back(buffer);
            return Err(error);
        }
        buffer.filled = buffer.memory.len();
        Ok(StagingBuffer { buffer })
    }

    /// Starts copying the first `len` bytes of a buffer to the region, and leaves them readable
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for more bytes than the buffer has or a range that leaves the region;
    /// [`Error::WrongDevice`]; [`Error::Driver`], [`Error::DeviceLost`]. The buffer is back in the
    /// ring then.
    pub fn send(
        &mut self,
        buffer: StagingBuffer,
        len: usize,
        region: &mut OpenRegion,
        offset: u64,
    ) -> Result<Sent> {
        let buffer = buffer.buffer;
        match self.enqueue(&buffer, len, region, offset) {
            Ok(()) => Ok(Sent { buffer, len }),
            Err(error) => {
                self.idle.push_back(buffer);
                Err(error)
            }
        }
    }

    /// Returns a buffer that is not sent after all. What was filled into it is wiped with the rest.
    pub fn put_back(&mut self, unsent: StagingBuffer) {
        // Nothing is being copied out of it: the next to be filled.
        self.idle.push_front(unsent.buffer);
    }

    /// Returns a buffer whose bytes nobody reads any more. Its copy may still be under way.
    pub fn give_back(&mut self, sent: Sent) {
        self.idle.push_back(sent.buffer);
    }

    /// Waits for every copy.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`].
    pub fn drain(&self) -> Result<()> {
        self.stream.synchronize()
    }

    /// Waits for every copy and overwrites the buffers with zeros.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`], [`Error::DeviceLost`]; the buffers are overwritten all the same.
    pub fn wipe(&mut self) -> Result<()> {
        let drained = self.stream.settle();
        self.idle.iter_mut().for_each(Buffer::wipe);
        drained
    }

    /// The buffer sent longest ago, or a new one where that is still being copied and the ring has
    /// not grown to its full size.
    fn next(&mut self) -> Result<Buffer> {
        let may_grow = self.existing() < self.buffers;
        let Some(oldest) = self.idle.pop_front() else {
            return if may_grow {
                self.pin()
            } else {
                Err(self.all_out())
            };
        };
        if !may_grow {
            return Ok(oldest);
        }
        let grown = match oldest.copied.is_done() {
            // A host that has no more to pin is no reason to fail: the copy will be done.
            Ok(false) => self.pin().ok(),
            Ok(true) => None,
            Err(error) => {
                self.idle.push_front(oldest);
                return Err(error);
            }
        };
        match grown {
            Some(buffer) => {
                self.idle.push_front(oldest);
                Ok(buffer)
            }
            None => Ok(oldest),
        }
    }

    /// Buffers that exist, wherever they are. One that was dropped rather than given back, as happens
    /// when the reader that was to fill it fails, is none: a ring that outlives failures must not run
    /// dry.
    fn existing(&self) -> usize {
        // One share is the ring's own.
        Arc::strong_count(&self.membership).saturating_sub(1)
    }

    fn all_out(&self) -> Error {
        Error::BadSetting {
            setting: "the number of buffers held at a time",
            value: u64::try_from(self.buffers).unwrap_or(u64::MAX),
            expected: "less than the ring has; give one back first",
        }
    }

    fn pin(&self) -> Result<Buffer> {
        let context = Arc::clone(self.stream.context());
        Buffer::new(context, self.buffer_len, Arc::clone(&self.membership))
    }

    fn enqueue(
        &self,
        buffer: &Buffer,
        len: usize,
        region: &mut OpenRegion,
        offset: u64,
    ) -> Result<()> {
        let operation = "an upload";
        let wide = u64::try_from(len).unwrap_or(u64::MAX);
        size::check_range(operation, 0, wide, size::len_u64(buffer.bytes()))?;
        self.stream
            .same_context(region.device().context(), operation)?;
        self.stream
            .same_context(buffer.memory.context(), operation)?;
        let to = region.span_mut(offset, wide)?.address();
        if len > 0 {
            let entered = buffer.memory.context().enter()?;
            // SAFETY: both ranges were checked above. The source stays as it is until the event
            // recorded below has passed: a buffer is given out for writing, wiped or freed only
            // after that.
            let result = unsafe {
                (entered.table().cuMemcpyHtoDAsync_v2)(
                    to,
                    buffer.memory.start().cast_const().cast(),
                    len,
                    self.stream.raw(),
                )
            };
            entered.check(
                Function::cuMemcpyHtoDAsync_v2,
                result,
                "copying to the device",
            )?;
        }
        self.stream.record(&buffer.copied).or_else(|error| {
            // Without the mark, only the stream itself can tell when the copy is done.
            self.stream.settle()?;
            Err(error)
        })
    }
}

impl Buffer {
    fn new(context: Arc<Context>, len: usize, membership: Arc<()>) -> Result<Self> {
        let copied = Event::in_context(Arc::clone(&context))?;
        Ok(Self {
            memory: PinnedMemory::new(context, len)?,
            filled: 0,
            copied,
            _membership: membership,
        })
    }

    const fn bytes(&self) -> &[u8] {
        self.memory.bytes()
    }

    /// The bytes, to be written: the copies out of them have been waited for (`acquire`).
    const fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.bytes_mut()
    }

    /// Overwrites what was filled since the last wipe, once the copies out of it are done.
    fn wipe(&mut self) {
        let filled = core::mem::take(&mut self.filled);
        self.memory.wipe(filled);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // A single refusal may pass: what is being copied should not be overwritten.
        let copied = self.copied.synchronize();
        if let Err(error) = copied.or_else(|_| self.copied.synchronize()) {
            tracing::warn!(%error, "staging is wiped without waiting for its copy");
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("len", &self.memory.len())
            .finish_non_exhaustive()
    }
}

/// A buffer that nothing is being copied from: fill it, then [`send`](StagingRing::send) it.
#[derive(Debug)]
pub struct StagingBuffer {
    buffer: Buffer,
}

impl StagingBuffer {
    /// The bytes, to be filled.
    pub const fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer.bytes_mut()
    }
}

/// A buffer on its way to the device. It reads as the bytes that were sent, for hashing;
/// [`give_back`](StagingRing::give_back) it afterwards.
pub struct Sent {
    buffer: Buffer,
    len: usize,
}

impl Deref for Sent {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer.bytes().get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
