//! Measuring regions where they lie: the fs-verity tree, computed on the device.
//!
//! The data is hashed in windows of 256 MiB. A window's leaf hashes stay on the device, where a second
//! launch hashes them to a hash per 512 KiB; that is what crosses to the host, which computes the levels
//! above. Several windows are under way at a time, each in a lane of its own: while the leaf hashes of
//! one are combined, the device is kept busy with the next one's data.

mod lane;
mod window;

use std::collections::VecDeque;

use vram_alloc::{Allocator, FrozenRegion, HashStart, Kernels, OpenRegion, Readable, RowTables};
use vram_seal::verity::{self, GroupHashes, GroupIndex, LeafPrints, Shape};
use vram_seal::{BlockHash, InitialState, Salt, VerityMeasurement};

use self::lane::{Device, Lane, Usage};
use self::window::{GROUPS, LEAVES_PER_GROUP, Window, plan};
use crate::Result;
use crate::progress::{Progress, Silent, Stage};

/// Bytes of a digest in scratch memory.
const HASH: u64 = 32;
/// Windows under way at a time. A window's group hashes take as long as its leaves where the device is
/// busy, and its lane is taken meanwhile.
const LANES: u64 = 6;
/// The kernels with the scratch memory they need: 16 MiB, whatever is measured.
#[derive(Debug)]
pub(crate) struct Measurer {
    kernels: Kernels,
    lanes: Vec<Lane>,
    /// Each lane's group hashes.
    groups: OpenRegion,
    tables: RowTables,
}

/// What was computed of one region: all but the highest levels.
#[derive(Debug)]
pub(crate) struct Hashes {
    groups: GroupHashes,
    prints: LeafPrints,
}

impl Hashes {
    fn of(region: &dyn Readable, salt: &Salt) -> Self {
        Self {
            groups: GroupHashes::new(region.len(), salt),
            prints: LeafPrints::default(),
        }
    }

    /// Computes what lies above: no device is needed for it, nor the measurer's lock.
    pub(crate) fn finish(self) -> Result<VerityMeasurement> {
        Ok(self.groups.finish()?)
    }
}

/// What is wanted beside the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Measurement,
    /// The leaf prints too, for which every leaf hash crosses to the host.
    Prints,
}

impl Measurer {
    /// Loads the kernels, and has the device prove on known answers that it computes SHA-256.
    pub(crate) fn new(allocator: &Allocator) -> Result<Self> {
        let lanes = (0..LANES).map(|index| Lane::new(allocator, index));
        let mut lanes = lanes.collect::<Result<Vec<_>>>()?;
        let slots = LANES.saturating_mul(GROUPS).saturating_mul(HASH);
        let mut groups = allocator.allocate_scratch(slots)?;
        let tables = RowTables::new(allocator, LANES.saturating_mul(2), GROUPS)?;
        let kernels = Kernels::load(allocator.device())?;
        if let Some(lane) = lanes.first_mut() {
            lane.self_test(&kernels, &mut groups)?;
        }
        Ok(Self {
            kernels,
            lanes,
            groups,
            tables,
        })
    }

    /// Measures a whole region.
    pub(crate) fn measure(
        &mut self,
        region: &dyn Readable,
        salt: &Salt,
        progress: &dyn Progress,
    ) -> Result<VerityMeasurement> {
        let (measured, _) = self.measure_one(region, salt, progress, Wanted::Measurement)?;
        Ok(measured)
    }

    /// Measures a whole region, and keeps what locates a change to its block.
    pub(crate) fn measure_with_prints(
        &mut self,
        region: &dyn Readable,
        salt: &Salt,
        progress: &dyn Progress,
    ) -> Result<(VerityMeasurement, LeafPrints)> {
        self.measure_one(region, salt, progress, Wanted::Prints)
    }

    /// Hashes regions together, in their order.
    pub(crate) fn hash_all(
        &mut self,
        regions: &[&FrozenRegion],
        salt: &Salt,
    ) -> Result<Vec<Hashes>> {
        let regions: Vec<_> = regions
            .iter()
            .map(|region| *region as &dyn Readable)
            .collect();
        self.hash(&regions, salt, &Silent, Wanted::Measurement)
    }

    /// The leaf hashes of one group, to find the blocks in it that changed.
    pub(crate) fn leaves_of(
        &mut self,
        region: &dyn Readable,
        group: GroupIndex,
        salt: &Salt,
    ) -> Result<Vec<BlockHash>> {
        let first = group.get().saturating_mul(LEAVES_PER_GROUP);
        let count = Shape::new(region.len()).leaves_in_group(group.get());
        let start = hash_start(salt.initial_state());
        match self.lanes.first_mut() {
            Some(lane) => lane.leaves_now(&self.kernels, region, first, count, start),
            None => Ok(Vec::new()),
        }
    }

