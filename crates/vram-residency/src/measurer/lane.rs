//! A lane: what a window under way needs for itself.

use vram_alloc::{
    Allocator, Event, HashStart, Kernels, OpenRegion, Readable, Readback, RowTables, Span, Stream,
};
use vram_seal::{BlockHash, Salt, VerityDigest};

use super::window::{BLOCK, GROUP, GROUPS, LEAVES_PER_GROUP, Run, Window};
use super::{HASH, LANES, hash_start};
use crate::Result;

/// Leaf hashes that a lane has room for: those of a window, 2 MiB of them.
const LEAVES: u64 = GROUPS.saturating_mul(LEAVES_PER_GROUP);

/// What scratch is filled with after each window. Its hashes would still lie there otherwise, and answer for a
/// kernel that did nothing.
const UNWRITTEN: u8 = 0xa5;

/// Row tables of a lane.
pub(super) const TABLES: u64 = 4;

/// Bytes of a window's group hashes.
const SLOT: u64 = GROUPS.saturating_mul(HASH);

/// Streams, scratch and the way back for one window at a time.
#[derive(Debug)]
pub(super) struct Lane {
    index: u64,
    /// Hashes the data.
    hashing: Stream,
    /// Combines the leaf hashes: short work that the lane waits for.
    combining: Stream,
    leaves: OpenRegion,
    /// Passed once the leaves are hashed.
    hashed: Event,
    /// Passed once scratch is poisoned again.
    cleared: Event,
    /// Whether all of scratch is poisoned, or will be before anything that waits for `cleared`.
    poisoned: bool,
    group_result: Readback,
    root_result: Readback,
    digest_result: Readback,
    /// Without room until leaves are wanted.
    leaf_result: Readback,
}

/// What a window is to a measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// It is the only window, so that there is nothing to overlap.
    pub(super) alone: bool,
    /// Its leaf hashes are wanted.
    pub(super) leaves: bool,
    /// Its group hashes are wanted.
    pub(super) groups: bool,
}

impl Lane {
    pub(super) fn new(allocator: &Allocator, index: u64) -> Result<Self> {
        let device = allocator.device();
        let slot = usize::try_from(SLOT).unwrap_or(usize::MAX);
        Ok(Self {
            index,
            hashing: Stream::new(device)?,
            combining: Stream::urgent(device)?,
            leaves: allocator.allocate_scratch(LEAVES.saturating_mul(HASH))?,
            hashed: Event::new(device)?,
            cleared: Event::new(device)?,
            poisoned: false,
            group_result: Readback::new(device, slot)?,
            root_result: Readback::new(device, slot)?,
            digest_result: Readback::new(device, slot)?,
            leaf_result: Readback::new(device, 0)?,
        })
    }

    pub(super) fn self_test(&mut self, kernels: &Kernels, output: &mut OpenRegion) -> Result<()> {
        Ok(kernels.self_test(&self.hashing, &mut self.leaves, output)?)
    }

    /// Queues everything that a window needs, and waits for none of it.
    pub(super) fn launch(
        &mut self,
        device: &mut Device<'_>,
        window: &Window<'_>,
        salt: &Salt,
        usage: Usage,
    ) -> Result<()> {
        let start = hash_start(salt);
        let slot = self.index.saturating_mul(SLOT);
        let leaf_bytes = leaf_bytes(window);
        let group_bytes = window.groups().saturating_mul(HASH);
        if std::mem::replace(&mut self.poisoned, false) {
            self.hashing.wait_for(&self.cleared)?;
        } else {
            let mut leaves = self.leaves.span_mut(0, self.leaves.len())?;
            leaves.fill(&self.hashing, UNWRITTEN)?;
            let mut groups = device.groups.span_mut(slot, SLOT)?;
            groups.fill(&self.hashing, UNWRITTEN)?;
            let mut roots = device.roots.span_mut(slot, SLOT)?;
            roots.fill(&self.hashing, UNWRITTEN)?;
            let mut digests = device.groups.span_mut(digest_slot(slot), SLOT)?;
            digests.fill(&self.hashing, UNWRITTEN)?;
        }
        self.hash_leaves(device, window, start)?;
        if !usage.alone {
            self.hashing.record(&self.hashed)?;
            self.combining.wait_for(&self.hashed)?;
        }

        // What comes now overlaps with other windows, if there are any.
        let stream = if usage.alone {
            &self.hashing
        } else {
            &self.combining
        };
        if usage.leaves {
            self.leaf_result
                .start(stream, self.leaves.span(0, leaf_bytes)?)?;
        }
        if usage.groups {
            let table = table_of(self.index, 1);
            combine(device, stream, &self.leaves, slot, table, window, start)?;
            self.group_result
                .start(stream, device.groups.span(slot, group_bytes)?)?;
        }
        let roots = u64::try_from(window.rooted().count()).unwrap_or(u64::MAX);
        let root_bytes = roots.saturating_mul(HASH);
        let rooted = roots != 0;
        if rooted {
            let table = table_of(self.index, 2);
            crown(device, stream, slot, table, window, start)?;
            self.root_result
                .start(stream, device.roots.span(slot, root_bytes)?)?;
            digest_roots(device, stream, slot, table_of(self.index, 3), window, salt)?;
            self.digest_result
                .start(stream, device.groups.span(digest_slot(slot), root_bytes)?)?;
        }
        // For the next window, whosever it is: it finds no hashes but its own.
        let mut leaves = self.leaves.span_mut(0, leaf_bytes)?;
        leaves.fill(stream, UNWRITTEN)?;
        let mut groups = device.groups.span_mut(slot, group_bytes)?;
        groups.fill(stream, UNWRITTEN)?;
        if rooted {
            let mut roots = device.roots.span_mut(slot, root_bytes)?;
            roots.fill(stream, UNWRITTEN)?;
            let mut digests = device.groups.span_mut(digest_slot(slot), root_bytes)?;
            digests.fill(stream, UNWRITTEN)?;
        }
        stream.record(&self.cleared)?;
        self.poisoned = true;
        Ok(())
    }

