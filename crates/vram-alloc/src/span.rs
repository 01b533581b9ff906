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
}

impl fmt::Debug for SpanMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpanMut")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
