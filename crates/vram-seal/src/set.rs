//! The set root: one digest that says which shards a set has, each in its place.
//!
//! `docs/spec/set-root.md` lays it down byte by byte.

mod refusal;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, num::NonZeroU32};

use ring::digest::{Context, SHA256};
use serde::Serialize;

pub use self::refusal::SetRefusal;
use crate::{Result, SealRecord, SetPosition, SetRoot, VerityDigest, digest::to_array};

/// What comes first, so that nothing else that is hashed is taken for a set.
const DOMAIN: &[u8; 26] = b"vram-residency/set-root/v1";

/// What the root says of one shard, beside its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SetMember {
    /// The shard's size in bytes.
    pub size: u64,
    /// Its verity digest, without salt.
    pub verity: VerityDigest,
}

/// The shards of a set, gathered one by one, in any order.
///
/// It takes memory for those that were gathered, whatever the total says.
///
/// ```
/// use vram_seal::{SetMember, SetPosition, ShardSet, VerityDigest};
///
/// let mut set = ShardSet::new(2.try_into()?);
/// for (index, bytes) in [(1, b"second"), (0, b"first\n")] {
///     let member = SetMember { size: 6, verity: VerityDigest::of(bytes) };
///     set.insert(SetPosition::new(index, 2)?, member)?;
/// }
/// println!("{}", set.root()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardSet {
    total: NonZeroU32,
    members: BTreeMap<u32, SetMember>,
}

impl ShardSet {
    /// A set that will have so many shards, and has none yet.
    #[must_use]
    pub const fn new(total: NonZeroU32) -> Self {
        Self {
            total,
            members: BTreeMap::new(),
        }
    }

