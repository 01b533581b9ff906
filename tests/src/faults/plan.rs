//! Which shards are sealed, and how often bits of each are flipped.

use std::fmt;
use std::ops::RangeInclusive;

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use vram_seal::verity::{BLOCK_SIZE, GROUP_SIZE};

/// The block and the group of 128 blocks that a change is located in, in bytes.
pub(super) const BLOCK: u64 = size(BLOCK_SIZE);
const GROUP: u64 = size(GROUP_SIZE);

#[expect(
    clippy::as_conversions,
    reason = "a constant, and there is no other conversion in one"
)]
const fn size(bytes: usize) -> u64 {
    bytes as u64
}

/// How large shards are. Most are small: the flips of a small shard are found in microseconds, and how
/// a block is hashed and named doesn't depend on how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SizeClass {
    /// 1 byte to a whole block: the tree has no level above its leaf.
    OneBlock,
    /// Up to 16 blocks, the last one whole or not.
    FewBlocks,
    /// Within two blocks of 512 KiB and of twice that, where groups begin and end.
    GroupEdge,
    /// 1 MiB to 6 MiB, and a byte more.
    ManyGroups,
}

impl SizeClass {
    /// All of them, small to large.
    pub const ALL: &'static [Self] = &[
        Self::OneBlock,
        Self::FewBlocks,
        Self::GroupEdge,
        Self::ManyGroups,
    ];

    /// Of every 10,000 flips, how many go to such shards.
    const fn share(self) -> u64 {
        match self {
            Self::OneBlock => 6900,
            Self::FewBlocks => 3000,
            Self::GroupEdge => 80,
            Self::ManyGroups => 20,
        }
    }

    /// How often bits of one such shard are flipped.
    const fn flips(self) -> u64 {
        match self {
            Self::OneBlock | Self::FewBlocks => 100,
            Self::GroupEdge => 20,
            Self::ManyGroups => 10,
        }
    }

    /// The sizes around which code may be off by one.
    fn edges(self) -> Vec<RangeInclusive<u64>> {
        let around = |size: u64| size.saturating_sub(1)..=size.saturating_add(1);
        match self {
            Self::OneBlock => vec![1..=2, 63..=65, BLOCK.saturating_sub(1)..=BLOCK],
            Self::FewBlocks => (1..16_u64)
                .map(|blocks| around(blocks.saturating_mul(BLOCK)))
                .chain([around(16 * BLOCK)])
                .map(|sizes| (*sizes.start()).max(BLOCK + 1)..=(*sizes.end()).min(16 * BLOCK))
                .collect(),
            Self::GroupEdge => [GROUP, 2 * GROUP]
                .into_iter()
                .flat_map(|edge| [edge.saturating_sub(BLOCK), edge, edge.saturating_add(BLOCK)])
                .map(around)
                .collect(),
            Self::ManyGroups => (3..=12_u64)
                .map(|groups| around(groups.saturating_mul(GROUP)))
                .collect(),
        }
    }

    /// The sizes that there are.
    pub(super) const fn sizes(self) -> [RangeInclusive<u64>; 2] {
        match self {
            Self::OneBlock => [1..=BLOCK, 1..=BLOCK],
            Self::FewBlocks => [BLOCK + 1..=16 * BLOCK, BLOCK + 1..=16 * BLOCK],
            Self::GroupEdge => [
                GROUP - 2 * BLOCK..=GROUP + 2 * BLOCK,
                2 * GROUP - 2 * BLOCK..=2 * GROUP + 2 * BLOCK,
            ],
            Self::ManyGroups => [
                (1 << 20) + 2 * BLOCK + 1..=6 << 20,
                (1 << 20) + 2 * BLOCK + 1..=6 << 20,
            ],
        }
    }

    /// Every other shard has a size at an edge.
    fn draw(self, random: &mut ChaCha8Rng) -> u64 {
        let anywhere = self.sizes();
        let edges = self.edges();
        let choices: &[_] = if random.random() { &edges } else { &anywhere };
        let Some(sizes) = choices.choose(random) else {
            return 1;
        };
        random.random_range(sizes.clone())
    }
}

