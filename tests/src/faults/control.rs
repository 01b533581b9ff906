//! Faults that must not pass for found, or for located: what shows that the campaign can fail.

use std::fmt;

use serde::Serialize;

use super::flip::{Flip, FlipKind};
use super::plan::{BLOCK, Round, SizeClass};
use super::round;
use super::subject::Subject;

/// How many flips a control is made of.
const FLIPS: u64 = 32;

/// Something other than what is written down is put into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// The bits are flipped twice: nothing has changed. It stands for a comparison that sees nothing, and
    /// must come out as not found.
    Undone,
    /// The bits are flipped in the next block. It stands for a wrong block named, and must come out as
    /// found, and not located.
    Elsewhere,
    /// The bits of the last of several blocks are left alone. It stands for too few blocks or too many
    /// named, and must come out as found, and not located.
    Incomplete,
}

impl Control {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Undone, Self::Elsewhere, Self::Incomplete];

    /// The kind of flip that it needs; any where it needs none.
    pub(super) const fn kind(self) -> Option<FlipKind> {
        match self {
            Self::Undone => None,
            Self::Elsewhere => Some(FlipKind::Single),
            Self::Incomplete => Some(FlipKind::SeveralBlocks),
        }
    }

    /// What is put into memory in the place of a flip.
    pub(super) fn put(self, flip: &Flip, blocks: u64) -> Flip {
        match self {
            Self::Undone => flip.clone(),
            Self::Elsewhere => flip.in_next_block(blocks),
            Self::Incomplete => flip.without_last_block(),
        }
    }

    /// How many of its flips are to be found; none is to be located.
    const fn to_be_found(self) -> u64 {
        match self {
            Self::Undone => 0,
            Self::Elsewhere | Self::Incomplete => FLIPS,
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undone => "undone",
            Self::Elsewhere => "elsewhere",
            Self::Incomplete => "incomplete",
        })
    }
}

/// What came of a control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ControlReport {
    /// Which.
    pub control: Control,
    /// Flips that were written down, and not put into memory like that.
    pub flips: u64,
    /// How many verification found.
    pub found: u64,
    /// How many passed for located: it is to be none.
    pub located: u64,
    /// Whether the campaign told them as it must.
    pub as_it_must_be: bool,
}

/// Runs a control on a shard of whole blocks, over two groups.
pub(super) fn run(control: Control, subject: &Subject, seed: u64) -> anyhow::Result<ControlReport> {
    let round = Round {
        // No round of a campaign has such numbers.
        number: u64::MAX - 1,
        class: SizeClass::GroupEdge,
        size: 132 * BLOCK,
        flips: FLIPS,
    };
    let tally = round::run(&round, subject, seed, Some(control))?;
    Ok(ControlReport {
        control,
        flips: tally.flips,
        found: tally.found,
        located: tally.located,
        as_it_must_be: tally.flips == FLIPS
            && tally.found == control.to_be_found()
            && tally.located == 0
            && tally.missed == FLIPS,
    })
}
