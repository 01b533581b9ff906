//! The tree over data that arrives group by group.

use rayon::prelude::*;

use super::{
    BLOCK_SIZE, BlockHasher, GROUP_SIZE, HASHES_PER_BLOCK, LeafPrints, VerityMeasurement, count,
    locate::LeafPrint, measurement,
};
use crate::{BlockHash, Salt, spread};

/// Hashes whole groups in parallel and keeps their group hashes and leaf prints.
pub(crate) struct VerityHasher {
    salt: Salt,
    blocks: BlockHasher,
    size: u64,
    groups: Vec<BlockHash>,
    prints: Vec<LeafPrint>,
}

impl VerityHasher {
    pub(crate) fn new(salt: &Salt) -> Self {
        Self {
            salt: *salt,
            blocks: BlockHasher::new(salt),
            size: 0,
            groups: Vec::new(),
            prints: Vec::new(),
        }
    }

    /// Takes in the next whole groups: `data` is a multiple of 512 KiB long, except right before
    /// the end.
    pub(crate) fn absorb(&mut self, data: &[u8]) {
        self.size = self.size.saturating_add(count(data.len()));

        // All the room is made at once; the threads then fill disjoint parts of it.
        let (groups_before, prints_before) = (self.groups.len(), self.prints.len());
        let groups_after = groups_before.saturating_add(data.len().div_ceil(GROUP_SIZE));
        let prints_after = prints_before.saturating_add(data.len().div_ceil(BLOCK_SIZE));
        self.groups
            .resize(groups_after, BlockHash::from_bytes([0; 32]));
        self.prints.resize(prints_after, LeafPrint::default());
        let groups = self.groups.get_mut(groups_before..).unwrap_or_default();
        let prints = self.prints.get_mut(prints_before..).unwrap_or_default();

        hash_spread(&self.blocks, data, groups, prints);
    }

    /// Takes in the last bytes, of any length, and computes what lies above the groups.
    pub(crate) fn finish(mut self, tail: &[u8]) -> (VerityMeasurement, LeafPrints) {
        if self.groups.is_empty() && (1..=BLOCK_SIZE).contains(&tail.len()) {
            // One block: there is no block of hashes, the leaf hash is the root.
            let leaf = self.blocks.data(tail);
            self.size = count(tail.len());
            self.groups.push(leaf);
            self.prints.push(LeafPrint::of(&leaf));
        } else {
            self.absorb(tail);
        }
        let measurement = measurement::finish(self.groups, self.size, &self.blocks, &self.salt);
        (measurement, LeafPrints::new(self.prints))
    }
}

/// Hashes groups one after the other, into `groups`, and the prints of their leaves.
pub(super) fn hash_in_turn(
    blocks: &BlockHasher,
    data: &[u8],
    groups: &mut [BlockHash],
    prints: &mut [LeafPrint],
) {
    groups
        .iter_mut()
        .zip(prints.chunks_mut(HASHES_PER_BLOCK))
        .zip(data.chunks(GROUP_SIZE))
        .for_each(|((group, prints), data)| hash_group(blocks, data, group, prints));
}

/// As [`hash_in_turn`], on as many cores as there are groups.
pub(super) fn hash_spread(
    blocks: &BlockHasher,
    data: &[u8],
    groups: &mut [BlockHash],
    prints: &mut [LeafPrint],
) {
    if spread::pays(groups.len(), 2) {
        groups
            .par_iter_mut()
            .zip(prints.par_chunks_mut(HASHES_PER_BLOCK))
            .zip(data.par_chunks(GROUP_SIZE))
            // A group takes half a millisecond and more: hand them out one by one, so that
            // no thread is left with several while another has run dry.
            .with_max_len(1)
            .for_each(|((group, prints), data)| hash_group(blocks, data, group, prints));
    } else {
        hash_in_turn(blocks, data, groups, prints);
    }
}

fn hash_group(blocks: &BlockHasher, data: &[u8], group: &mut BlockHash, prints: &mut [LeafPrint]) {
    let mut prints = prints.iter_mut();
    *group = blocks.group(data, |leaf| {
        if let Some(print) = prints.next() {
            *print = LeafPrint::of(&leaf);
        }
    });
}
