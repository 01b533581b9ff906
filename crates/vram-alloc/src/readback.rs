//! Results on their way back from the device.

use core::fmt;
use std::sync::Arc;

use vram_sys::Function;

use crate::pinned::PinnedMemory;
use crate::size;
use crate::span::Span;
use crate::stream::{Event, Stream};
use crate::{Device, Result};

/// A place in page-locked host memory that results are copied to behind the work that makes them,
/// without anybody waiting: [`start`](Self::start) it in the stream's order, do other things, and take
/// the [`bytes`](Self::bytes) when they are needed.
///
/// For hashes and the like: a `Readback` is as large as the largest thing that it has held, so weights
/// don't belong in it.
///
/// ```
/// # use vram_alloc::{Allocator, AllocatorConfig, Platform, Readback, Stream};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let machine = vram_sim::Machine::builder().device(vram_sim::DeviceModel::h100()).build()?;
/// # let device = Platform::with_driver(machine.driver())?.open(0)?;
/// # let mut region = Allocator::new(&device, AllocatorConfig::default())?.allocate(6)?;
/// # region.write(0, b"result")?;
/// let stream = Stream::new(&device)?;
/// let mut readback = Readback::new(&device, 4096)?;
/// readback.start(&stream, region.span(0, 6)?)?;
/// assert_eq!(readback.bytes()?, b"result");
/// # Ok(())
/// # }
/// ```
pub struct Readback {
    memory: PinnedMemory,
    /// Bytes of the last copy that was started.
    filled: usize,
    /// Passed once that copy is done.
    copied: Event,
}

impl Readback {
    /// Room for so many bytes; it grows when more are read back.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`](crate::Error::Driver) if the host has no memory to pin;
    /// [`Error::DeviceLost`](crate::Error::DeviceLost).
    pub fn new(device: &Device, bytes: usize) -> Result<Self> {
        let context = Arc::clone(device.context());
        Ok(Self {
            copied: Event::in_context(Arc::clone(&context))?,
            memory: PinnedMemory::new(context, bytes.max(1))?,
            filled: 0,
        })
    }

    /// Starts copying a range of device memory here, behind the work that is on the stream
    /// (`cuMemcpyDtoHAsync`). Waits for the copy before it, if that is still under way.
    ///
    /// # Errors
    ///
    /// [`Error::WrongDevice`](crate::Error::WrongDevice) for a range or a stream of another device;
    /// [`Error::Driver`](crate::Error::Driver), [`Error::DeviceLost`](crate::Error::DeviceLost). There
    /// are no bytes then.
    pub fn start(&mut self, stream: &Stream, from: Span<'_>) -> Result<()> {
        let operation = "a read";
        stream.same_context(self.memory.context(), operation)?;
        stream.same_context(from.context(), operation)?;
        let len = size::to_usize(operation, from.len())?;
        self.copied.synchronize()?;
        self.filled = 0;
        if len > self.memory.len() {
            self.memory = PinnedMemory::new(Arc::clone(self.memory.context()), len)?;
        }
        if len == 0 {
            return Ok(());
        }
        let entered = stream.context().enter()?;
        // SAFETY: `from` is a checked range of a living region, and the memory has `len` bytes, which
        // nothing reads or frees before the event recorded below has passed (`bytes`, `start`, drop).
        let result = unsafe {
            (entered.table().cuMemcpyDtoHAsync_v2)(
                self.memory.start().cast(),
                from.address(),
                len,
                stream.raw(),
            )
        };
        entered.check(
            Function::cuMemcpyDtoHAsync_v2,
            result,
            "copying from the device",
        )?;
        drop(entered);
        stream.record(&self.copied).or_else(|error| {
            // Without the mark, only the stream itself can tell when the copy is done.
            stream.settle()?;
            Err(error)
        })?;
        self.filled = len;
        Ok(())
    }

    /// The bytes of the last copy, once they are here.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`](crate::Error::DeviceLost) if the work before the copy ended the context.
    pub fn bytes(&mut self) -> Result<&[u8]> {
        self.copied.synchronize()?;
        Ok(self.memory.bytes().get(..self.filled).unwrap_or_default())
    }
}

impl Drop for Readback {
    fn drop(&mut self) {
        // A single refusal may pass: memory that is being copied to should not be freed.
        let copied = self.copied.synchronize();
        if let Err(error) = copied.or_else(|_| self.copied.synchronize()) {
            tracing::warn!(%error, "a readback is given back without waiting for its copy");
        }
    }
}

impl fmt::Debug for Readback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readback")
            .field("room", &self.memory.len())
            .finish_non_exhaustive()
    }
}
