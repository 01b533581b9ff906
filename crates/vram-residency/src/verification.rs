//! What a verification found.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use vram_alloc::Bytes;
use vram_policy::Report;
use vram_policy::residency::ResidencyVerdict;
use vram_seal::verity::{BLOCK_SIZE, GroupIndex, Locator};
use vram_seal::{BlockHash, ShardId, VerityDigest};

use crate::Result;

/// A shard that is what it was when it was sealed, with what was seen.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VerificationReport {
    /// The shard.
    pub shard: ShardId,
    /// Bytes measured.
    pub size: Bytes,
    /// What the device measured.
    pub verity: VerityDigest,
    /// What the driver said of the region, judged.
    pub policy: Arc<Report>,
    /// From the call to the verdict. Of shards that were verified together, that is a call for all of them.
    pub duration: Duration,
    /// The measurement's part of it: of shards that were verified together, until this one's hashes were there.
    pub measuring: Duration,
    /// What the measurement's rate says of where the bytes lie: every byte was hashed by the device, in
    /// [`measuring`](Self::measuring) by the host's clock, and no link to the host carries as many in that time. Of a
    /// shard that is small beside the device's cache, or that was verified together with others, it proves
    /// nothing; [`Manager::residency_proof`](crate::Manager::residency_proof) measures on purpose.
    pub residency: ResidencyVerdict,
    /// Whether a simulation measured.
    pub simulated: bool,
}

/// Where a shard differs from what was sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// The 4096-byte blocks that changed, counted from 0, in order; of the first
    /// [`LOCATED_GROUPS`](Self::LOCATED_GROUPS) groups that changed.
    pub blocks: Vec<u64>,
    /// Groups of 512 KiB that changed.
    pub changed_groups: u64,
    /// Byte ranges of groups that changed, but not which block in them.
    pub unpinned: Vec<Range<u64>>,
}

impl Difference {
    /// How many changed groups are looked into block by block.
    pub const LOCATED_GROUPS: usize = 64;
    /// How many blocks are shown before "and so many more".
    const SHOWN: usize = 8;

    /// Finds what differs: by the group hashes which groups, and by `leaves_of` which blocks in them.
    pub(crate) fn locate(
        locator: &Locator,
        measured: &[BlockHash],
        mut leaves_of: impl FnMut(GroupIndex) -> Result<Vec<BlockHash>>,
    ) -> Result<Self> {
        let groups = locator.locate_groups(measured)?;
        let mut difference = Self {
            changed_groups: u64::try_from(groups.len()).unwrap_or(u64::MAX),
            ..Self::default()
        };
        for group in groups.into_iter().take(Self::LOCATED_GROUPS) {
            let blocks = locator.locate_blocks(group, &leaves_of(group)?)?;
            if blocks.is_empty() {
                difference.unpinned.push(group.byte_range(locator.size()));
            }
            difference.blocks.extend(blocks);
        }
        Ok(difference)
    }

    /// The bytes of a block that changed.
    fn bytes(block: u64) -> Range<u64> {
        let size = u64::try_from(BLOCK_SIZE).unwrap_or(u64::MAX);
        let start = block.saturating_mul(size);
        start..start.saturating_add(size)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changed_groups == 0 {
            return f.write_str("somewhere, though no group hash that was kept differs");
        }
        let mut separator = "";
        for block in self.blocks.iter().take(Self::SHOWN) {
            let Range { start, end } = Self::bytes(*block);
            write!(f, "{separator}block {block} (bytes {start}..{end})")?;
            separator = ", ";
        }
        for Range { start, end } in self.unpinned.iter().take(Self::SHOWN) {
            write!(f, "{separator}bytes {start}..{end}")?;
            separator = ", ";
        }
        let more = self.blocks.len().saturating_sub(Self::SHOWN);
        if more > 0 {
            write!(f, " and {more} more blocks")?;
        }
        write!(f, ", in {} of its 512 KiB groups", self.changed_groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_listed_and_the_rest_is_counted() {
        let shown = Difference::SHOWN as u64;
        let said = |blocks: u64| {
            let difference = Difference {
                changed_groups: 3,
                blocks: (0..blocks).collect(),
                unpinned: Vec::new(),
            };
            difference.to_string()
        };

        let two = "block 0 (bytes 0..4096), block 1 (bytes 4096..8192), in 3 of its 512 KiB groups";
        assert_eq!(said(2), two);
        assert!(!said(shown).contains("more"), "{}", said(shown));
        assert!(said(shown + 1).contains(" and 1 more blocks, in 3"));
        assert!(said(shown + 7).contains(" and 7 more blocks, in 3"));
        assert_eq!(said(shown).matches("block ").count(), Difference::SHOWN);
    }
}
