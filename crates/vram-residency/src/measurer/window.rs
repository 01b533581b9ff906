//! Cutting what is to be measured into windows: what one launch hashes.

use vram_alloc::Readable;
use vram_seal::verity::{self, Shape};

/// Groups in a window: 256 MiB of data.
pub(super) const GROUPS: u64 = 512;

/// Regions of fewer groups share windows with others.
const SHARING: u64 = 128;

/// Up to how many groups of one region are combined on the host: that takes it 4 µs a group, and the
/// device some 80 µs for any number of them.
const ON_HOST: u64 = 16;

/// Groups in the last window of a region that has several. Nothing overlaps with what comes after the
/// last leaf, so there had better not be much: few groups, combined on the host.
const LAST: u64 = 8;

/// Groups in the last two windows: of the one before the last, the host has only one block of hashes left to
/// hash when its group hashes come.
const LAST_TWO: u64 = 128;

pub(super) const BLOCK: u64 = verity::BLOCK_SIZE as u64;
pub(super) const GROUP: u64 = verity::GROUP_SIZE as u64;
const HASHES_PER_BLOCK: u64 = verity::HASHES_PER_BLOCK as u64;
pub(super) const LEAVES_PER_GROUP: u64 = HASHES_PER_BLOCK;

/// What one launch hashes; others go over its digests.
#[derive(Debug)]
pub(super) enum Window<'r> {
    /// Groups of one region, in a row.
    Run(Run<'r>),
    /// Groups of several regions.
    Batch(Vec<Run<'r>>),
}

/// Groups of a region, from `first` on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'r> {
    /// Which of the regions that are being measured.
    pub(super) item: usize,
    pub(super) region: &'r dyn Readable,
    pub(super) first: u64,
    pub(super) groups: u64,
}

impl<'r> Run<'r> {
    /// The leaves under these groups.
    pub(super) fn leaves(&self) -> u64 {
        let first = self.first.saturating_mul(LEAVES_PER_GROUP);
        let left = Shape::new(self.region.len()).leaves().saturating_sub(first);
        left.min(self.groups.saturating_mul(LEAVES_PER_GROUP))
    }

    /// Bytes of data under these groups.
    pub(super) fn bytes(&self) -> u64 {
        let start = self.first.saturating_mul(GROUP);
        let left = self.region.len().saturating_sub(start);
        left.min(self.groups.saturating_mul(GROUP))
    }

    /// Whether the leaf hashes cross to the host, to be combined there.
    pub(super) fn is_combined_on_host(&self) -> bool {
        self.groups <= ON_HOST
    }

    /// Whether the hashes of these groups are one block of hashes, which is all that there is above them: the
    /// hash of that block is the region's root.
    pub(super) fn is_under_one_block(&self) -> bool {
        self.first == 0 && self.is_last() && (2..=HASHES_PER_BLOCK).contains(&self.groups)
    }

    /// Whether the region has no groups after these.
    pub(super) fn is_last(&self) -> bool {
        self.first.saturating_add(self.groups) >= Shape::new(self.region.len()).groups()
    }

    /// Whether the region is a single block, whose hash has no block of hashes above it.
    pub(super) fn is_one_block(&self) -> bool {
        self.region.len() <= BLOCK
    }
}

impl<'r> Window<'r> {
    /// The runs in it.
    pub(super) fn runs(&self) -> &[Run<'r>] {
        match self {
            Self::Run(run) => std::slice::from_ref(run),
            Self::Batch(runs) => runs,
        }
    }

    /// Whether its leaf hashes cross to the host, to be combined there.
    pub(super) fn is_combined_on_host(&self) -> bool {
        match self {
            Self::Run(run) => run.is_combined_on_host(),
            Self::Batch(_) => false,
        }
    }

    /// The runs whose roots and digests the device computes as well: for many small regions that is much work, and
    /// the host would do it alone, after the device.
    pub(super) fn rooted(&self) -> impl Iterator<Item = &Run<'r>> {
        let batch = matches!(self, Self::Batch(_));
        let runs = self.runs().iter();
        runs.filter(move |run| batch && run.is_under_one_block())
    }

    pub(super) fn groups(&self) -> u64 {
        sum(self.runs().iter().map(|run| run.groups))
    }

    pub(super) fn bytes(&self) -> u64 {
        sum(self.runs().iter().map(Run::bytes))
    }
}

fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

/// All windows over the regions. Together they have every group once, each region's in order.
pub(super) fn plan<'r>(regions: &[&'r dyn Readable]) -> Vec<Window<'r>> {
    let alone = regions.len() == 1;
    let mut windows = Vec::new();
    let mut shared: Vec<Run<'r>> = Vec::new();
    let mut room = GROUPS;
    for (item, region) in regions.iter().copied().enumerate() {
        let total = Shape::new(region.len()).groups();
        let sharing = !alone && total < SHARING;
        let mut first = 0;
        while first < total {
            let left = total.saturating_sub(first);
            let groups = if sharing {
                left.min(room)
            } else if left > LAST && left <= GROUPS && total > GROUPS {
                let kept = if left > LAST_TWO { LAST_TWO } else { LAST };
                left.saturating_sub(kept)
            } else {
                left.min(GROUPS)
            };
            let run = Run {
                item,
                region,
                first,
                groups,
            };
            first = first.saturating_add(groups);
            if !sharing {
                windows.push(Window::Run(run));
                continue;
            }
            shared.push(run);
            room = room.saturating_sub(groups);
            if room == 0 {
                windows.push(Window::Batch(std::mem::take(&mut shared)));
                room = GROUPS;
            }
        }
    }
    if !shared.is_empty() {
        windows.push(Window::Batch(shared));
    }
    windows
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "tests compute on known values"
)]
mod tests {
    use vram_alloc::{Allocator, AllocatorConfig, FrozenRegion, Platform};