    fn measure_one(
        &mut self,
        region: &dyn Readable,
        salt: &Salt,
        progress: &dyn Progress,
        wanted: Wanted,
    ) -> Result<(VerityMeasurement, LeafPrints)> {
        let mut hashed = self.hash(&[region], salt, progress, wanted)?;
        // One region, one answer; were there none, it would not be finished.
        let mut hashes = hashed.pop().unwrap_or_else(|| Hashes::of(region, salt));
        let prints = std::mem::take(&mut hashes.prints);
        Ok((hashes.finish()?, prints))
    }

    fn hash(
        &mut self,
        regions: &[&dyn Readable],
        salt: &Salt,
        progress: &dyn Progress,
        wanted: Wanted,
    ) -> Result<Vec<Hashes>> {
        self.run(regions, salt, progress, wanted)
            .inspect_err(|_| self.settle())
    }

    fn run(
        &mut self,
        regions: &[&dyn Readable],
        salt: &Salt,
        progress: &dyn Progress,
        wanted: Wanted,
    ) -> Result<Vec<Hashes>> {
        let start = hash_start(salt.initial_state());
        let windows = plan(regions);
        let mut hashed: Vec<_> = regions
            .iter()
            .map(|region| Hashes::of(*region, salt))
            .collect();
        let total = windows
            .iter()
            .fold(0_u64, |sum, window| sum.saturating_add(window.bytes()));
        let mut done = 0_u64;
        let mut under_way: VecDeque<(usize, Window<'_>)> = VecDeque::new();
        let (lanes, last) = (self.lanes.len(), windows.len());
        for (number, window) in windows.into_iter().enumerate() {
            if under_way.len() >= lanes {
                done =
                    done.saturating_add(self.collect(&mut under_way, &mut hashed, salt, wanted)?);
                progress.advanced(Stage::Measure, done, total);
            }
            let index = number.checked_rem(lanes).unwrap_or(0);
            let Some(lane) = self.lanes.get_mut(index) else {
                break;
            };
            let usage = Usage {
                first: number < lanes,
                last: number.saturating_add(lanes) >= last,
                alone: last == 1,
                leaves: window.is_combined_on_host() || wanted == Wanted::Prints,
                groups: !window.is_combined_on_host(),
            };
            let mut device = Device {
                kernels: &self.kernels,
                tables: &mut self.tables,
                groups: &mut self.groups,
            };
            lane.launch(&mut device, &window, start, usage)?;
            under_way.push_back((index, window));
        }
        while !under_way.is_empty() {
            done = done.saturating_add(self.collect(&mut under_way, &mut hashed, salt, wanted)?);
            progress.advanced(Stage::Measure, done, total);
        }
        Ok(hashed)
    }

    /// Takes the results of the window that was launched first, and tells how much data it was.
    fn collect(
        &mut self,
        under_way: &mut VecDeque<(usize, Window<'_>)>,
        hashed: &mut [Hashes],
        salt: &Salt,
        wanted: Wanted,
    ) -> Result<u64> {
        let Some((index, window)) = under_way.pop_front() else {
            return Ok(0);
        };
        let Some(lane) = self.lanes.get_mut(index) else {
            return Ok(0);
        };
        // Leaves cross of runs alone: theirs are in the file's order, without gaps.
        if let Window::Run(run) = &window
            && let Some(hashes) = hashed.get_mut(run.item)
            && (window.is_combined_on_host() || wanted == Wanted::Prints)
        {
            let leaves: Vec<_> = lane.leaf_hashes()?.collect();
            if run.is_one_block() {
                hashes.groups.extend(leaves.iter().copied());
            } else if window.is_combined_on_host() {
                hashes.groups.extend(verity::group_hashes(&leaves, salt));
            }
            if wanted == Wanted::Prints {
                hashes.prints.extend(leaves);
            }
        }
        if !window.is_combined_on_host() {
            let mut groups = lane.group_hashes()?;
            for run in window.runs() {
                let count = usize::try_from(run.groups).unwrap_or(usize::MAX);
                let groups = groups.by_ref().take(count);
                if let Some(hashes) = hashed.get_mut(run.item) {
                    hashes.groups.extend(groups);
                }
            }
        }
        Ok(window.bytes())
    }

    /// Waits for everything, after a failure: nothing of it may run into the next measurement.
    fn settle(&self) {
        for lane in &self.lanes {
            lane.settle();
        }
    }
}

fn hash_start(state: InitialState) -> HashStart {
    HashStart {
        words: state.words,
        prefix_len: state.prefix_len,
    }
}