    /// The leaf hashes of some blocks of a region, now.
    pub(super) fn leaves_now(
        &mut self,
        kernels: &Kernels,
        region: &dyn Readable,
        first: u64,
        count: u64,
        start: HashStart,
    ) -> Result<Vec<BlockHash>> {
        let data = region.span(0, region.len())?;
        self.hashing.wait_for(&self.cleared)?;
        self.poisoned = false;
        let mut hashes = self.leaves.span_mut(0, count.saturating_mul(HASH))?;
        hashes.fill(&self.hashing, UNWRITTEN)?;
        kernels.hash_blocks(&self.hashing, data, first, start, &mut hashes)?;
        let hashes = self.leaves.span(0, count.saturating_mul(HASH))?;
        self.leaf_result.start(&self.hashing, hashes)?;
        Ok(self.leaf_hashes()?.collect())
    }

    /// The window's group hashes, once they are here.
    pub(super) fn group_hashes(&mut self) -> Result<impl Iterator<Item = BlockHash>> {
        Ok(block_hashes(self.group_result.bytes()?))
    }

    /// The roots and digests of the window's [rooted](Window::rooted) runs, once they are here.
    pub(super) fn crowns(&mut self) -> Result<impl Iterator<Item = (BlockHash, VerityDigest)>> {
        let roots = block_hashes(self.root_result.bytes()?);
        let (digests, _) = self.digest_result.bytes()?.as_chunks::<32>();
        Ok(roots.zip(digests.iter().copied().map(VerityDigest::from_bytes)))
    }

    /// The window's leaf hashes, once they are here.
    pub(super) fn leaf_hashes(&mut self) -> Result<impl Iterator<Item = BlockHash>> {
        Ok(block_hashes(self.leaf_result.bytes()?))
    }

    /// Waits until nothing is under way, as far as the device answers. What scratch holds is not known then.
    pub(super) fn settle(&mut self) {
        self.poisoned = false;
        for stream in [&self.hashing, &self.combining] {
            if let Err(error) = stream.synchronize() {
                tracing::debug!(%error, "a measurement's work could not be waited for");
            }
        }
    }

    fn hash_leaves(
        &mut self,
        device: &mut Device<'_>,
        window: &Window<'_>,
        start: HashStart,
    ) -> Result<()> {
        let table = table_of(self.index, 0);
        let mut leaves = self.leaves.span_mut(0, leaf_bytes(window))?;
        match window {
            Window::Run(run) => {
                let data = run.region.span(0, run.region.len())?;
                let first = run.first.saturating_mul(LEAVES_PER_GROUP);
                device
                    .kernels
                    .hash_blocks(&self.hashing, data, first, start, &mut leaves)?;
            }
            Window::Batch(runs) => {
                let pieces = pieces(runs, |run, group| {
                    // A single block has no leaf apart from its group hash.
                    let len = if run.is_one_block() { 0 } else { group.bytes };
                    Ok(run.region.span(group.start, len)?)
                })?;
                device.kernels.hash_rows(
                    &self.hashing,
                    device.tables,
                    table,
                    &pieces,
                    LEAVES_PER_GROUP,
                    start,
                    &mut leaves,
                )?;
            }
        }
        Ok(())
    }
}

/// What all lanes share.
pub(super) struct Device<'m> {
    pub(super) kernels: &'m Kernels,
    pub(super) tables: &'m mut RowTables,
    /// Each lane's group hashes, and behind all of those each lane's verity digests.
    pub(super) groups: &'m mut OpenRegion,
    /// Each lane's roots.
    pub(super) roots: &'m mut OpenRegion,
}

/// A lane's tables: 0 of data, 1 of leaf hashes, 2 of group hashes, 3 of roots.
fn table_of(lane: u64, which: u64) -> usize {
    let table = lane.saturating_mul(TABLES).saturating_add(which);
    usize::try_from(table).unwrap_or(usize::MAX)
}

/// Where a lane's verity digests are, given where its group hashes are.
fn digest_slot(slot: u64) -> u64 {
    slot.saturating_add(LANES.saturating_mul(SLOT))
}

/// Where a group's data lies in its region.
struct Place {
    /// Which of the window's groups.
    row: u64,
    start: u64,
    bytes: u64,
}

