//! The seal tag: HMAC-SHA256 over the record.

use std::{fmt, str::FromStr};

use constant_time_eq::constant_time_eq_32;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    Error, Result, SealKey, SealRecord,
    digest::write_hex,
    hmac::{ComputedTag, hmac_sha256},
};

/// A tag as it is stored beside its record, and received: public, and not yet believed.
///
/// It compares in constant time and prints as 64 hexadecimal characters. It is never all zeros.
#[derive(Clone, Copy)]
pub struct SealTag([u8; 32]);

impl SealTag {
    /// A tag as received.
    ///
    /// # Errors
    /// [`Error::TagLength`] unless there are exactly 32 bytes, [`Error::TagZero`] if all are zero.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let bytes: [u8; 32] = bytes
            .try_into()
            .map_err(|_| Error::TagLength { found: bytes.len() })?;
        if bytes == [0; 32] {
            return Err(Error::TagZero);
        }
        Ok(Self(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// In constant time: how long it takes says nothing about where two tags differ.
impl PartialEq for SealTag {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq_32(&self.0, &other.0)
    }
}

impl Eq for SealTag {}

/// Lower-case hexadecimal.
impl fmt::Display for SealTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl fmt::Debug for SealTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SealTag({self})")
    }
}

/// From 64 hexadecimal characters of either case.
impl FromStr for SealTag {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::from_bytes(&hex::decode(text).map_err(|reason| Error::TagText { reason })?)
    }
}

/// As 64 hexadecimal characters.
impl Serialize for SealTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SealTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

/// A record whose tag was right: only [`verify`] makes one.
///
/// Code that relies on a record having been sealed asks for this type instead of the record.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedSeal<'r>(&'r SealRecord);

impl<'r> VerifiedSeal<'r> {
    /// The record that was sealed.
    #[must_use]
    pub const fn record(self) -> &'r SealRecord {
        self.0
    }
}

/// A record and the tag received with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedRecord {
    /// What was sealed.
    pub record: SealRecord,
    /// The tag over it.
    pub tag: SealTag,
}

impl SealedRecord {
    /// Signs a record, after putting the key's name into it.
    ///
    /// # Errors
    /// As [`sign`].
    pub fn seal(key: &SealKey, mut record: SealRecord) -> Result<Self> {
        record.key_id = key.id();
        let tag = sign(key, &record)?;
        Ok(Self { record, tag })
    }

    /// Checks the tag, as [`verify`] does.
    ///
    /// # Errors
    /// [`Error::TagMismatch`] when record, tag or key is not what was sealed with.
    pub fn verify(&self, key: &SealKey) -> Result<VerifiedSeal<'_>> {
        verify(key, &self.record, &self.tag)
    }
}

/// Signs a record: HMAC-SHA256 over its canonical encoding.
///
/// The record has to name this key: [`verify`] refuses it otherwise. [`SealedRecord::seal`] sees to it.
///
/// # Errors
/// [`Error::Secret`] in a process that was forked from the one that has the key.
pub fn sign(key: &SealKey, record: &SealRecord) -> Result<SealTag> {
    // The key's holder asked for this record to be sealed: its tag may be known.
    Ok(SealTag(compute(key, record)?.publish()))
}

/// Checks that a tag was made for this record with this key, in constant time.
///
/// # Errors
/// [`Error::TagMismatch`] when record, tag or key is not what was sealed with. The right tag is
/// not told. [`Error::KeyIdOther`] when the tag is right and the record names another key.
pub fn verify<'r>(
    key: &SealKey,
    record: &'r SealRecord,
    received: &SealTag,
) -> Result<VerifiedSeal<'r>> {
    if !compute(key, record)?.is(&received.0) {
        return Err(Error::TagMismatch);
    }
    if record.key_id != key.id() {
        return Err(Error::KeyIdOther {
            named: record.key_id,
            found: key.id(),
        });
    }
    Ok(VerifiedSeal(record))
}