impl fmt::Display for SizeClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneBlock => "one block",
            Self::FewBlocks => "few blocks",
            Self::GroupEdge => "about a group",
            Self::ManyGroups => "many groups",
        })
    }
}

/// A shard, and how often bits of it are flipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Its place in the plan. With the campaign's seed, it decides everything random in the round.
    pub number: u64,
    /// How large the shard is, roughly.
    pub class: SizeClass,
    /// How large it is in bytes.
    pub size: u64,
    /// How many flips there are.
    pub flips: u64,
}

impl Round {
    /// The random numbers of the round: the same on every machine, whichever thread works on it.
    pub(super) fn random(&self, seed: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // Stream 0 is the plan's.
        random.set_stream(self.number.saturating_add(1));
        random
    }
}

/// All rounds of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    rounds: Vec<Round>,
}

impl Plan {
    /// Spreads the flips over shards of all sizes, the large ones first.
    #[must_use]
    pub fn new(flips: u64, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut rounds = Vec::new();
        let mut left = flips;
        for class in SizeClass::ALL.iter().rev() {
            let share = u128::from(flips).saturating_mul(u128::from(class.share()));
            let share = u64::try_from(share.div_ceil(10_000)).unwrap_or(u64::MAX);
            let mut part = match class {
                // What rounding leaves over.
                SizeClass::OneBlock => left,
                _ => share.min(left),
            };
            left = left.saturating_sub(part);
            while part > 0 {
                let flips = class.flips().min(part);
                part = part.saturating_sub(flips);
                rounds.push(Round {
                    number: u64::try_from(rounds.len()).unwrap_or(u64::MAX),
                    class: *class,
                    size: class.draw(&mut random),
                    flips,
                });
            }
        }
        Self { rounds }
    }

    /// One round for each shard.
    #[must_use]
    pub fn rounds(&self) -> &[Round] {
        &self.rounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flip_that_was_asked_for_is_planned() {
        for flips in [1, 2, 3, 99, 2000, 10_000, 1_000_000] {
            let plan = Plan::new(flips, 7);

            let planned: u64 = plan.rounds().iter().map(|round| round.flips).sum();
            assert_eq!(planned, flips);
            assert!(plan.rounds().iter().all(|round| round.flips > 0));
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_plan_and_another_seed_another() {
        assert_eq!(Plan::new(5000, 1), Plan::new(5000, 1));
        assert_ne!(Plan::new(5000, 1), Plan::new(5000, 2));
    }

    #[test]
    fn sizes_are_of_their_class_and_every_class_has_its_share() {
        let plan = Plan::new(1_000_000, 3);
        for class in SizeClass::ALL {
            let rounds = plan.rounds().iter().filter(|round| round.class == *class);
            let mut flips = 0;
            for round in rounds {
                let sizes = class.sizes().into_iter().chain(class.edges());
                assert!(
                    sizes.into_iter().any(|sizes| sizes.contains(&round.size)),
                    "{round:?}"
                );
                flips += round.flips;
            }
            assert_eq!(flips, class.share() * 100, "{class}");
        }
    }

    #[test]
    fn the_edges_of_blocks_and_groups_are_among_the_sizes() {
        let plan = Plan::new(1_000_000, 4);
        let sizes: std::collections::BTreeSet<_> =
            plan.rounds().iter().map(|round| round.size).collect();
        for edge in [
            1,
            BLOCK - 1,
            BLOCK,
            BLOCK + 1,
            8 * BLOCK + 1,
            GROUP - 1,
            GROUP,
            GROUP + 1,
        ] {
            assert!(sizes.contains(&edge), "no shard of {edge} bytes");
        }
    }

    #[test]
    fn a_round_draws_the_same_numbers_again_and_another_round_others() {
        let plan = Plan::new(1000, 5);
        let numbers = |round: usize| {
            let mut random = plan.rounds()[round].random(5);
            [random.random::<u64>(), random.random()]
        };

        assert_eq!(numbers(0), numbers(0));
        assert_ne!(numbers(0), numbers(1));
    }
}
