//! Which seal key: a name that tells nothing of it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Error, Result, digest::write_hex, hmac::hmac_sha256};

/// What is authenticated to name a key. No seal record starts so.
const LABEL: &[u8] = b"vram-residency/key-id/v1";

/// A seal key's name: the first 8 bytes of HMAC-SHA256(key, `vram-residency/key-id/v1`).
///
/// It is public: every record that the key seals holds it. It tells keys apart, and nothing of what they are. It
/// prints as 16 lower-case hexadecimal characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealKeyId([u8; 8]);

impl SealKeyId {
    /// The name in these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The 8 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// The name of the key of these bytes.
    pub(crate) fn of_key(key: &[u8]) -> Self {
        let [b0, b1, b2, b3, b4, b5, b6, b7, ..] = hmac_sha256(key, LABEL).publish();
        Self([b0, b1, b2, b3, b4, b5, b6, b7])
    }
}

/// Lower-case hexadecimal.
impl fmt::Display for SealKeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl fmt::Debug for SealKeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealKeyId({self})")
    }
}

/// From exactly 16 hexadecimal characters of either case.
impl FromStr for SealKeyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut bytes = [0; 8];
        hex::decode_to_slice(text, &mut bytes).map_err(|reason| Error::KeyIdText { reason })?;
        Ok(Self(bytes))
    }
}

/// As 16 hexadecimal characters.
impl Serialize for SealKeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SealKeyId {
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
    fn a_name_is_the_start_of_the_hmac_of_its_label() {
        let whole = hmac_sha256(&[7; 32], b"vram-residency/key-id/v1").publish();
        assert_eq!(SealKeyId::of_key(&[7; 32]).as_bytes()[..], whole[..8]);
        assert_ne!(SealKeyId::of_key(&[7; 32]), SealKeyId::of_key(&[8; 32]));
    }

    #[test]
    fn a_name_prints_and_reads_as_hexadecimal() {
        let id = SealKeyId::from_bytes([0, 1, 0xab, 0xcd, 4, 5, 6, 0xff]);
        assert_eq!(
            (id.to_string(), format!("{id:?}")),
            (
                "0001abcd040506ff".to_owned(),
                "SealKeyId(0001abcd040506ff)".to_owned()
            )
        );
        assert_eq!("0001ABCD040506FF".parse::<SealKeyId>().unwrap(), id);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<SealKeyId>(&json).unwrap(), id);
        for bad in [
            "",
            "00",
            "0001abcd040506f",
            "0001abcd040506ff00",
            "000gabcd040506ff",
        ] {
            assert!(
                matches!(bad.parse::<SealKeyId>(), Err(Error::KeyIdText { .. })),
                "{bad}"
            );
        }
    }
}
