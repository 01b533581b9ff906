//! Sizes in bytes: rounding up, ranges within bounds, and how a person reads them.

use core::fmt;

use serde::Serialize;

use crate::{Error, Result};

/// A number of bytes that prints as `90868376 bytes (86.7 MiB)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u32, &str); 4] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        write!(f, "{} bytes", self.0)?;
        for (shift, unit) in UNITS {
            let whole = self.0 >> shift;
            if whole > 0 {
                // Tenths, rounded down: a size is never shown larger than it is.
                let rest = self.0 & !(u64::MAX << shift);
                let tenths = (u128::from(rest).saturating_mul(10)) >> shift;
                return write!(f, " ({whole}.{tenths} {unit})");
            }
        }
        Ok(())
    }
}

/// Rounds up to a multiple of the granularity.
pub(crate) fn round_up(size: u64, granularity: u64) -> Result<u64> {
    // Past isize::MAX no range can be addressed, whatever the driver says.
    let limit = u64::try_from(isize::MAX).unwrap_or(u64::MAX);
    size.checked_next_multiple_of(granularity)
        .filter(|rounded| *rounded <= limit)
        .ok_or(Error::SizeOverflow { size, granularity })
}

/// The one place that every length and offset given to the driver has passed.
pub(crate) fn check_range(operation: &'static str, offset: u64, len: u64, size: u64) -> Result<()> {
    match offset.checked_add(len) {
        Some(end) if end <= size => Ok(()),
        _ => Err(Error::OutOfBounds {
            operation,
            offset,
            len,
            size,
        }),
    }
}

/// A length as the driver takes it. Device sizes fit: the project supports 64-bit hosts.
pub(crate) fn to_usize(operation: &'static str, len: u64) -> Result<usize> {
    usize::try_from(len).map_err(|_| Error::OutOfBounds {
        operation,
        offset: 0,
        len,
        size: u64::try_from(usize::MAX).unwrap_or(u64::MAX),
    })
}

/// How many items a slice has.
pub(crate) fn len_u64<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

/// A length in memory as the device counts: no platform's `usize` is wider than 64 bits.
#[cfg(feature = "cust")]
pub(crate) fn from_usize(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: MS-002, MS-006.
    #[test]
    fn test_bounds_checking_overflow() {
        for (offset, len) in [
            (u64::MAX, 1),
            (1, u64::MAX),
            (u64::MAX, u64::MAX),
            (9, 2),
            (0, 11),
        ] {
            assert!(
                check_range("a read", offset, len, 10).is_err(),
                "{offset} + {len}"
            );
        }
        for (offset, len) in [(0, 10), (10, 0), (9, 1)] {
            assert!(
                check_range("a read", offset, len, 10).is_ok(),
                "{offset} + {len}"
            );
        }
    }

    /// Covers: MS-003, MS-006.
    #[test]
    fn rounding_up_past_the_largest_size_is_refused() {
        assert_eq!(round_up(1, 2 << 20).unwrap(), 2 << 20);
        assert_eq!(round_up(2 << 20, 2 << 20).unwrap(), 2 << 20);
        assert!(round_up(u64::MAX, 2 << 20).is_err());
        assert!(round_up(u64::MAX / 2, 2 << 20).is_err());
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(Bytes(512).to_string(), "512 bytes");
        assert_eq!(Bytes(90_868_376).to_string(), "90868376 bytes (86.6 MiB)");
        assert_eq!(
            Bytes(u64::MAX).to_string(),
            "18446744073709551615 bytes (16777215.9 TiB)"
        );
    }
}
