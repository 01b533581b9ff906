//! Why shards are not the set that they should be.

use thiserror::Error as ThisError;

use crate::{SetRoot, ShardId};

/// What is wrong with a set. Indices count from 0.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum SetRefusal {
    /// There are no shards.
    #[error("it has no shards: a set has at least one")]
    Empty,
    /// A shard was not sealed as one of a set.
    #[error("{shard} has no position: seal it as one of a set")]
    NoPosition {
        /// The shard.
        shard: ShardId,
    },
    /// A shard was sealed as one of a set of another size.
    #[error(
        "{shard} is one of a set of {found} shards, this set has {expected}: it is foreign to it"
    )]
    OtherTotal {
        /// The shard.
        shard: ShardId,
        /// How many shards its set has.
        found: u32,
        /// How many this one has.
        expected: u32,
    },
    /// A position is one in a set of another size.
    #[error("a position in a set of {found} shards is none in this one of {expected}")]
    PositionTotal {
        /// The total of the position.
        found: u32,
        /// The total of the set.
        expected: u32,
    },
    /// A position is taken.
    #[error("the set has shard {index} already: each comes once")]
    PositionTwice {
        /// The position.
        index: u32,
    },
    /// Two shards have one position.
    #[error("{shard} is shard {index}, which the set has already: it is repeated")]
    Repeated {
        /// The second of the two.
        shard: ShardId,
        /// The position.
        index: u32,
    },
    /// A shard is missing.
    #[error("shard {index} is missing, {missing} of {total} are: give all of the set")]
    Missing {
        /// The first that is missing.
        index: u32,
        /// How many are missing.
        missing: u32,
        /// How many there should be.
        total: u32,
    },
    /// A shard is given at another place than its own.
    #[error("{shard} is shard {index} and is given in place of shard {place}: they are reordered")]
    Reordered {
        /// The shard.
        shard: ShardId,
        /// Its own position.
        index: u32,
        /// Where it is given.
        place: u32,
    },
    /// A shard was sealed at the position of another shard of the set.
    #[error(
        "{shard} was sealed as shard {index}, and its bytes are those of shard {belongs}: they are \
         reordered"
    )]
    Misplaced {
        /// The shard.
        shard: ShardId,
        /// The position that it was sealed at.
        index: u32,
        /// The position that its bytes belong at.
        belongs: u32,
    },
    /// A shard has other bytes than the set's shard of its position.
    #[error("{shard} is not shard {index} of this set: it is foreign to it")]
    Foreign {
        /// The shard.
        shard: ShardId,
        /// Its position.
        index: u32,
    },
    /// The set is whole, and is another set.
    #[error(
        "its root is {found}, expected {expected}: all positions are filled, and at least one shard is \
         foreign or has another's place"
    )]
    OtherRoot {
        /// The root of the shards that are there.
        found: SetRoot,
        /// The root that was expected.
        expected: SetRoot,
    },
}