fn compute(key: &SealKey, record: &SealRecord) -> Result<ComputedTag> {
    Ok(hmac_sha256(key.expose_to_hmac()?, &record.encode()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeviceId, Digest, Token, VerityDigest, record::sample};

    fn key() -> SealKey {
        SealKey::from_bytes(&[0x42; 32]).unwrap()
    }

    fn refused(key: &SealKey, record: &SealRecord, tag: &SealTag) {
        assert!(matches!(verify(key, record, tag), Err(Error::TagMismatch)));
    }

    /// Covers: FN-2.4, CI-001.
    #[test]
    fn test_compute_signature_valid_inputs() {
        let record = sample::full();
        let tag = sign(&key(), &record).unwrap();
        // It is HMAC-SHA256, which the RFC 4231 vectors go through, of the canonical encoding.
        assert_eq!(
            tag.as_bytes(),
            &hmac_sha256(&[0x42; 32], &record.encode()).publish()
        );
        assert_eq!(tag, sign(&key(), &record).unwrap(), "it is deterministic");
        let verified = verify(&key(), &record, &tag).unwrap();
        assert_eq!(verified.record(), &record);

        let hi_there = hmac_sha256(&[0x0b; 20], b"Hi There").publish();
        let rfc_4231 = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(hex::encode(hi_there), rfc_4231);
        assert!(matches!(
            SealKey::from_bytes(&[7; 31]),
            Err(Error::KeyTooShort { .. })
        ));
    }

    /// Covers: CI-002.
    #[test]
    fn test_signature_different_for_different_shards() {
        let base = sign(&key(), &sample::full()).unwrap();
        let mut tags = vec![base];
        for (name, record) in sample::variations() {
            let tag = sign(&key(), &record).unwrap();
            assert!(!tags.contains(&tag), "{name}");
            refused(&key(), &record, &base);
            tags.push(tag);
        }
        // The format's version is signed too.
        let mut encoding = sample::full().encode();
        encoding[8] ^= 1;
        assert!(!hmac_sha256(&[0x42; 32], &encoding).is(base.as_bytes()));
    }

    /// Covers: EX-2.1.
    #[test]
    fn test_verify_signature_tampered_digest_rejected() {
        let record = sample::full();
        let tag = sign(&key(), &record).unwrap();
        for bit in 0..256 {
            let flip = |bytes: &[u8; 32]| {
                let mut bytes = *bytes;
                bytes[bit / 8] ^= 1 << (bit % 8);
                bytes
            };
            let verity = VerityDigest::from_bytes(flip(record.verity.as_bytes()));
            refused(
                &key(),
                &SealRecord {
                    verity,
                    ..record.clone()
                },
                &tag,
            );
            let content = Some(Digest::from_bytes(flip(record.content.unwrap().as_bytes())));
            refused(
                &key(),
                &SealRecord {
                    content,
                    ..record.clone()
                },
                &tag,
            );
        }
        verify(&key(), &record, &tag).unwrap();
    }

    /// Covers: CI-002.
    #[test]
    fn every_flipped_bit_of_an_encoding_breaks_its_tag() {
        let encoding = sample::full().encode();
        let tag = sign(&key(), &sample::full()).unwrap();
        for bit in 0..encoding.len() * 8 {
            let mut changed = encoding.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!hmac_sha256(&[0x42; 32], &changed).is(tag.as_bytes()));
            match SealRecord::decode(&changed) {
                Ok(record) => refused(&key(), &record, &tag),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }

    /// Covers: EX-2.2, VU-2.
    #[test]
    fn test_verify_signature_wrong_key_rejected() {
        let record = sample::full();
        let tag = sign(&key(), &record).unwrap();
        for bit in 0..256 {
            let mut bytes = [0x42; 32];
            bytes[bit / 8] ^= 1 << (bit % 8);
            refused(&SealKey::from_bytes(&bytes).unwrap(), &record, &tag);
        }
        refused(&SealKey::from_bytes(&[0x42; 33]).unwrap(), &record, &tag);

        // Nor does another worker's or another device's key do.
        let token = Token::new(&[9; 32]).unwrap();
        let derive = |worker: &str, simulated| {
            let device = DeviceId {
                simulated,
                ..record.device
            };
            SealKey::derive(&token, &worker.parse().unwrap(), &device).unwrap()
        };
        let SealedRecord { record, tag } =
            SealedRecord::seal(&derive("worker-0", false), record.clone()).unwrap();
        verify(&derive("worker-0", false), &record, &tag).unwrap();
        refused(&derive("worker-1", false), &record, &tag);
        refused(&derive("worker-0", true), &record, &tag);
    }

    /// Covers: VU-2.
    #[test]
    fn a_record_that_names_another_key_is_refused_however_it_was_signed() {
        let other = SealKey::from_bytes(&[0x43; 32]).unwrap();
        let record = SealRecord {
            key_id: other.id(),
            ..sample::full()
        };
        let tag = sign(&key(), &record).unwrap();
        let error = verify(&key(), &record, &tag).unwrap_err();
        assert!(matches!(error, Error::KeyIdOther { named, found }
            if named == other.id() && found == key().id()));
        refused(&other, &record, &tag);

        let sealed = SealedRecord::seal(&key(), record).unwrap();
        assert_eq!(sealed.record.key_id, key().id());
        sealed.verify(&key()).unwrap();
    }

    /// Covers: EX-2.2.
    #[test]
    fn swapped_tags_are_refused() {
        let (one, other) = (sample::full(), sample::minimal());
        let (one_tag, other_tag) = (sign(&key(), &one).unwrap(), sign(&key(), &other).unwrap());
        refused(&key(), &one, &other_tag);
        refused(&key(), &other, &one_tag);
    }

    /// Covers: EX-2.2.
    #[test]
    fn truncated_and_extended_tags_are_refused() {
        let tag = *sign(&key(), &sample::full()).unwrap().as_bytes();
        let long = [&tag[..], &[0]].concat();
        for bytes in [&[][..], &tag[..1], &tag[..16], &tag[..31], &long] {
            let error = SealTag::from_bytes(bytes).unwrap_err();
            assert!(matches!(error, Error::TagLength { found } if found == bytes.len()));
            assert!(matches!(
                hex::encode(bytes).parse::<SealTag>(),
                Err(Error::TagLength { .. })
            ));
        }
    }

    /// Covers: EX-2.2.
    #[test]
    fn a_zero_tag_is_refused() {
        assert!(matches!(SealTag::from_bytes(&[0; 32]), Err(Error::TagZero)));
        assert!(matches!(
            "0".repeat(64).parse::<SealTag>(),
            Err(Error::TagZero)
        ));
        let mut almost = [0; 32];
        almost[31] = 1;
        refused(
            &key(),
            &sample::full(),
            &SealTag::from_bytes(&almost).unwrap(),
        );
    }

    #[test]
    fn a_tag_prints_and_reads_as_hexadecimal() {
        let tag = sign(&key(), &sample::full()).unwrap();
        let text = hex::encode(tag.as_bytes());
        assert_eq!(
            (tag.to_string(), format!("{tag:?}")),
            (text.clone(), format!("SealTag({text})"))
        );
        assert_eq!(text.to_uppercase().parse::<SealTag>().unwrap(), tag);
        let json = serde_json::to_string(&tag).unwrap();
        assert_eq!(serde_json::from_str::<SealTag>(&json).unwrap(), tag);
        for bad in ["xyz", "abc", "é"] {
            assert!(matches!(bad.parse::<SealTag>(), Err(Error::TagText { .. })));
        }
    }

    #[test]
    fn a_sealed_record_is_verified_as_its_parts_are() {
        let mut sealed = SealedRecord::seal(&key(), sample::minimal()).unwrap();
        assert_eq!(sealed.tag, sign(&key(), &sample::minimal()).unwrap());
        assert_eq!(sealed.verify(&key()).unwrap().record(), &sample::minimal());
        sealed.record.size += 1;
        assert!(matches!(sealed.verify(&key()), Err(Error::TagMismatch)));
    }
}
