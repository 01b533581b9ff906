//! Which bits are flipped together.

use std::collections::BTreeSet;
use std::fmt;

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::plan::BLOCK;

/// A bit of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Bit {
    /// The byte that it is of, counted from 0.
    pub offset: u64,
    /// Which of its bits: 0 is the lowest.
    pub bit: u8,
}

impl Bit {
    const fn block(self) -> u64 {
        self.offset / BLOCK
    }
}

/// How the bits of a flip lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlipKind {
    /// One bit.
    Single,
    /// Two to eight bits of one byte.
    SameByte,
    /// Two to sixteen bits of one block.
    SameBlock,
    /// One to three bits in each of two to eight blocks.
    SeveralBlocks,
}

impl FlipKind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Single,
        Self::SameByte,
        Self::SameBlock,
        Self::SeveralBlocks,
    ];

    /// Half of the flips are of one bit.
    fn draw(size: u64, random: &mut ChaCha8Rng) -> Self {
        match random.random_range(0..8_u8) {
            0..=3 => Self::Single,
            4 => Self::SameByte,
            5 => Self::SameBlock,
            // A shard of one block has no several.
            _ if size <= BLOCK => Self::SameBlock,
            _ => Self::SeveralBlocks,
        }
    }
}

impl fmt::Display for FlipKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single => "single bit",
            Self::SameByte => "bits of one byte",
            Self::SameBlock => "bits of one block",
            Self::SeveralBlocks => "bits of several blocks",
        })
    }
}

/// Distinct bits that are flipped together, so that none cancels another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flip {
    kind: FlipKind,
    bits: BTreeSet<Bit>,
}

impl Flip {
    /// Bits of a shard of so many bytes, at least 1.
    pub(super) fn draw(size: u64, random: &mut ChaCha8Rng) -> Self {
        let kind = FlipKind::draw(size, random);
        Self::of_kind(kind, size, random)
    }

    /// Bits that lie to each other like that. In a shard of one block, none lie in several.
    pub(super) fn of_kind(kind: FlipKind, size: u64, random: &mut ChaCha8Rng) -> Self {
        let mut bits = BTreeSet::new();
        let anywhere = random.random_range(0..size.max(1));
        match kind {
            FlipKind::Single => {
                bits.insert(bit(anywhere, random));
            }
            FlipKind::SameByte => {
                let count = random.random_range(2..=8);
                fill(&mut bits, count, || bit(anywhere, random));
            }
            FlipKind::SameBlock => {
                let count = random.random_range(2..=16);
                let block = anywhere / BLOCK;
                fill_block(&mut bits, count, block, size, random);
            }
            FlipKind::SeveralBlocks => {
                let blocks = size.div_ceil(BLOCK);
                let count = random.random_range(2..=8_u64).min(blocks);
                let mut chosen = BTreeSet::new();
                fill(&mut chosen, count, || random.random_range(0..blocks));
                for block in chosen {
                    let count = random.random_range(1..=3);
                    fill_block(&mut bits, count, block, size, random);
                }
            }
        }
        Self { kind, bits }
    }

    /// How its bits lie to each other.
    #[must_use]
    pub const fn kind(&self) -> FlipKind {
        self.kind
    }

    /// Its bits, in order.
    pub fn bits(&self) -> impl Iterator<Item = Bit> + '_ {
        self.bits.iter().copied()
    }

    /// The 4096-byte blocks that they lie in, in order.
    #[must_use]
    pub fn blocks(&self) -> BTreeSet<u64> {
        self.bits().map(Bit::block).collect()
    }

    /// The same bits without those of the last block.
    pub(super) fn without_last_block(&self) -> Self {
        let last = self.blocks().last().copied();
        let kept = self.bits().filter(|bit| Some(bit.block()) != last);
        Self {
            kind: self.kind,
            bits: kept.collect(),
        }
    }

    /// The same bits of the next block, or of the first where that is the last, in a shard of so many whole blocks.
    pub(super) fn in_next_block(&self, blocks: u64) -> Self {
        let size = blocks.saturating_mul(BLOCK).max(1);
        let moved = self.bits().map(|bit| Bit {
            offset: bit
                .offset
                .saturating_add(BLOCK)
                .checked_rem(size)
                .unwrap_or(0),
            ..bit
        });
        Self {
            kind: self.kind,
            bits: moved.collect(),
        }
    }
}

fn bit(offset: u64, random: &mut ChaCha8Rng) -> Bit {
    Bit {
        offset,
        bit: random.random_range(0..8),
    }
}

/// Adds bits of a block of a shard, up to so many: a block of one byte has eight.
fn fill_block(
    bits: &mut BTreeSet<Bit>,
    count: u64,
    block: u64,
    size: u64,
    random: &mut ChaCha8Rng,
) {
    let start = block.saturating_mul(BLOCK);
    let end = start.saturating_add(BLOCK).min(size);
    let there_are = end.saturating_sub(start).saturating_mul(8);
    let mut chosen = BTreeSet::new();
    fill(&mut chosen, count.min(there_are), || {
        bit(random.random_range(start..end), random)
    });
    bits.extend(chosen);
}

/// Draws until there are so many different ones.
fn fill<T: Ord>(set: &mut BTreeSet<T>, count: u64, mut draw: impl FnMut() -> T) {
    while u64::try_from(set.len()).unwrap_or(u64::MAX) < count {
        set.insert(draw());
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn bits_lie_within_the_shard_as_their_kind_says() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for size in [1, 2, 4095, 4096, 4097, 8192, 12_289, 600_000] {
            for _ in 0..300 {
                let flip = Flip::draw(size, &mut random);

                let bits: Vec<_> = flip.bits().collect();
                assert!(bits.iter().all(|bit| bit.offset < size && bit.bit < 8));
                let bytes: BTreeSet<_> = bits.iter().map(|bit| bit.offset).collect();
                let (many, blocks) = (bits.len() > 1, flip.blocks().len());
                let as_said = match flip.kind() {
                    FlipKind::Single => !many,
                    FlipKind::SameByte => many && bytes.len() == 1,
                    FlipKind::SameBlock => many && blocks == 1,
                    FlipKind::SeveralBlocks => many && blocks > 1,
                };
                assert!(as_said, "{flip:?}");
            }
        }
    }

    #[test]
    fn every_kind_and_every_block_comes_up() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let (mut kinds, mut blocks) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..300 {
            let flip = Flip::draw(3 * BLOCK + 1, &mut random);
            kinds.insert(flip.kind());
            blocks.extend(flip.blocks());
        }

        assert_eq!(kinds.len(), FlipKind::ALL.len());
        assert_eq!(blocks.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn a_moved_flip_lies_in_the_next_block_and_the_last_in_the_first() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..50 {
            let flip = Flip::of_kind(FlipKind::Single, 2 * BLOCK, &mut random);
            let moved = flip.in_next_block(2);

            assert_ne!(moved.blocks(), flip.blocks());
            assert!(moved.bits().all(|bit| bit.offset < 2 * BLOCK));
        }
    }
}
