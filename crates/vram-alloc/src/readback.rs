//! Results on their way back from the device.

use core::fmt;

use crate::pinned::PinnedBuffer;
use crate::size;
use crate::span::Span;
use crate::stream::Stream;
use crate::{Device, Result};

/// What a place is filled with before a copy.
const UNWRITTEN: u8 = 0xa5;

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
    device: Device,
    buffer: PinnedBuffer,
    /// Bytes of the last copy that was started.
    filled: usize,
}

impl Readback {
    /// Room for so many bytes; it grows when more are read back.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`](crate::Error::Driver) if the host has no memory to pin;
    /// [`Error::DeviceLost`](crate::Error::DeviceLost).
    pub fn new(device: &Device, bytes: usize) -> Result<Self> {
        Ok(Self {
            device: device.clone(),
            buffer: PinnedBuffer::new(device, bytes.max(1))?,
            filled: 0,
        })
    }

    /// Starts copying a range of device memory here, behind the work that is on the stream.
    ///
    /// # Errors
    ///
    /// [`Error::WrongDevice`](crate::Error::WrongDevice) for a range or a stream of another device;
    /// [`Error::Driver`](crate::Error::Driver), [`Error::DeviceLost`](crate::Error::DeviceLost). There
    /// are no bytes then.
    pub fn start(&mut self, stream: &Stream, from: Span<'_>) -> Result<()> {
        let len = size::to_usize("a read", from.len())?;
        self.filled = 0;
        if len > self.buffer.len() {
            self.buffer = PinnedBuffer::new(&self.device, len)?;
        }
        // What the last copy brought must not answer for one that brings nothing.
        let place = self.buffer.bytes_mut()?.get_mut(..len);
        place.unwrap_or_default().fill(UNWRITTEN);
        self.buffer.download(stream, from)?;
        self.filled = len;
        Ok(())
    }

    /// The bytes of the last copy, once they are here.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`](crate::Error::DeviceLost) if the work before the copy ended the context.
    pub fn bytes(&mut self) -> Result<&[u8]> {
        let filled = self.filled;
        Ok(self.buffer.bytes()?.get(..filled).unwrap_or_default())
    }
}

impl fmt::Debug for Readback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readback")
            .field("room", &self.buffer.len())
            .finish_non_exhaustive()
    }
}
