//! Which key: the SHA-256 of its public half.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    Error, Result,
    digest::{sha256, write_hex},
};

/// A key's name: the SHA-256 of its `SubjectPublicKeyInfo` in DER, which is what sigstore names keys by.
///
/// It prints as 64 lower-case hexadecimal characters. What `openssl pkey -pubin -outform DER | sha256sum` prints is
/// the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 32]);

impl KeyId {
    pub(super) fn of_spki_der(der: &[u8]) -> Self {
        Self(sha256(der))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyId({self})")
    }
}

/// From exactly 64 lower-case hexadecimal characters: the one way in which it prints.
impl FromStr for KeyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut bytes = [0; 32];
        let upper = text
            .chars()
            .position(|character| character.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => match upper {
                None => Ok(Self(bytes)),
                Some(index) => {
                    let c = text.chars().nth(index).unwrap_or_default();
                    let reason = hex::FromHexError::InvalidHexCharacter { c, index };
                    Err(Error::SigningKeyIdText { reason })
                }
            },
            Err(reason) => Err(Error::SigningKeyIdText { reason }),
        }
    }
}

/// As 64 hexadecimal characters.
impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_as_it_prints_and_in_no_other_way() {
        let id = KeyId::of_spki_der(b"any");
        let text = id.to_string();
        assert_eq!(text.parse::<KeyId>().unwrap(), id);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<KeyId>(&json).unwrap(), id);
        let bad = [&text.to_uppercase(), &text[1..], &text[2..], "", "é"];
        for bad in bad {
            let refused = bad.parse::<KeyId>();
            assert!(
                matches!(refused, Err(Error::SigningKeyIdText { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_name_shows_its_bytes() {
        let id = KeyId([0xab; 32]);

        assert_eq!(id.as_bytes(), &[0xab; 32]);
        assert_eq!(format!("{id:?}"), format!("KeyId({})", "ab".repeat(32)));
    }
}