/// Hashes the blocks that the leaf hashes fill to group hashes.
fn combine(
    device: &mut Device<'_>,
    stream: &Stream,
    leaves: &OpenRegion,
    slot: u64,
    table: usize,
    window: &Window<'_>,
    start: HashStart,
) -> Result<()> {
    let bytes = window.groups().saturating_mul(HASH);
    let mut hashes = device.groups.span_mut(slot, bytes)?;
    match window {
        Window::Run(run) => {
            let below = leaves.span(0, run.leaves().saturating_mul(HASH))?;
            device
                .kernels
                .hash_blocks(stream, below, 0, start, &mut hashes)?;
        }
        Window::Batch(runs) => {
            let pieces = pieces(runs, |run, group| {
                if run.is_one_block() {
                    return Ok(run.region.span(0, run.region.len())?);
                }
                let count = group.bytes.div_ceil(BLOCK);
                let offset = group.row.saturating_mul(BLOCK);
                Ok(leaves.span(offset, count.saturating_mul(HASH))?)
            })?;
            device.kernels.hash_rows(
                stream,
                device.tables,
                table,
                &pieces,
                1,
                start,
                &mut hashes,
            )?;
        }
    }
    Ok(())
}

/// Hashes the blocks that the group hashes of whole regions fill to their roots.
fn crown(
    device: &mut Device<'_>,
    stream: &Stream,
    slot: u64,
    table: usize,
    window: &Window<'_>,
    start: HashStart,
) -> Result<()> {
    let mut at = slot;
    let mut pieces = Vec::new();
    for run in window.runs() {
        let bytes = run.groups.saturating_mul(HASH);
        if run.is_under_one_block() {
            pieces.push(device.groups.span(at, bytes)?);
        }
        at = at.saturating_add(bytes);
    }
    let count = u64::try_from(pieces.len()).unwrap_or(u64::MAX);
    let mut roots = device.roots.span_mut(slot, count.saturating_mul(HASH))?;
    let (kernels, tables) = (device.kernels, &mut *device.tables);
    Ok(kernels.hash_rows(stream, tables, table, &pieces, 1, start, &mut roots)?)
}

/// Hashes the descriptors of whole regions, whose roots are there, to their digests.
fn digest_roots(
    device: &mut Device<'_>,
    stream: &Stream,
    slot: u64,
    table: usize,
    window: &Window<'_>,
    salt: &Salt,
) -> Result<()> {
    let places = (0_u64..).map(|index| slot.saturating_add(index.saturating_mul(HASH)));
    let rows = places.zip(window.rooted()).map(|(at, run)| {
        let root = device.roots.span(at, HASH)?;
        Ok((root, run.region.len()))
    });
    let rows = rows.collect::<Result<Vec<_>>>()?;
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let mut digests = device
        .groups
        .span_mut(digest_slot(slot), count.saturating_mul(HASH))?;
    let (kernels, tables) = (device.kernels, &mut *device.tables);
    Ok(kernels.verity_digests(stream, tables, table, &rows, salt.as_bytes(), &mut digests)?)
}

/// One piece for each group of the runs, in order.
fn pieces<'s, 'r>(
    runs: &[Run<'r>],
    piece: impl Fn(&Run<'r>, Place) -> Result<Span<'s>>,
) -> Result<Vec<Span<'s>>> {
    let groups = runs.iter().flat_map(|run| {
        let last = run.first.saturating_add(run.groups);
        (run.first..last).map(move |group| (run, group))
    });
    (0..)
        .zip(groups)
        .map(|(row, (run, group))| {
            let start = group.saturating_mul(GROUP);
            let bytes = run.region.len().saturating_sub(start).min(GROUP);
            piece(run, Place { row, start, bytes })
        })
        .collect()
}

/// Bytes of scratch that a window's leaf hashes take. Where rows are hashed, each has a whole block.
fn leaf_bytes(window: &Window<'_>) -> u64 {
    match window {
        Window::Run(run) => run.leaves().saturating_mul(HASH),
        Window::Batch(_) => window.groups().saturating_mul(BLOCK),
    }
}

fn block_hashes(bytes: &[u8]) -> impl Iterator<Item = BlockHash> {
    let (hashes, _) = bytes.as_chunks::<32>();
    hashes.iter().map(|hash| BlockHash::from_bytes(*hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lanes_digests_lie_behind_all_group_hashes() {
        let slots: Vec<u64> = (0..LANES).map(|lane| lane.saturating_mul(SLOT)).collect();
        let mut all = slots.clone();
        all.extend(slots.iter().copied().map(digest_slot));

        assert!(all.is_sorted());
        let apart = all.windows(2).all(|pair| pair[1] - pair[0] == SLOT);
        assert!(apart, "{all:?}");
    }

    #[test]
    fn no_two_lanes_share_a_table() {
        let of = |lane| (0..TABLES).map(move |which| table_of(lane, which));
        let all: Vec<usize> = (0..LANES).flat_map(of).collect();

        assert!(all.iter().copied().eq(0..all.len()), "{all:?}");
    }
}
