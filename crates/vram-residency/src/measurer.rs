//! Measuring regions where they lie: the fs-verity tree, computed on the device.
//!
//! The data is hashed in windows of 256 MiB. A window's leaf hashes stay on the device, where a second
//! launch hashes them to a hash per 512 KiB; that is what crosses to the host, which computes the levels
//! above. Of small regions that share a window, two more launches compute the roots and the digests. Several windows are under way at a time, each in a lane of its own: while the leaf hashes of
//! one are combined, the device is kept busy with the next one's data.

mod lane;
mod window;

use std::collections::VecDeque;

use vram_alloc::{Allocator, FrozenRegion, HashStart, Kernels, OpenRegion, Readable, RowTables};
use vram_seal::verity::{self, GroupHashes, GroupIndex, LeafPrints, Shape};
use vram_seal::{BlockHash, Salt, VerityDigest, VerityMeasurement};

use self::lane::{Device, Lane, TABLES, Usage};
use self::window::{GROUPS, LEAVES_PER_GROUP, Window, plan};
use crate::Result;
use crate::progress::{Progress, Silent, Stage};

/// Bytes of a digest in scratch memory.
const HASH: u64 = 32;
/// Windows under way at a time. A window's group hashes take as long as its leaves where the device is
/// busy, and its lane is taken meanwhile.
const LANES: u64 = 5;
/// The kernels with the scratch memory they need: 16 MiB, whatever is measured.
#[derive(Debug)]
pub(crate) struct Measurer {
    kernels: Kernels,
    lanes: Vec<Lane>,
    /// Each lane's group hashes, and behind all of those each lane's verity digests.
    groups: OpenRegion,
    /// Each lane's roots.
    roots: OpenRegion,
    tables: RowTables,
}

/// What was computed of one region: all but the highest levels.
#[derive(Debug)]
pub(crate) struct Hashes {
    groups: GroupHashes,
    /// The root and the digest, where the device computed them.
    crown: Option<(BlockHash, VerityDigest)>,
    prints: LeafPrints,
}

impl Hashes {
    fn of(region: &dyn Readable, salt: &Salt) -> Self {
        Self {
            groups: GroupHashes::new(region.len(), salt),
            crown: None,
            prints: LeafPrints::default(),
        }
    }

    /// Computes what lies above: no device is needed for it, nor the measurer's lock.
    pub(crate) fn finish(self) -> Result<VerityMeasurement> {
        Ok(match self.crown {
            Some((root, digest)) => self.groups.finish_as(root, digest)?,
            None => self.groups.finish()?,
        })
    }
}

/// What is wanted beside the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Measurement,
    /// The leaf prints too, for which every leaf hash crosses to the host.
    Prints,
}

/// Who is told how a measurement goes.
struct Company<'c> {
    progress: &'c dyn Progress,
    /// Called once, when the device has enough to do for a while.
    meanwhile: &'c mut dyn FnMut(),
    /// Takes each region's hashes, with its place among the regions, as soon as they are all there.
    finished: &'c mut dyn FnMut(usize, Hashes),
}

/// What came of a window.
#[derive(Debug, Default)]
struct Results {
    /// Where they were asked for.
    leaves: Vec<BlockHash>,
    /// Of all its runs.
    groups: Vec<BlockHash>,
    /// Of its rooted runs: their roots and digests.
    crowns: Vec<(BlockHash, VerityDigest)>,
}

/// What a measurement has come to.
struct Course<'r> {
    salt: Salt,
    wanted: Wanted,
    /// Of the regions that are not finished.
    hashed: Vec<Option<Hashes>>,
    /// Windows that were launched and not collected, with their lanes.
    under_way: VecDeque<(usize, Window<'r>)>,
    /// Bytes collected, and bytes in all.
    done: u64,
    total: u64,
}

