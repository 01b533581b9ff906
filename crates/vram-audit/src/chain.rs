//! What links records: the hash of a line, the trail's identity, the head of a chain.

use std::fmt;

use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// SHA-256 of a record's line, without its newline.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordHash([u8; 32]);

impl RecordHash {
    /// What the first record names as the one before it: 32 zero bytes.
    pub const NONE: Self = Self([0; 32]);

    pub(crate) fn of(line: &[u8]) -> Self {
        let mut hash = [0; 32];
        for (to, from) in hash
            .iter_mut()
            .zip(digest::digest(&digest::SHA256, line).as_ref())
        {
            *to = *from;
        }
        Self(hash)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The identity of a trail: 16 random bytes, drawn when it is created.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrailId([u8; 16]);

impl TrailId {
    pub(crate) fn random() -> Result<Self> {
        let mut id = [0; 16];
        SystemRandom::new()
            .fill(&mut id)
            .map_err(|_unspecified| Error::Randomness {
                what: "the trail's identity",
            })?;
        Ok(Self(id))
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Hexadecimal text, lower case, both ways: as text, in JSON, from text.
macro_rules! hexadecimal {
    ($type:ident, $len:literal, $what:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({self})", stringify!($type))
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::Error;

            fn from_str(text: &str) -> $crate::Result<Self> {
                let mut bytes = [0; $len];
                let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
                match hex::decode_to_slice(text, &mut bytes) {
                    Ok(()) if lower => Ok(Self(bytes)),
                    _ => Err($crate::Error::Key {
                        what: $what,
                        expected: concat!($len, " bytes in lower-case hexadecimal"),
                    }),
                }
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hexadecimal!(RecordHash, 32, "record hash");
hexadecimal!(TrailId, 16, "trail identity");

/// The last record of a chain: kept elsewhere, it shows later whether the end was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The record's sequence number.
    pub seq: u64,
    /// The hash of its line.
    pub hash: RecordHash,
}
