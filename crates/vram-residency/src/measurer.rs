//! Measuring a region where it lies: the fs-verity tree, computed on the device.

use vram_alloc::{Allocator, FrozenRegion, HashStart, Kernels, OpenRegion, Stream};
use vram_seal::verity::{self, GroupIndex, LeafPrints};
use vram_seal::{BlockHash, InitialState, Salt, VerityMeasurement};

use crate::Result;
use crate::progress::{Progress, Stage};

/// Bytes of a digest in scratch memory.
const HASH: u64 = 32;
/// Leaf hashes that scratch has room for: those of 512 MiB of data, 4 MiB of them.
const LEAVES: u64 = 131_072;
/// Group hashes that scratch has room for: those of 32 GiB of data, 2 MiB of them.
const GROUPS: u64 = 65_536;

/// What scratch is filled with before each launch. The last measurement's hashes still lie there: a
/// kernel that did nothing must not be answered for by them.
const UNWRITTEN: u8 = 0xa5;

const BLOCK: u64 = verity::BLOCK_SIZE as u64;
const LEAVES_PER_GROUP: u64 = verity::HASHES_PER_BLOCK as u64;

/// The kernels with the scratch memory they need: 6 MiB, whatever is measured.
#[derive(Debug)]
pub(crate) struct Measurer {
    kernels: Kernels,
    stream: Stream,
    leaves: OpenRegion,
    groups: OpenRegion,
}

impl Measurer {
    /// Loads the kernels, and has the device prove on known answers that it computes SHA-256.
    pub(crate) fn new(allocator: &Allocator) -> Result<Self> {
        let device = allocator.device();
        let mut leaves = allocator.allocate_scratch(LEAVES.saturating_mul(HASH))?;
        let mut groups = allocator.allocate_scratch(GROUPS.saturating_mul(HASH))?;
        let stream = Stream::new(device)?;
        let kernels = Kernels::load(device)?;
        kernels.self_test(&stream, &mut leaves, &mut groups)?;
        Ok(Self {
            kernels,
            stream,
            leaves,
            groups,
        })
    }

    /// Measures a whole region. What crosses to the host is a hash per 512 KiB.
    pub(crate) fn measure(
        &mut self,
        region: &FrozenRegion,
        salt: &Salt,
        progress: &dyn Progress,
    ) -> Result<VerityMeasurement> {
        let size = region.len();
        let start = hash_start(salt.initial_state());
        if size <= BLOCK {
            // One block, and no block of hashes above it: its hash is the root.
            let hashes = self.hash_leaves(region, 0, 1, start)?;
            return Ok(verity::finish_from_groups(hashes, size, salt)?);
        }
        let total = verity::Shape::new(size).groups();
        let mut groups = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
        let mut first = 0;
        while first < total {
            let batch = total.saturating_sub(first).min(GROUPS);
            groups.extend(self.hash_groups(region, first, batch, start)?);
            first = first.saturating_add(batch);
            let done = first
                .saturating_mul(LEAVES_PER_GROUP)
                .saturating_mul(BLOCK)
                .min(size);
            progress.advanced(Stage::Measure, done, size);
        }
        Ok(verity::finish_from_groups(groups, size, salt)?)
    }

    /// The leaf hashes of one group, to find the blocks in it that changed.
    pub(crate) fn leaves_of(
        &mut self,
        region: &FrozenRegion,
        group: GroupIndex,
        salt: &Salt,
    ) -> Result<Vec<BlockHash>> {
        let first = group.get().saturating_mul(LEAVES_PER_GROUP);
        let count = verity::Shape::new(region.len()).leaves_in_group(group.get());
        self.hash_leaves(region, first, count, hash_start(salt.initial_state()))
    }

    /// Hashes `count` groups from `first` on: their leaves window by window, and over each window
    /// the hash blocks.
    fn hash_groups(
        &mut self,
        region: &FrozenRegion,
        first: u64,
        count: u64,
        start: HashStart,
    ) -> Result<Vec<BlockHash>> {
        const WINDOW: u64 = LEAVES / LEAVES_PER_GROUP;
        let data = region.span(0, region.len())?;
        let blocks = verity::Shape::new(region.len()).leaves();
        let mut done = 0;
        while done < count {
            let window = count.saturating_sub(done).min(WINDOW);
            let block = first.saturating_add(done).saturating_mul(LEAVES_PER_GROUP);
            let leaves = window
                .saturating_mul(LEAVES_PER_GROUP)
                .min(blocks.saturating_sub(block));
            let leaf_bytes = leaves.saturating_mul(HASH);
            let mut leaf_hashes = self.leaves.span_mut(0, leaf_bytes)?;
            leaf_hashes.fill(&self.stream, UNWRITTEN)?;
            self.kernels
                .hash_blocks(&self.stream, data, block, start, &mut leaf_hashes)?;
            // In order on one stream: these leaves are read before the next window's are written.
            let leaf_hashes = self.leaves.span(0, leaf_bytes)?;
            let offset = done.saturating_mul(HASH);
            let mut group_hashes = self.groups.span_mut(offset, window.saturating_mul(HASH))?;
            group_hashes.fill(&self.stream, UNWRITTEN)?;
            self.kernels
                .hash_blocks(&self.stream, leaf_hashes, 0, start, &mut group_hashes)?;
            done = done.saturating_add(window);
        }
        self.stream.synchronize()?;
        read_hashes(&self.groups, count)
    }

    fn hash_leaves(
        &mut self,
        region: &FrozenRegion,
        first: u64,
        count: u64,
        start: HashStart,
    ) -> Result<Vec<BlockHash>> {
        let data = region.span(0, region.len())?;
        let mut hashes = self.leaves.span_mut(0, count.saturating_mul(HASH))?;
        hashes.fill(&self.stream, UNWRITTEN)?;
        self.kernels
            .hash_blocks(&self.stream, data, first, start, &mut hashes)?;
        self.stream.synchronize()?;
        read_hashes(&self.leaves, count)
    }

    /// As [`measure`](Self::measure), with the prints of the leaf hashes, for a region that the host
    /// has hashed nothing of.
    pub(crate) fn measure_with_prints(
        &mut self,
        region: &FrozenRegion,
        salt: &Salt,
        progress: &dyn Progress,
    ) -> Result<(VerityMeasurement, LeafPrints)> {
        let start = hash_start(salt.initial_state());
        let total = verity::Shape::new(region.len()).leaves();
        let mut prints = LeafPrints::default();
        let mut first = 0;
        while first < total {
            let window = total.saturating_sub(first).min(LEAVES);
            prints.extend(self.hash_leaves(region, first, window, start)?);
            first = first.saturating_add(window);
        }
        Ok((self.measure(region, salt, progress)?, prints))
    }
}

fn read_hashes(region: &OpenRegion, count: u64) -> Result<Vec<BlockHash>> {
    let len = usize::try_from(count.saturating_mul(HASH)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; len];
    region.read_back(0, &mut bytes)?;
    let (hashes, _) = bytes.as_chunks::<32>();
    Ok(hashes
        .iter()
        .map(|hash| BlockHash::from_bytes(*hash))
        .collect())
}

fn hash_start(state: InitialState) -> HashStart {
    HashStart {
        words: state.words,
        prefix_len: state.prefix_len,
    }
}
