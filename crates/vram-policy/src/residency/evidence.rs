//! What was measured, and what is known of the link: the evidence.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::rate::Rate;
use crate::facts::DeviceFacts;

/// What a verdict on a region's residency is made from. It holds no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidencyEvidence {
    /// Whether software played the device. The verdict then says so.
    pub simulated: bool,
    /// How the region was read.
    pub source: RateSource,
    /// The region, as it was read; `None` where that could not be timed.
    pub region: Option<Streamed>,
    /// Scratch memory of the device's own, read in turns with the region.
    pub control: Option<Streamed>,
    /// The device's second-level cache, in bytes (`CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE`).
    pub cache_bytes: Option<u64>,
    /// The link to the host.
    pub link: LinkEvidence,
}

/// What a rate was derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RateSource {
    /// A kernel that does nothing but read, timed by the device.
    Read,
    /// A verification's hashing, timed by the host. Hashing takes the device longer than reading, so the rate is
    /// less than the memory's.
    Verification,
}

/// What is known of the link between host and device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkEvidence {
    /// Its PCI Express generation.
    pub generation: Option<u32>,
    /// Its lanes.
    pub width: Option<u32>,
    /// A chip-to-chip link is there and on.
    pub chip_to_chip: Option<bool>,
    /// The device has no memory but the host's (`CU_DEVICE_ATTRIBUTE_INTEGRATED`).
    pub integrated: Option<bool>,
    /// The device goes through the host's page tables, as those on coherent links do
    /// (`CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES`).
    pub host_page_tables: Option<bool>,
    /// The best that copies from page-locked memory to the device have reached.
    pub measured_copy: Option<Rate>,
}

impl LinkEvidence {
    /// What the facts say of a device's link, with what was measured of it.
    #[must_use]
    pub fn new(device: &DeviceFacts, measured_copy: Option<Rate>) -> Self {
        let link = &device.management.link;
        Self {
            generation: link.generation,
            width: link.width,
            chip_to_chip: link.chip_to_chip,
            integrated: device.integrated,
            host_page_tables: device.pageable_memory_access_uses_host_page_tables,
            measured_copy,
        }
    }
}

/// Memory that was read window by window, each several times: what its slowest window did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Streamed {
    bytes: u64,
    windows: u64,
    passes: u32,
    /// Of the slowest window.
    window_bytes: u64,
    /// The median of its passes; of two in the middle, the longer.
    window_nanos: u64,
}

impl Streamed {
    /// Memory of so many bytes in windows: the bytes of each, and the nanoseconds of each pass over it.
    ///
    /// `None` unless all windows have the same number of passes, at least one, and every window has bytes
    /// and every pass took time. That the windows make up the memory is the caller's word.
    #[must_use]
    pub fn new<'a>(
        bytes: u64,
        windows: impl IntoIterator<Item = (u64, &'a [u64])>,
    ) -> Option<Self> {
        let mut slowest: Option<Self> = None;
        let mut count: u64 = 0;
        let mut passes: Option<u32> = None;
        for (window_bytes, nanos) in windows {
            let here = u32::try_from(nanos.len())
                .ok()
                .filter(|passes| *passes > 0)?;
            if *passes.get_or_insert(here) != here {
                return None;
            }
            count = count.checked_add(1)?;
            let window = Self {
                bytes,
                windows: 0,
                passes: here,
                window_bytes,
                window_nanos: median(nanos)?,
            };
            if window_bytes == 0 {
                return None;
            }
            if slowest.is_none_or(|slowest| window.slowness(&slowest).is_gt()) {
                slowest = Some(window);
            }
        }
        slowest.map(|slowest| Self {
            windows: count,
            ..slowest
        })
    }

    /// Memory that was read once, all of it in so many nanoseconds.
    #[must_use]
    pub fn once(bytes: u64, nanos: u64) -> Option<Self> {
        Self::new(bytes, [(bytes, [nanos].as_slice())])
    }

    /// Bytes in all windows.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes
    }

    /// Windows that were timed on their own.
    #[must_use]
    pub const fn windows(self) -> u64 {
        self.windows
    }

    /// Passes over each.
    #[must_use]
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// Bytes in the slowest window.
    #[must_use]
    pub const fn window_bytes(self) -> u64 {
        self.window_bytes
    }

    /// The median of the slowest window's passes, in nanoseconds.
    #[must_use]
    pub const fn window_nanos(self) -> u64 {
        self.window_nanos
    }

    /// The slowest window's rate, whatever the cache did.
    #[must_use]
    pub fn rate(self) -> Option<Rate> {
        Rate::of(self.window_bytes, self.window_nanos)
    }

    /// By the time that each byte took. Of equals the smaller window is the slower one: the cache could have
    /// answered for a larger part of it.
    fn slowness(&self, other: &Self) -> Ordering {
        let cost = |nanos: u64, bytes: u64| u128::from(nanos).saturating_mul(u128::from(bytes));
        cost(self.window_nanos, other.window_bytes)
            .cmp(&cost(other.window_nanos, self.window_bytes))
            .then(other.window_bytes.cmp(&self.window_bytes))
    }
}

/// The middle of some times, or the longer of the two in the middle. None if one of them is no time at all.
fn median(nanos: &[u64]) -> Option<u64> {
    let mut sorted = nanos.to_vec();
    sorted.sort_unstable();
    if sorted.first() == Some(&0) {
        return None;
    }
    sorted.get(sorted.len().checked_div(2)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_window_counts_by_its_median() {
        let streamed = Streamed::new(
            70,
            [
                (10, [5, 1, 900].as_slice()),
                (30, &[30, 20, 31]),
                (30, &[6, 7, 8]),
            ],
        );

        let streamed = streamed.unwrap();
        assert_eq!((streamed.window_bytes(), streamed.window_nanos()), (30, 30));
        assert_eq!(
            (streamed.bytes(), streamed.windows(), streamed.passes()),
            (70, 3, 3)
        );
    }

    #[test]
    fn of_two_in_the_middle_the_longer_counts() {
        assert_eq!(median(&[1, 9]), Some(9));
        assert_eq!(median(&[4, 1, 3, 2]), Some(3));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn what_was_not_timed_is_no_evidence() {
        let none: [(u64, &[u64]); 0] = [];
        assert_eq!(Streamed::new(1, none), None);
        assert_eq!(Streamed::new(1, [(1, [].as_slice())]), None);
        assert_eq!(Streamed::new(1, [(1, [0, 5, 5].as_slice())]), None);
        assert_eq!(Streamed::new(1, [(0, [5].as_slice())]), None);
        assert_eq!(Streamed::new(2, [(1, [5, 5].as_slice()), (1, &[5])]), None);
        assert_eq!(Streamed::once(0, 5), None);
        assert_eq!(Streamed::once(5, 0), None);
    }
}
