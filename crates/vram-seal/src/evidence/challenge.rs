//! What a verifier sends, so that what comes back can't be older.

use std::{fmt, str::FromStr};

use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Error, Result, Salt, digest::write_hex};

/// Exactly 32 bytes of fresh randomness, chosen by the verifier. It is public.
///
/// It is the fs-verity salt of the measurement that answers it. fs-verity pads a salt with zeros to the compression
/// block of 64 bytes, so `01` and `0100` leave the same state in front of every block, and only the length in the
/// descriptor tells their digests apart: whoever has the root of one has the answer to the other. Challenges of one
/// length can't be such a pair. A verifier with a nonce of another length sends its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Challenge([u8; Self::LEN]);

impl Challenge {
    /// How many bytes a challenge has: all that fs-verity's descriptor has room for.
    pub const LEN: usize = 32;

    /// A new challenge, of the system's randomness.
    ///
    /// # Errors
    /// [`Error::Randomness`] when the system gives none.
    pub fn generate() -> Result<Self> {
        let mut bytes = [0; Self::LEN];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| Error::Randomness)?;
        Self::from_bytes(&bytes)
    }

    /// A challenge as received.
    ///
    /// # Errors
    /// [`Error::ChallengeLength`] unless there are exactly 32 bytes, [`Error::ChallengeZero`] if all are zero: nobody
    /// chose those at random.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let bytes: [u8; Self::LEN] = bytes
            .try_into()
            .map_err(|_| Error::ChallengeLength { found: bytes.len() })?;
        if bytes == [0; Self::LEN] {
            return Err(Error::ChallengeZero);
        }
        Ok(Self(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The salt that a measurement for this challenge uses.
    #[must_use]
    pub fn salt(&self) -> Salt {
        Salt::full(self.0)
    }
}

/// Lower-case hexadecimal, as `fsverity digest --salt` takes it.
impl fmt::Display for Challenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Challenge({self})")
    }
}

/// From 64 hexadecimal characters of either case.
impl FromStr for Challenge {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::from_bytes(&hex::decode(text).map_err(|reason| Error::ChallengeText { reason })?)
    }
}

/// As 64 hexadecimal characters.
impl Serialize for Challenge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Challenge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HashPlan, hash_bytes};

    #[test]
    fn a_challenge_has_exactly_32_bytes() {
        for len in [0, 1, 16, 31, 33, 64] {
            assert!(matches!(
                Challenge::from_bytes(&vec![1; len]),
                Err(Error::ChallengeLength { found }) if found == len
            ));
        }
        let challenge = Challenge::from_bytes(&[0xab; 32]).unwrap();
        assert_eq!(challenge.to_string(), "ab".repeat(32));
        assert_eq!("AB".repeat(32).parse::<Challenge>().unwrap(), challenge);
        assert_eq!(challenge.salt(), Salt::new(&[0xab; 32]).unwrap());
        assert!(matches!(
            "zz".parse::<Challenge>(),
            Err(Error::ChallengeText { .. })
        ));
    }

    #[test]
    fn a_challenge_that_nobody_chose_is_refused() {
        assert!(matches!(
            "00".repeat(32).parse::<Challenge>(),
            Err(Error::ChallengeZero)
        ));
        assert_ne!(
            Challenge::generate().unwrap(),
            Challenge::generate().unwrap()
        );
    }

    /// Why the length is fixed: salts that differ in trailing zeros alone give one root.
    #[test]
    fn shorter_salts_would_share_a_root() {
        let root = |salt: &[u8]| {
            let measurement = hash_bytes(&[5; 10_000], HashPlan::VERITY, &Salt::new(salt).unwrap());
            measurement.verity.unwrap().root()
        };
        assert_eq!(root(&[1]), root(&[1, 0, 0]));
        let mut ends_in_zero = [1; 32];
        ends_in_zero[31] = 0;
        assert_ne!(root(&[1; 32]), root(&ends_in_zero));
    }

    #[test]
    fn a_challenge_shows_its_bytes() {
        let challenge = Challenge::from_bytes(&[0xab; 32]).unwrap();

        assert_eq!(challenge.as_bytes(), &[0xab; 32]);
        assert_eq!(
            format!("{challenge:?}"),
            format!("Challenge({})", "ab".repeat(32))
        );
    }
}
