//! The vectors of `docs/spec/seal-format.md`, read from that page.

use std::{fs, path::Path};

use serde::Deserialize;

use crate::{
    DeviceId, SealKey, SealKeyId, SealRecord, SealTag, Token, WorkerId, hmac::hmac_sha256,
    key::seal_key_info, sign, verify,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    keys: Vec<KeyVector>,
    seals: Vec<SealVector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyVector {
    #[serde(with = "hex::serde")]
    token: Vec<u8>,
    worker: WorkerId,
    device: DeviceId,
    #[serde(with = "hex::serde")]
    info: Vec<u8>,
    #[serde(with = "hex::serde")]
    key: Vec<u8>,
    key_id: SealKeyId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SealVector {
    record: SealRecord,
    #[serde(with = "hex::serde")]
    key: Vec<u8>,
    #[serde(with = "hex::serde")]
    encoding: Vec<u8>,
    tag: SealTag,
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/seal-format.md");
    fs::read_to_string(path).unwrap()
}

/// What stands between a fence of this language and its end.
fn fenced(page: &str, language: &str) -> String {
    let (_, block) = page.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

fn vectors() -> Vectors {
    serde_json::from_str(&fenced(&page(), "json")).unwrap()
}

/// Covers: CI-005.
#[test]
fn keys_are_derived_as_the_page_says() {
    let keys = vectors().keys;
    assert_eq!(keys.len(), 3);
    for vector in keys {
        assert_eq!(seal_key_info(&vector.worker, &vector.device), vector.info);
        let token = Token::new(&vector.token).unwrap();
        let key = SealKey::derive(&token, &vector.worker, &vector.device).unwrap();
        assert_eq!(key.expose_to_hmac().unwrap(), vector.key);
        assert_eq!(key.id(), vector.key_id);
    }
}

/// Covers: FN-2.4.
#[test]
fn records_are_encoded_and_signed_as_the_page_says() {
    let seals = vectors().seals;
    assert_eq!(seals.len(), 2);
    for vector in seals {
        assert_eq!(
            hex::encode(vector.record.encode()),
            hex::encode(&vector.encoding)
        );
        assert_eq!(SealRecord::decode(&vector.encoding).unwrap(), vector.record);
        assert!(hmac_sha256(&vector.key, &vector.encoding).is(vector.tag.as_bytes()));
        let key = SealKey::from_bytes(&vector.key).unwrap();
        assert_eq!(sign(&key, &vector.record).unwrap(), vector.tag);
        verify(&key, &vector.record, &vector.tag).unwrap();
    }
}

#[test]
fn the_record_shown_byte_by_byte_is_the_first_vector() {
    let mut shown = Vec::new();
    for line in fenced(&page(), "text")
        .lines()
        .filter(|line| !line.is_empty())
    {
        // An offset, bytes up to column 52, and words.
        let offset = line[..3].trim();
        if !offset.is_empty() {
            assert_eq!(offset.parse::<usize>().unwrap(), shown.len(), "{line}");
        }
        let bytes = line.get(5..52).unwrap_or(&line[5..]);
        shown.extend(
            bytes
                .split_whitespace()
                .map_while(|byte| hex::decode(byte).ok())
                .flatten(),
        );
    }
    assert_eq!(
        hex::encode(shown),
        hex::encode(&vectors().seals[0].encoding)
    );
}
