//! Bytes per second, in integers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A rate in bytes per second, rounded down. It is never zero's or infinity's stand-in: what took no time, or
/// moved nothing, has no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(u64);

const NANOS: u128 = 1_000_000_000;

impl Rate {
    /// So many bytes per second.
    #[must_use]
    pub const fn per_second(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many bytes in so many nanoseconds; `None` for no bytes, for no time, and for more than can be counted.
    #[must_use]
    pub fn of(bytes: u64, nanos: u64) -> Option<Self> {
        if bytes == 0 {
            return None;
        }
        let scaled = u128::from(bytes).checked_mul(NANOS)?;
        let rate = scaled.checked_div(u128::from(nanos))?;
        u64::try_from(rate).ok().map(Self)
    }

    /// Bytes per second.
    #[must_use]
    pub const fn bytes_per_second(self) -> u64 {
        self.0
    }

    pub(crate) fn times(self, factor: u64) -> Option<Self> {
        self.0.checked_mul(factor).map(Self)
    }

    /// This rate in thousandths of another, rounded down.
    pub(crate) fn permille_of(self, other: Self) -> Option<u64> {
        let thousandths = u128::from(self.0).checked_mul(1000)?;
        u64::try_from(thousandths.checked_div(u128::from(other.0))?).ok()
    }
}

/// In GB/s, of 10^9 bytes: `54.6 GB/s`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Constants that aren't zero: there always is a quotient.
        let tenths = self.0.checked_div(100_000_000).unwrap_or(0);
        let (whole, tenth) = (
            tenths.checked_div(10).unwrap_or(0),
            tenths.checked_rem(10).unwrap_or(0),
        );
        write!(f, "{whole}.{tenth} GB/s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moved_nothing_or_took_no_time_has_no_rate() {
        assert_eq!(Rate::of(0, 5), None);
        assert_eq!(Rate::of(5, 0), None);
        assert_eq!(Rate::of(u64::MAX, 1), None);
        assert_eq!(Rate::of(3, 2), Some(Rate(1_500_000_000)));
    }

    #[test]
    fn rates_read_in_gigabytes() {
        assert_eq!(Rate(54_690_000_000).to_string(), "54.6 GB/s");
        assert_eq!(Rate(99_999_999).to_string(), "0.0 GB/s");
    }

    #[test]
    fn parts_are_of_a_thousand_and_of_nothing_there_is_none() {
        assert_eq!(Rate(5).permille_of(Rate(2)), Some(2500));
        assert_eq!(Rate(5).permille_of(Rate(0)), None);
        assert_eq!(Rate(u64::MAX).permille_of(Rate(1)), None);
        assert_eq!(Rate(u64::MAX).times(2), None);
    }
}