    use super::*;

    fn frozen(sizes: &[u64]) -> Vec<FrozenRegion> {
        let machine = vram_sim::Machine::builder()
            .device(vram_sim::DeviceModel::h100())
            .build()
            .unwrap();
        let device = Platform::with_driver(machine.driver())
            .unwrap()
            .open(0)
            .unwrap();
        let allocator = Allocator::new(&device, AllocatorConfig::default()).unwrap();
        let region = |size: &u64| allocator.allocate(*size).unwrap().freeze().unwrap();
        sizes.iter().map(region).collect()
    }

    fn readable(regions: &[FrozenRegion]) -> Vec<&dyn Readable> {
        let readable = regions.iter().map(|region| region as &dyn Readable);
        readable.collect()
    }

    /// The groups that the windows have of each region.
    fn covered(windows: &[Window<'_>], regions: usize) -> Vec<Vec<u64>> {
        let mut covered = vec![Vec::new(); regions];
        for run in windows.iter().flat_map(Window::runs) {
            covered[run.item].extend(run.first..run.first + run.groups);
        }
        covered
    }

    #[test]
    fn every_group_is_in_one_window_and_in_order() {
        let sizes = [
            1,
            4096,
            4097,
            GROUP,
            GROUP + 1,
            127 * GROUP,
            128 * GROUP,
            700 * GROUP + 5,
            90 * GROUP,
            127 * GROUP,
            127 * GROUP,
            127 * GROUP + 1,
            127 * GROUP,
        ];
        let regions = frozen(&sizes);

        let windows = plan(&readable(&regions));

        for (groups, size) in covered(&windows, sizes.len()).iter().zip(sizes) {
            let expected: Vec<_> = (0..size.div_ceil(GROUP)).collect();
            assert_eq!(groups, &expected, "{size} bytes");
        }
        assert!(windows.iter().all(|window| window.groups() <= GROUPS));
        let bytes: u64 = windows.iter().map(Window::bytes).sum();
        assert_eq!(bytes, sizes.iter().sum::<u64>());
        let batches = windows
            .iter()
            .filter(|window| matches!(window, Window::Batch(_)));
        assert_eq!(batches.count(), 2);
        let own = windows.iter().filter_map(|window| match window {
            Window::Run(run) => Some(run.item),
            Window::Batch(_) => None,
        });
        let mut own: Vec<_> = own.collect();
        own.dedup();
        assert_eq!(own, [6, 7, 11], "those of 128 groups and more");
    }

    #[test]
    fn the_device_roots_whole_small_regions_that_share_a_window() {
        let sizes = [1, GROUP, GROUP + 1, 127 * GROUP, 383 * GROUP, 2 * GROUP];
        let regions = frozen(&sizes);
        let windows = plan(&readable(&regions));

        // Not a block or a group, whose hash is the root; not what has a window to itself.
        let rooted: Vec<_> = windows.iter().flat_map(Window::rooted).collect();
        let items: Vec<_> = rooted.iter().map(|run| run.item).collect();
        assert_eq!(items, [2, 3, 5]);
    }

    #[test]
    fn a_region_that_two_windows_share_is_rooted_by_neither() {
        let sizes = [120 * GROUP; 5];
        let regions = frozen(&sizes);
        let windows = plan(&readable(&regions));

        let rooted: Vec<_> = windows.iter().flat_map(Window::rooted).collect();
        let items: Vec<_> = rooted.iter().map(|run| run.item).collect();
        assert_eq!(items, [0, 1, 2, 3]);
    }

    #[test]
    fn one_region_has_no_company_to_share_with() {
        for size in [1, GROUP, 3 * GROUP, 600 * GROUP] {
            let regions = frozen(&[size]);
            let windows = plan(&[&regions[0]]);
            let runs = windows
                .iter()
                .filter(|window| matches!(window, Window::Run(_)));
            assert_eq!(runs.count(), windows.len(), "{size} bytes");
        }
    }

    #[test]
    fn a_large_region_ends_with_a_small_window() {
        for (groups, expected) in [
            (16, &[16][..]),
            (512, &[512]),
            (513, &[512, 1]),
            (600, &[512, 80, 8]),
            (1024, &[512, 384, 120, 8]),
            (1030, &[512, 512, 6]),
            (1032, &[512, 512, 8]),
            (640, &[512, 120, 8]),
            (1000, &[512, 360, 120, 8]),
        ] {
            let regions = frozen(&[groups * GROUP]);
            let windows = plan(&[&regions[0]]);
            let found: Vec<_> = windows.iter().map(Window::groups).collect();
            assert_eq!(found, expected, "{groups} groups");
        }
    }

    #[test]
    fn a_run_knows_its_leaves_and_bytes() {
        let regions = frozen(&[2 * GROUP + 4097, 5]);
        let run = |item: usize, first, groups| Run {
            item,
            region: &regions[item],
            first,
            groups,
        };
        assert_eq!(run(0, 0, 3).leaves(), 258);
        assert_eq!(run(0, 2, 1).leaves(), 2);
        assert_eq!(run(0, 2, 1).bytes(), 4097);
        assert_eq!(run(0, 0, 2).bytes(), 2 * GROUP);
        assert!(run(1, 0, 1).is_one_block() && !run(0, 0, 1).is_one_block());
    }
}
