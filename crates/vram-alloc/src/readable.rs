//! Memory that a device can read, whoever it is of and wherever it lies.

use core::fmt;

use crate::external::ExternalRegion;
use crate::mapped::MappedBuffer;
use crate::region::{FrozenRegion, OpenRegion};
use crate::span::Span;
use crate::{Device, Result};

mod sealed {
    pub trait Sealed {}
}

/// Memory that a device can read: what can be measured. The kinds of this crate have it, and no others.
#[expect(clippy::len_without_is_empty, reason = "memory of 0 bytes is nowhere")]
pub trait Readable: sealed::Sealed + fmt::Debug + Send + Sync {
    /// Bytes in it; never 0.
    fn len(&self) -> u64;

    /// The device that reads it.
    fn device(&self) -> &Device;

    /// A range of it.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`](crate::Error::OutOfBounds) for a range that leaves it.
    fn span(&self, offset: u64, len: u64) -> Result<Span<'_>>;
}

macro_rules! readable {
    ($($memory:ident),*) => {$(
        impl sealed::Sealed for $memory {}

        impl Readable for $memory {
            fn len(&self) -> u64 {
                Self::len(self)
            }

            fn device(&self) -> &Device {
                Self::device(self)
            }

            fn span(&self, offset: u64, len: u64) -> Result<Span<'_>> {
                Self::span(self, offset, len)
            }
        }
    )*};
}

readable!(OpenRegion, FrozenRegion, ExternalRegion, MappedBuffer);