    /// The whole set that these records describe, in the order of their positions.
    ///
    /// The records are believed: whoever needs to know who made them [verifies](crate::verify) them.
    ///
    /// # Errors
    /// [`Error::Set`](crate::Error::Set): there are none, one has no position or that of a set of another size, or
    /// is at another place than its own, comes twice or is missing.
    pub fn of_records<'r>(records: impl IntoIterator<Item = &'r SealRecord>) -> Result<Self> {
        let records: Vec<_> = records.into_iter().collect();
        let first = records.first().ok_or(SetRefusal::Empty)?;
        let total = position(first)?.total();
        let mut set = Self::new(NonZeroU32::new(total).ok_or(SetRefusal::Empty)?);
        for record in &records {
            let position = position(record)?;
            if position.total() != total {
                return Err(SetRefusal::OtherTotal {
                    shard: record.shard_id.clone(),
                    found: position.total(),
                    expected: total,
                }
                .into());
            }
            set.insert_named(record, position)?;
        }
        set.require_whole()?;
        // Nobody is missing and nobody comes twice: what is left to go wrong is the order.
        for (place, record) in (0..total).zip(&records) {
            let index = position(record)?.index();
            if index != place {
                let shard = record.shard_id.clone();
                return Err(SetRefusal::Reordered {
                    shard,
                    index,
                    place,
                }
                .into());
            }
        }
        Ok(set)
    }

    /// Takes the shard at this position.
    ///
    /// # Errors
    /// [`Error::Set`](crate::Error::Set) if there is one already, or if the position is in a set of another size.
    pub fn insert(&mut self, position: SetPosition, member: SetMember) -> Result<()> {
        let (index, expected) = (position.index(), self.total.get());
        if position.total() != expected {
            let found = position.total();
            return Err(SetRefusal::PositionTotal { found, expected }.into());
        }
        if self.members.contains_key(&index) {
            return Err(SetRefusal::PositionTwice { index }.into());
        }
        self.members.insert(index, member);
        Ok(())
    }

    fn insert_named(&mut self, record: &SealRecord, position: SetPosition) -> Result<()> {
        let index = position.index();
        if self.members.contains_key(&index) {
            let shard = record.shard_id.clone();
            return Err(SetRefusal::Repeated { shard, index }.into());
        }
        self.members.insert(index, SetMember::of(record));
        Ok(())
    }

    /// How many shards the set will have.
    #[must_use]
    pub const fn total(&self) -> NonZeroU32 {
        self.total
    }

    /// The shards gathered so far, with their indices, in order.
    pub fn members(&self) -> impl Iterator<Item = (u32, SetMember)> {
        self.members.iter().map(|(index, member)| (*index, *member))
    }

    /// The root: SHA-256 over the domain, the total, and index, size and verity digest of every shard.
    ///
    /// # Errors
    /// [`Error::Set`](crate::Error::Set) as long as a shard is missing.
    pub fn root(&self) -> Result<SetRoot> {
        self.require_whole()?;
        let mut hash = Context::new(&SHA256);
        hash.update(DOMAIN);
        hash.update(&self.total.get().to_le_bytes());
        for (index, SetMember { size, verity }) in &self.members {
            hash.update(&index.to_le_bytes());
            hash.update(&size.to_le_bytes());
            hash.update(verity.as_bytes());
        }
        Ok(SetRoot::from_bytes(to_array(hash.finish())))
    }

    /// Whether the records are those of this set, all of them and in order, and which is not.
    ///
    /// # Errors
    /// [`Error::Set`](crate::Error::Set), as [`of_records`](Self::of_records), and for a shard that is foreign to
    /// the set or stands at the position of another one.
    pub fn verify<'r>(&self, records: impl IntoIterator<Item = &'r SealRecord>) -> Result<()> {
        let records: Vec<_> = records.into_iter().collect();
        let expected = self.total.get();
        for record in &records {
            let (shard, position) = (record.shard_id.clone(), position(record)?);
            let (index, found) = (position.index(), position.total());
            if found != expected {
                return Err(SetRefusal::OtherTotal {
                    shard,
                    found,
                    expected,
                }
                .into());
            }
            let member = SetMember::of(record);
            if self.members.get(&index) != Some(&member) {
                return Err(self.stranger(record, index, member).into());
            }
        }
        Self::of_records(records).map(drop)
    }

    /// What is to be said of a shard that the set has not at its position.
    fn stranger(&self, record: &SealRecord, index: u32, member: SetMember) -> SetRefusal {
        let shard = record.shard_id.clone();
        let mut elsewhere = self.members.iter().filter(|(_, known)| **known == member);
        match elsewhere.next() {
            Some((belongs, _)) => SetRefusal::Misplaced {
                shard,
                index,
                belongs: *belongs,
            },
            None => SetRefusal::Foreign { shard, index },
        }
    }

    fn require_whole(&self) -> Result<(), SetRefusal> {
        let total = self.total.get();
        let have = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let missing = total.saturating_sub(have);
        if missing == 0 {
            return Ok(());
        }
        // The members come in order: the first whose index is not its place stands behind a gap.
        let gap = (0..total)
            .zip(self.members.keys())
            .find(|(place, index)| place != *index);
        let index = gap.map_or(have, |(place, _)| place);
        Err(SetRefusal::Missing {
            index,
            missing,
            total,
        })
    }
}

impl SetMember {
    /// What a record says that the root is over.
    #[must_use]
    pub const fn of(record: &SealRecord) -> Self {
        Self {
            size: record.size,
            verity: record.verity,
        }
    }
}

impl SetRoot {
    /// The root of the whole set that these records describe, in the order of their positions.
    ///
    /// # Errors
    /// As [`ShardSet::of_records`].
    pub fn of_records<'r>(records: impl IntoIterator<Item = &'r SealRecord>) -> Result<Self> {
        ShardSet::of_records(records)?.root()
    }

    /// Whether the records are the whole set of this root, in order, in constant time.
    ///
    /// Which shard is missing, comes twice or stands elsewhere is named. Of a set that is whole and has another
    /// root, the root can't tell which shard it is: [`ShardSet::verify`] can, where the set is known.
    ///
    /// # Errors
    /// As [`ShardSet::of_records`], and [`SetRefusal::OtherRoot`].
    pub fn verify<'r>(&self, records: impl IntoIterator<Item = &'r SealRecord>) -> Result<()> {
        let found = Self::of_records(records)?;
        if found == *self {
            Ok(())
        } else {
            let expected = *self;
            Err(SetRefusal::OtherRoot { found, expected }.into())
        }
    }
}

fn position(record: &SealRecord) -> Result<SetPosition, SetRefusal> {
    record.position.ok_or_else(|| SetRefusal::NoPosition {
        shard: record.shard_id.clone(),
    })
}
