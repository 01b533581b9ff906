//! Ranges of memory, checked when they are made: what kernels read and write.

use core::fmt;

use vram_sys::{CUdeviceptr, Function};

use crate::context::Context;
use crate::region::Region;
use crate::stream::Stream;
use crate::{Result, size};

/// A range of device memory that the device reads: of a region, or of a buffer that was adopted.
#[derive(Clone, Copy)]
pub struct Span<'memory> {
    context: &'memory Context,
    address: CUdeviceptr,
    len: u64,
}

impl<'memory> Span<'memory> {
    pub(crate) fn new(region: &'memory Region, offset: u64, len: u64) -> Result<Self> {
        let address = region.address("a view", offset, len)?;
        Ok(Self::over(region.context(), address, len))
    }

    /// A range that is known to be the context's, and stays so for `'memory`.
    pub(crate) const fn over(context: &'memory Context, address: CUdeviceptr, len: u64) -> Self {
        Self {
            context,
            address,
            len,
        }
    }

    pub(crate) const fn address(&self) -> CUdeviceptr {
        self.address
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    pub(crate) const fn context(&self) -> &Context {
        self.context
    }
}

impl fmt::Debug for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// A range of an open region that the device writes.
pub struct SpanMut<'region> {
    region: &'region mut Region,
    address: CUdeviceptr,
    len: u64,
}

impl<'region> SpanMut<'region> {
    pub(crate) fn new(region: &'region mut Region, offset: u64, len: u64) -> Result<Self> {
        let address = region.address("a view", offset, len)?;
        Ok(Self {
            region,
            address,
            len,
        })
    }

    pub(crate) const fn address(&self) -> CUdeviceptr {
        self.address
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn context(&self) -> &Context {
        self.region.context()
    }
}

impl SpanMut<'_> {
    /// Fills the range with a byte, in the stream's order (`cuMemsetD8Async`).
    ///
    /// # Errors
    ///
    /// [`Error::WrongDevice`](crate::Error::WrongDevice) for a stream of another device;
    /// [`Error::Driver`](crate::Error::Driver), [`Error::DeviceLost`](crate::Error::DeviceLost).
    pub fn fill(&mut self, stream: &Stream, byte: u8) -> Result<()> {
        let operation = "a fill";
        stream.same_context(self.context(), operation)?;
        if self.len == 0 {
            return Ok(());
        }
        let len = size::to_usize(operation, self.len)?;
        let entered = stream.context().enter()?;
        // SAFETY: the range was checked against a writable region, which this value borrows alone.
        let result =
            unsafe { (entered.table().cuMemsetD8Async)(self.address, byte, len, stream.raw()) };
        entered.check(Function::cuMemsetD8Async, result, "filling memory")
    }

    /// Copies all of another range of the same device here, in the stream's order
    /// (`cuMemcpyDtoDAsync`). Not a byte goes through the host.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`](crate::Error::OutOfBounds) for a range that is longer;
    /// [`Error::WrongDevice`](crate::Error::WrongDevice) for a stream or a range of another device;
    /// [`Error::Driver`](crate::Error::Driver), [`Error::DeviceLost`](crate::Error::DeviceLost).
    pub fn copy_from(&mut self, stream: &Stream, from: Span<'_>) -> Result<()> {
        let operation = "a copy on the device";
        stream.same_context(self.context(), operation)?;
        stream.same_context(from.context(), operation)?;
        size::check_range(operation, 0, from.len(), self.len)?;
        if from.len() == 0 {
            return Ok(());
        }
        let len = size::to_usize(operation, from.len())?;
        let entered = stream.context().enter()?;
        // SAFETY: both ranges were checked and are the context's; this one is of a writable region that this value
        // borrows alone. What owns them waits for the device before it lets go.
        let result = unsafe {
            (entered.table().cuMemcpyDtoDAsync_v2)(self.address, from.address(), len, stream.raw())
        };
        entered.check(Function::cuMemcpyDtoDAsync_v2, result, operation)
    }
}

impl fmt::Debug for SpanMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanMut")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
