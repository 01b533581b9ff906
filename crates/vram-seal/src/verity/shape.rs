//! How many hashes a file of a size has on each level.

use super::{BLOCK_BYTES, BLOCK_HASHES, GROUP_BYTES};

/// The tree over a file of one size: what there is to compute, before anything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    size: u64,
}

impl Shape {
    /// The tree over `size` bytes.
    #[must_use]
    pub const fn new(size: u64) -> Self {
        Self { size }
    }

    /// The file's size in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// How many leaf hashes there are: one a block of 4096 bytes, the last one perhaps padded.
    #[must_use]
    pub const fn leaves(&self) -> u64 {
        self.size.div_ceil(BLOCK_BYTES)
    }

    /// How many group hashes there are: one per 512 KiB, the last one perhaps of less.
    ///
    /// A file of at most one block counts as one group, though it has no block of hashes.
    #[must_use]
    pub const fn groups(&self) -> u64 {
        self.size.div_ceil(GROUP_BYTES)
    }

    /// How many hashes each level has, from the leaves up to the root.
    ///
    /// ```
    /// # use vram_seal::verity::Shape;
    /// let levels = |size| Shape::new(size).levels().collect::<Vec<_>>();
    /// assert!(levels(0).is_empty());
    /// assert_eq!(levels(4096), [1]);
    /// assert_eq!(levels(4097), [2, 1]);
    /// assert_eq!(levels(1 << 30), [262_144, 2_048, 16, 1]);
    /// ```
    pub fn levels(&self) -> impl Iterator<Item = u64> + use<> {
        let leaves = Some(self.leaves()).filter(|&leaves| leaves > 0);
        std::iter::successors(leaves, |&below| {
            (below > 1).then(|| below.div_ceil(BLOCK_HASHES))
        })
    }

    /// How many leaves lie in a group, counted from 0: 128, fewer in the last one, none in a
    /// group that does not exist.
    #[must_use]
    pub const fn leaves_in_group(&self, group: u64) -> u64 {
        let left = self
            .leaves()
            .saturating_sub(group.saturating_mul(BLOCK_HASHES));
        left.saturating_sub(left.saturating_sub(BLOCK_HASHES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_groups_are_counted_up() {
        let counts = |size| (Shape::new(size).leaves(), Shape::new(size).groups());
        assert_eq!(counts(0), (0, 0));
        assert_eq!(counts(1), (1, 1));
        assert_eq!(counts(4096), (1, 1));
        assert_eq!(counts(4097), (2, 1));
        assert_eq!(counts(524_288), (128, 1));
        assert_eq!(counts(524_289), (129, 2));
    }

    #[test]
    fn levels_shrink_to_one_hash() {
        let levels = |size| Shape::new(size).levels().collect::<Vec<_>>();
        assert_eq!(levels(524_288), [128, 1]);
        assert_eq!(levels(524_289), [129, 2, 1]);
        assert_eq!(levels(64 << 20), [16_384, 128, 1]);
        assert_eq!(levels((64 << 20) + 1), [16_385, 129, 2, 1]);
        assert_eq!(levels(u64::MAX).last(), Some(&1));
    }

    #[test]
    fn the_last_group_may_have_fewer_leaves() {
        let shape = Shape::new(524_288 + 4097);
        assert_eq!(
            [0, 1, 2, u64::MAX].map(|group| shape.leaves_in_group(group)),
            [128, 2, 0, 0]
        );
    }
}
