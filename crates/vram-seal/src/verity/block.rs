//! Hashing one block of the tree.

use rayon::prelude::*;
use ring::digest::{Context, SHA256};

use super::{BLOCK_SIZE, HASHES_PER_BLOCK};
use crate::{BlockHash, Salt, digest::to_array, spread};

const ZEROS: [u8; BLOCK_SIZE] = [0; BLOCK_SIZE];

/// Hashes blocks of one tree: data and hashes alike, behind the same salt.
pub(crate) struct BlockHasher {
    /// SHA-256 after the padded salt: every block starts from a copy.
    start: Context,
}

impl BlockHasher {
    pub(crate) fn new(salt: &Salt) -> Self {
        let mut start = Context::new(&SHA256);
        if let Some(prefix) = salt.prefix() {
            start.update(&prefix);
        }
        Self { start }
    }

    /// The hash of one block of data, zero-padded where it is shorter than 4096 bytes.
    pub(crate) fn data(&self, block: &[u8]) -> BlockHash {
        let mut context = self.start.clone();
        context.update(block);
        if let Some(padding) = ZEROS.get(block.len()..) {
            context.update(padding);
        }
        BlockHash::from_bytes(to_array(context.finish()))
    }

    /// The hash of one block of up to 128 hashes, zero-padded.
    pub(crate) fn hashes(&self, hashes: &[BlockHash]) -> BlockHash {
        let mut block = ZEROS;
        for (to, hash) in block.chunks_exact_mut(32).zip(hashes) {
            to.copy_from_slice(hash.as_bytes());
        }
        self.data(&block)
    }

    /// The group hash of up to 512 KiB. Hands each leaf hash to `leaf`, in order.
    pub(crate) fn group(&self, data: &[u8], mut leaf: impl FnMut(BlockHash)) -> BlockHash {
        let mut block = ZEROS;
        for (to, data) in block.chunks_exact_mut(32).zip(data.chunks(BLOCK_SIZE)) {
            let hash = self.data(data);
            to.copy_from_slice(hash.as_bytes());
            leaf(hash);
        }
        self.data(&block)
    }

    /// The level above a level: one hash for every 128.
    pub(crate) fn level(&self, below: &[BlockHash]) -> Vec<BlockHash> {
        /// From how many blocks on it pays to wake other threads: a block takes some 10 µs.
        const SPREAD_FROM: usize = 32;

        let blocks = below.len().div_ceil(HASHES_PER_BLOCK);
        if spread::pays(blocks, SPREAD_FROM) {
            below
                .par_chunks(HASHES_PER_BLOCK)
                .map(|hashes| self.hashes(hashes))
                .collect()
        } else {
            below
                .chunks(HASHES_PER_BLOCK)
                .map(|hashes| self.hashes(hashes))
                .collect()
        }
    }
}

/// The leaf hashes of `data`, one for every 4096 bytes, the last block zero-padded.
///
/// Give a whole group to compare with [`Locator::locate_blocks`](super::Locator::locate_blocks).
///
/// ```
/// # use vram_seal::{Salt, verity::leaf_hashes};
/// let leaves = leaf_hashes(&[7; 4097], &Salt::none());
/// assert_eq!(leaves.len(), 2);
/// ```
#[must_use]
pub fn leaf_hashes(data: &[u8], salt: &Salt) -> Vec<BlockHash> {
    let hasher = BlockHasher::new(salt);
    data.par_chunks(BLOCK_SIZE)
        .map(|block| hasher.data(block))
        .collect()
}

/// The group hashes over leaf hashes: one for every 128, the last one perhaps of fewer.
///
/// For hashes that a device gave back. Here a group takes about 4 µs; a device takes as long for any
/// number of groups as for one, some 80 µs.
///
/// A file of one block has no group hash in this sense: its leaf hash is what
/// [`finish_from_groups`](super::finish_from_groups) takes.
#[must_use]
pub fn group_hashes(leaves: &[BlockHash], salt: &Salt) -> Vec<BlockHash> {
    BlockHasher::new(salt).level(leaves)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HashPlan, digest::sha256, hash_bytes};

    #[test]
    fn group_hashes_are_those_of_the_whole_measurement() {
        let salt = Salt::new(b"salt").unwrap();
        for size in [4097, 524_288, 524_289, 40 * 524_288 + 5] {
            let data: Vec<u8> = (0..=250).cycle().take(size).collect();
            let measured = hash_bytes(&data, HashPlan::VERITY, &salt).verity.unwrap();
            let groups = group_hashes(&leaf_hashes(&data, &salt), &salt);
            assert_eq!(groups, measured.groups(), "{size} bytes");
        }
        assert!(group_hashes(&[], &salt).is_empty());
    }

    #[test]
    fn a_short_block_is_padded_with_zeros() {
        let hasher = BlockHasher::new(&Salt::none());
        let mut padded = [0; BLOCK_SIZE];
        padded[..3].copy_from_slice(b"abc");
        assert_eq!(hasher.data(b"abc").as_bytes(), &sha256(&padded));
        assert_eq!(hasher.data(&padded), hasher.data(b"abc"));
    }

    #[test]
    fn a_salt_comes_first_in_blocks_of_data_and_of_hashes() {
        let hasher = BlockHasher::new(&Salt::new(b"salt").unwrap());
        let mut message = [0; 64 + BLOCK_SIZE];
        message[..4].copy_from_slice(b"salt");
        message[64..].fill(9);
        let leaf = hasher.data(&[9; BLOCK_SIZE]);
        assert_eq!(leaf.as_bytes(), &sha256(&message));
        message[64..].fill(0);
        message[64..96].copy_from_slice(leaf.as_bytes());
        assert_eq!(hasher.hashes(&[leaf]).as_bytes(), &sha256(&message));
    }

    #[test]
    fn a_group_is_the_block_of_its_leaves() {
        let hasher = BlockHasher::new(&Salt::none());
        let data = [5; 3 * BLOCK_SIZE + 1];
        let mut leaves = Vec::new();
        let group = hasher.group(&data, |leaf| leaves.push(leaf));
        assert_eq!(leaves, leaf_hashes(&data, &Salt::none()));
        assert_eq!(group, hasher.hashes(&leaves));
    }

    #[test]
    fn a_long_level_is_hashed_as_a_short_one() {
        let hasher = BlockHasher::new(&Salt::none());
        let below: Vec<_> = (0..40 * 128 + 1_u32)
            .map(|n| BlockHash::from_bytes(sha256(&n.to_le_bytes())))
            .collect();
        let expected: Vec<_> = below
            .chunks(128)
            .map(|block| hasher.hashes(block))
            .collect();
        assert_eq!(hasher.level(&below), expected);
        assert_eq!(
            hasher.level(&below[..129]),
            expected[..1]
                .iter()
                .copied()
                .chain([hasher.hashes(&below[128..129])])
                .collect::<Vec<_>>()
        );
    }
}
