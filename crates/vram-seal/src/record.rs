//! The seal record: what a seal says of a shard.

mod decode;
mod encode;
mod field;
#[cfg(test)]
pub(crate) mod sample;

use serde::{Deserialize, Serialize};

pub use self::field::Field;
use crate::{
    DeviceId, Digest, Error, ExpectedFrom, ModelRef, Result, SealKeyId, ShardId, VerityDigest,
};

/// What is sealed: which bytes, where, when and how. Everything in it is under the tag.
///
/// It holds no address and no secret. [`encode`](Self::encode) writes it in the one form that the
/// tag is computed over; `docs/spec/seal-format.md` lays that down byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealRecord {
    /// The shard's name.
    pub shard_id: ShardId,
    /// The shard's size in bytes, without what an allocation rounds up.
    pub size: u64,
    /// The content digest, if the bytes passed through the host.
    pub content: Option<Digest>,
    /// The verity digest, without salt.
    pub verity: VerityDigest,
    /// The device that holds the shard.
    pub device: DeviceId,
    /// When it was sealed: nanoseconds since 1970-01-01 00:00:00 UTC, without leap seconds.
    pub sealed_at_unix_nanos: u64,
    /// What keeps it from being written to.
    pub freezing: Freezing,
    /// Its position, if it is one of a set.
    pub position: Option<SetPosition>,
    /// The model it belongs to, if that was said.
    pub model: Option<ModelRef>,
    /// Random bytes that make this seal unlike any other of the same shard.
    #[serde(with = "hex::serde")]
    pub nonce: [u8; 16],
    /// The key that the tag is made with. [`SealedRecord::seal`](crate::SealedRecord::seal) sees to it.
    pub key_id: SealKeyId,
    /// Where the digest came from that the bytes were compared with, if any was expected.
    pub expected_from: ExpectedFrom,
}

impl SealRecord {
    /// The format's version, which the encoding starts with.
    pub const VERSION: u16 = encode::VERSION;

    /// The canonical encoding: one for every record, and no two records share one.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode::encode(self)
    }

    /// Reads the canonical encoding, and nothing else: what [`encode`](Self::encode) would not
    /// have written is refused.
    ///
    /// It says nothing about who wrote it. [`verify`](crate::verify) does.
    ///
    /// # Errors
    /// One of the `Record…` variants of [`Error`], or what the field's own type refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        decode::decode(bytes)
    }
}

/// What keeps a sealed shard from being written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freezing {
    /// The device's memory management unit: its pages are mapped read-only.
    Mmu,
    /// This library alone: it gives no way to write.
    Software,
}

/// Which shard of a set this is: `index` counts from 0 and lies below `total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawPosition")]
pub struct SetPosition {
    index: u32,
    total: u32,
}

impl SetPosition {
    /// Shard `index` of `total`.
    ///
    /// # Errors
    /// [`Error::SetPosition`] unless `index` lies below `total`.
    pub const fn new(index: u32, total: u32) -> Result<Self> {
        if index < total {
            Ok(Self { index, total })
        } else {
            Err(Error::SetPosition { index, total })
        }
    }

    /// The position, from 0.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }

    /// How many shards the set has.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.total
    }
}

/// A position as it arrives, not yet checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPosition {
    index: u32,
    total: u32,
}

impl TryFrom<RawPosition> for SetPosition {
    type Error = Error;

    fn try_from(raw: RawPosition) -> Result<Self> {
        Self::new(raw.index, raw.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_lies_within_its_set() {
        let position = SetPosition::new(3, 4).unwrap();
        assert_eq!((position.index(), position.total()), (3, 4));
        for (index, total) in [(0, 0), (4, 4), (u32::MAX, u32::MAX), (5, 4)] {
            let error = SetPosition::new(index, total).unwrap_err();
            assert!(matches!(error, Error::SetPosition { index: i, total: t }
                if (i, t) == (index, total)));
        }
        assert!(SetPosition::new(u32::MAX - 1, u32::MAX).is_ok());
    }

    #[test]
    fn json_is_checked_as_the_types_are() {
        let json = serde_json::to_string(&sample::full()).unwrap();
        assert_eq!(
            serde_json::from_str::<SealRecord>(&json).unwrap(),
            sample::full()
        );
        for (from, to) in [
            ("\"index\":1", "\"index\":4"),
            ("\"total\":4", "\"total\":4,\"more\":1"),
            ("llama:8b_shard-1", "../shard"),
            ("\"mmu\"", "\"hope\""),
            ("\"size\"", "\"extra\":1,\"size\""),
            ("\"nonce\":\"e0", "\"nonce\":\""),
            ("\"key_id\":\"", "\"key_id\":\"00"),
            ("\"checksum-file\"", "\"hearsay\""),
        ] {
            let changed = json.replacen(from, to, 1);
            assert_ne!(changed, json, "{from}");
            assert!(
                serde_json::from_str::<SealRecord>(&changed).is_err(),
                "{changed}"
            );
        }
    }
}
