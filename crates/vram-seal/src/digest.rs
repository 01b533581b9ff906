//! The kinds of SHA-256 value, told apart by type.
//!
//! All compare in constant time, and read and print as 64 hexadecimal characters.

use std::{fmt, str::FromStr};

use constant_time_eq::constant_time_eq_32;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Error, Result, Salt, verity::VerityHasher};

/// How many characters a digest has when printed.
const TEXT_LEN: usize = 64;

macro_rules! sha256_value {
    ($(#[$attribute:meta])* $name:ident, $what:literal) => {
        $(#[$attribute])*
        #[derive(Clone, Copy)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The value of these 32 bytes, most significant first.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes, most significant first.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        /// In constant time: how long it takes says nothing about where two values differ.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                constant_time_eq_32(&self.0, &other.0)
            }
        }

        impl Eq for $name {}

        /// Lower-case hexadecimal.
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, formatter)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self)
            }
        }

        /// From exactly 64 hexadecimal characters of either case.
        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                parse(text, $what).map(Self)
            }
        }

        /// As 64 hexadecimal characters.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

sha256_value! {
    /// A content digest: SHA-256 of all the bytes (FIPS 180-4), what `sha256sum` prints.
    Digest, "the content digest"
}
sha256_value! {
    /// A verity digest: what `fsverity digest` prints with SHA-256 and 4096-byte blocks.
    ///
    /// It is the SHA-256 of fs-verity's descriptor, which holds size, root hash and salt.
    VerityDigest, "the verity digest"
}
sha256_value! {
    /// The hash of one 4096-byte block of the tree: of a data block or of a block of hashes.
    BlockHash, "the block hash"
}

sha256_value! {
    /// The root of a set of shards: what [`ShardSet::root`](crate::ShardSet::root) computes.
    SetRoot, "the set root"
}

impl Digest {
    /// The content digest of `data`.
    ///
    /// ```
    /// # use vram_seal::Digest;
    /// assert_eq!(
    ///     Digest::of(b"abc").to_string(),
    ///     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    /// );
    /// ```
    #[must_use]
    pub fn of(data: &[u8]) -> Self {
        Self(sha256(data))
    }
}

impl VerityDigest {
    /// The verity digest of `data`, without salt.
    #[must_use]
    pub fn of(data: &[u8]) -> Self {
        let (measurement, _) = VerityHasher::new(&Salt::none()).finish(data);
        measurement.digest()
    }
}

/// SHA-256 of `data`.
pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    to_array(ring::digest::digest(&ring::digest::SHA256, data))
}

/// The 32 bytes of a finished SHA-256.
pub(crate) fn to_array(digest: ring::digest::Digest) -> [u8; 32] {
    let mut bytes = [0; 32];
    // SHA-256 gives 32 bytes, so the lengths agree.
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

/// Writes bytes in lower-case hexadecimal, without an allocation.
pub(crate) fn write_hex(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes
        .iter()
        .try_for_each(|byte| write!(formatter, "{byte:02x}"))
}

fn parse(text: &str, what: &'static str) -> Result<[u8; 32]> {
    let found = text.chars().count();
    if found != TEXT_LEN {
        return Err(Error::DigestLength { what, found });
    }
    if let Some((position, character)) = text
        .chars()
        .enumerate()
        .find(|(_, character)| !character.is_ascii_hexdigit())
    {
        return Err(Error::DigestCharacter {
            what,
            character,
            position,
        });
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| Error::DigestLength { what, found })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// Covers: IV-004.
    #[test]
    fn a_digest_reads_either_case_and_prints_lower_case() {
        let digest: Digest = ABC.to_uppercase().parse().unwrap();
        assert_eq!(digest, Digest::of(b"abc"));
        assert_eq!(digest.to_string(), ABC);
        assert_eq!(format!("{digest:?}"), format!("Digest({ABC})"));
    }

    /// Covers: IV-004.
    #[test]
    fn a_digest_of_another_length_is_refused_with_its_length() {
        for text in [
            "",
            &ABC[1..],
            &format!("{ABC}0"),
            &format!("{ABC}\n"),
            &format!("0x{ABC}"),
        ] {
            let error = text.parse::<Digest>().unwrap_err();
            let length = text.len();
            assert!(
                matches!(error, Error::DigestLength { found, .. } if found == length),
                "{error}"
            );
        }
    }

    /// Covers: IV-004.
    #[test]
    fn a_digest_with_another_character_is_refused_with_its_position() {
        for (at, bad) in [(0, 'g'), (17, ' '), (40, '\0'), (63, 'é')] {
            let text: String = ABC
                .chars()
                .enumerate()
                .map(|(i, c)| if i == at { bad } else { c })
                .collect();
            let error = text.parse::<VerityDigest>().unwrap_err();
            assert!(
                matches!(error, Error::DigestCharacter { character, position, .. }
                    if character == bad && position == at),
                "{error}"
            );
            assert!(
                error.to_string().starts_with("the verity digest holds"),
                "{error}"
            );
        }
    }

    #[test]
    fn digests_travel_through_json_as_hexadecimal() {
        let json = serde_json::to_string(&Digest::of(b"abc")).unwrap();
        assert_eq!(json, format!("\"{ABC}\""));
        assert_eq!(
            serde_json::from_str::<Digest>(&json).unwrap(),
            Digest::of(b"abc")
        );
        assert!(serde_json::from_str::<BlockHash>("\"ba78\"").is_err());
        assert!(serde_json::from_str::<BlockHash>("[1, 2]").is_err());
    }

    #[test]
    fn digests_of_nothing() {
        assert_eq!(
            Digest::of(b"").to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            VerityDigest::of(b"").to_string(),
            "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95"
        );
    }

    #[test]
    fn bytes_come_back_as_they_went_in() {
        let bytes: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        assert_eq!(VerityDigest::from_bytes(bytes).as_bytes(), &bytes);
        assert!(
            VerityDigest::from_bytes(bytes)
                .to_string()
                .starts_with("000102030405")
        );
    }

    /// Every byte counts in a comparison, so none ends early or looks at a part only. How long one
    /// takes is measured by `cargo xtask timing`.
    ///
    /// Covers: CI-003, VU-7.
    #[test]
    fn test_timing_safe_comparison() {
        let base = [0x5a; 32];
        let tag = crate::SealTag::from_bytes(&base).unwrap();
        for bit in 0..256 {
            let mut other = base;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(Digest::from_bytes(base), Digest::from_bytes(other));
            assert_ne!(
                VerityDigest::from_bytes(base),
                VerityDigest::from_bytes(other)
            );
            assert_ne!(BlockHash::from_bytes(base), BlockHash::from_bytes(other));
            assert_ne!(tag, crate::SealTag::from_bytes(&other).unwrap());
        }
        assert_ne!(Digest::from_bytes(base), Digest::from_bytes([0xa5; 32]));
        assert_eq!(Digest::from_bytes(base), Digest::from_bytes(base));
        assert_eq!(
            VerityDigest::from_bytes(base),
            VerityDigest::from_bytes(base)
        );
        assert_eq!(BlockHash::from_bytes(base), BlockHash::from_bytes(base));
        assert_eq!(tag, crate::SealTag::from_bytes(&base).unwrap());
    }
}