impl Measurer {
    /// Loads the kernels, and has the device prove on known answers that it computes SHA-256.
    pub(crate) fn new(allocator: &Allocator) -> Result<Self> {
        let lanes = (0..LANES).map(|index| Lane::new(allocator, index));
        let mut lanes = lanes.collect::<Result<Vec<_>>>()?;
        let slots = LANES.saturating_mul(GROUPS).saturating_mul(HASH);
        let mut groups = allocator.allocate_scratch(slots.saturating_mul(2))?;
        let roots = allocator.allocate_scratch(slots)?;
        let tables = RowTables::new(allocator, LANES.saturating_mul(TABLES), GROUPS)?;
        let kernels = Kernels::load(allocator.device())?;
        if let Some(lane) = lanes.first_mut() {
            lane.self_test(&kernels, &mut groups)?;
        }
        Ok(Self {
            kernels,
            lanes,
            groups,
            roots,
            tables,
        })
    }

    /// Measures a whole region. While the device works, `meanwhile` is done here.
    pub(crate) fn measure(
        &mut self,
        region: &dyn Readable,
        salt: &Salt,
        progress: &dyn Progress,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<VerityMeasurement> {
        let hashes = self.hash_one(region, salt, progress, meanwhile, Wanted::Measurement)?;
        hashes.finish()
    }

    /// Measures a whole region, and keeps what locates a change to its block.
    pub(crate) fn measure_with_prints(
        &mut self,
        region: &dyn Readable,
        salt: &Salt,
        progress: &dyn Progress,
    ) -> Result<(VerityMeasurement, LeafPrints)> {
        let mut hashes = self.hash_one(region, salt, progress, &mut || (), Wanted::Prints)?;
        let prints = std::mem::take(&mut hashes.prints);
        Ok((hashes.finish()?, prints))
    }

    /// Hashes regions together. Each one's hashes are given to `finished` as soon as they are there, with
    /// its place among the regions.
    pub(crate) fn hash_each(
        &mut self,
        regions: &[&FrozenRegion],
        salt: &Salt,
        finished: &mut dyn FnMut(usize, Hashes),
    ) -> Result<()> {
        let company = Company {
            progress: &Silent,
            meanwhile: &mut || (),
            finished,
        };
        let readable = regions.iter().map(|region| *region as &dyn Readable);
        let regions: Vec<_> = readable.collect();
        self.hash(&regions, salt, Wanted::Measurement, company)
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
        let start = hash_start(salt);
        match self.lanes.first_mut() {
            Some(lane) => lane.leaves_now(&self.kernels, region, first, count, start),
            None => Ok(Vec::new()),
        }
    }

    fn hash_one(
        &mut self,
        region: &dyn Readable,
        salt: &Salt,
        progress: &dyn Progress,
        meanwhile: &mut dyn FnMut(),
        wanted: Wanted,
    ) -> Result<Hashes> {
        // One region, one answer; were there none, it could not be finished.
        let mut answer = Hashes::of(region, salt);
        let company = Company {
            progress,
            meanwhile,
            finished: &mut |_, hashes| answer = hashes,
        };
        self.hash(&[region], salt, wanted, company)?;
        Ok(answer)
    }

    fn hash(
        &mut self,
        regions: &[&dyn Readable],
        salt: &Salt,
        wanted: Wanted,
        company: Company<'_>,
    ) -> Result<()> {
        self.run(regions, salt, wanted, company)
            .inspect_err(|_| self.settle())
    }

    fn run(
        &mut self,
        regions: &[&dyn Readable],
        salt: &Salt,
        wanted: Wanted,
        company: Company<'_>,
    ) -> Result<()> {
        let windows = plan(regions);
        let hashes = |region: &&dyn Readable| Some(Hashes::of(*region, salt));
        let bytes = windows.iter().map(Window::bytes);
        let mut course = Course {
            salt: *salt,
            wanted,
            hashed: regions.iter().map(hashes).collect(),
            under_way: VecDeque::new(),
            done: 0,
            total: bytes.fold(0, u64::saturating_add),
        };
        let Company {
            progress,
            meanwhile,
            finished,
        } = company;
        let mut meanwhile = Some(meanwhile);
        let (lanes, count) = (self.lanes.len(), windows.len());
        for (number, window) in windows.into_iter().enumerate() {
            if course.under_way.len() >= lanes {
                if let Some(meanwhile) = meanwhile.take() {
                    meanwhile();
                }
                self.collect(&mut course, finished)?;
                progress.advanced(Stage::Measure, course.done, course.total);
            }
            let index = number.checked_rem(lanes).unwrap_or(0);
            let Some(lane) = self.lanes.get_mut(index) else {
                break;
            };
            let usage = Usage {
                alone: count == 1,
                leaves: window.is_combined_on_host() || wanted == Wanted::Prints,
                groups: !window.is_combined_on_host(),
            };
            let mut device = Device {
                kernels: &self.kernels,
                tables: &mut self.tables,
                groups: &mut self.groups,
                roots: &mut self.roots,
            };
            lane.launch(&mut device, &window, salt, usage)?;
            course.under_way.push_back((index, window));
        }
        if let Some(meanwhile) = meanwhile.take() {
            meanwhile();
        }
        while !course.under_way.is_empty() {
            self.collect(&mut course, finished)?;
            progress.advanced(Stage::Measure, course.done, course.total);
        }
        Ok(())
    }

    /// Takes the results of the window that was launched first.
    fn collect(
        &mut self,
        course: &mut Course<'_>,
        finished: &mut dyn FnMut(usize, Hashes),
    ) -> Result<()> {
        let Some((index, window)) = course.under_way.pop_front() else {
            return Ok(());
        };
        // The last window's leaves are here before the group hashes of the one before it: where the host
        // combines them, it had better do so now than wait.
        let only = course.under_way.len() == 1;
        let last = course
            .under_way
            .pop_front_if(|(_, last)| only && last.is_combined_on_host());
        let early = match &last {
            Some((index, last)) => Some(self.results(*index, last, course)?),
            None => None,
        };
        let results = self.results(index, &window, course)?;
        course.take_in(&window, results, finished);
        if let (Some((_, last)), Some(results)) = (last, early) {
            course.take_in(&last, results, finished);
        }
        Ok(())
    }

    /// A window's hashes, once they are here.
    fn results(
        &mut self,
        lane: usize,
        window: &Window<'_>,
        course: &Course<'_>,
    ) -> Result<Results> {
        let mut results = Results::default();
        let Some(lane) = self.lanes.get_mut(lane) else {
            return Ok(results);
        };
        // Leaves cross of runs alone: theirs are in the file's order, without gaps.
        if let Window::Run(run) = window
            && (window.is_combined_on_host() || course.wanted == Wanted::Prints)
        {
            results.leaves.extend(lane.leaf_hashes()?);
            if run.is_one_block() {
                results.groups.clone_from(&results.leaves);
            } else if window.is_combined_on_host() {
                let groups = verity::group_hashes(&results.leaves, &course.salt);
                results.groups.extend(groups);
            }
        }
        if !window.is_combined_on_host() {
            results.groups.extend(lane.group_hashes()?);
        }
        if window.rooted().next().is_some() {
            results.crowns.extend(lane.crowns()?);
        }
        Ok(results)
    }

    /// Waits for everything, after a failure: nothing of it may run into the next measurement.
    fn settle(&mut self) {
        for lane in &mut self.lanes {
            lane.settle();
        }
    }
}

impl Course<'_> {
    /// Adds what came of a window, the next in order, to what there is of its regions.
    fn take_in(
        &mut self,
        window: &Window<'_>,
        results: Results,
        finished: &mut dyn FnMut(usize, Hashes),
    ) {
        let mut groups = results.groups.into_iter();
        let mut crowns = results.crowns.into_iter();
        let mut leaves = Some(results.leaves);
        let batch = matches!(window, Window::Batch(_));
        for run in window.runs() {
            let count = usize::try_from(run.groups).unwrap_or(usize::MAX);
            let Some(slot) = self.hashed.get_mut(run.item) else {
                continue;
            };
            if let Some(hashes) = slot {
                hashes.groups.extend(groups.by_ref().take(count));
                if batch && run.is_under_one_block() {
                    hashes.crown = crowns.next();
                }
                if self.wanted == Wanted::Prints {
                    hashes.prints.extend(leaves.take().unwrap_or_default());
                }
            }
            if run.is_last()
                && let Some(hashes) = slot.take()
            {
                finished(run.item, hashes);
            }
        }
        self.done = self.done.saturating_add(window.bytes());
    }
}

/// What every block's hash starts from under a salt.
fn hash_start(salt: &Salt) -> HashStart {
    let state = salt.initial_state();
    HashStart {
        words: state.words,
        prefix_len: state.prefix_len,
    }
}
