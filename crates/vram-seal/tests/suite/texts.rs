//! Ids, digests and challenges as text: what is printed is read again as the same, and nothing else is.

use proptest::prelude::*;
use std::time::{Duration, SystemTime};
use vram_seal::evidence::{Challenge, Timestamp};
use vram_seal::{
    DeviceId, Digest, ModelRef, Salt, SealKeyId, SealTag, SetRoot, ShardId, VerityDigest, WorkerId,
};

/// Text that is nearly a name: mostly of what names are made of.
fn nearly_a_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9_.:-]{0,260}",
        "[a-zA-Z0-9_.:/ -]{0,12}",
        "\\PC{0,12}",
        any::<String>(),
    ]
}

/// A text with one character put in the place of another.
fn edited(text: &str, at: prop::sample::Index, by: char) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let at = at.index(characters.len());
    characters[at] = by;
    characters.into_iter().collect()
}

proptest! {
    #[test]
    fn digests_are_read_as_they_are_printed(bytes: [u8; 32], short: [u8; 8]) {
        let (content, verity) = (Digest::from_bytes(bytes), VerityDigest::from_bytes(bytes));
        let root = SetRoot::from_bytes(bytes);
        prop_assert_eq!(content.to_string().parse::<Digest>().unwrap(), content);
        prop_assert_eq!(verity.to_string().parse::<VerityDigest>().unwrap(), verity);
        prop_assert_eq!(root.to_string().parse::<SetRoot>().unwrap(), root);
        let tag = SealTag::from_bytes(&bytes).unwrap();
        let read: SealTag = tag.to_string().parse().unwrap();
        prop_assert_eq!(read.as_bytes(), &bytes);
        let key = SealKeyId::from_bytes(short);
        prop_assert_eq!(key.to_string().parse::<SealKeyId>().unwrap(), key);
    }

    #[test]
    fn an_edited_digest_is_refused_or_another_one(bytes: [u8; 32], at: prop::sample::Index, by: char) {
        let digest = Digest::from_bytes(bytes);
        let text = digest.to_string();
        let edited = edited(&text, at, by);
        if let Ok(read) = edited.parse::<Digest>() {
            let same = edited.eq_ignore_ascii_case(&text);
            prop_assert_eq!(read == digest, same, "{}", edited);
        }
    }

    #[test]
    fn a_digest_of_another_length_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..70)) {
        let text = hex::encode(&bytes);
        prop_assert_eq!(text.parse::<Digest>().is_ok(), bytes.len() == 32);
        prop_assert_eq!(text.parse::<SealKeyId>().is_ok(), bytes.len() == 8);
        prop_assert_eq!(text.parse::<Challenge>().is_ok(), bytes.len() == 32 && bytes != [0; 32]);
        prop_assert_eq!(text.parse::<Salt>().is_ok(), bytes.len() <= 32);
    }

    #[test]
    fn challenges_and_salts_are_read_as_they_are_printed(bytes in prop::collection::vec(any::<u8>(), 1..=32)) {
        let salt = Salt::new(&bytes).unwrap();
        prop_assert_eq!(hex::encode(&bytes).parse::<Salt>().unwrap(), salt);
        if let Ok(challenge) = Challenge::from_bytes(&bytes) {
            let read: Challenge = challenge.to_string().parse().unwrap();
            prop_assert_eq!(read, challenge);
            let salt = read.salt();
            prop_assert_eq!(salt.as_bytes(), &bytes[..]);
            let json = serde_json::to_string(&challenge).unwrap();
            prop_assert_eq!(serde_json::from_str::<Challenge>(&json).unwrap(), challenge);
        }
    }

    #[test]
    fn devices_are_read_as_they_are_printed(uuid: [u8; 16], simulated: bool) {
        let device = DeviceId { uuid, simulated };
        prop_assert_eq!(device.to_string().parse::<DeviceId>().unwrap(), device);
    }

    #[test]
    fn an_edited_device_is_refused_or_another_one(uuid: [u8; 16], simulated: bool, at: prop::sample::Index, by: char) {
        let device = DeviceId { uuid, simulated };
        let text = device.to_string();
        let edited = edited(&text, at, by);
        if let Ok(read) = edited.parse::<DeviceId>() {
            prop_assert_eq!(read == device, edited.eq_ignore_ascii_case(&text), "{}", edited);
        }
    }

    #[test]
    fn names_are_taken_exactly_when_they_are_well_formed(text in nearly_a_name()) {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        let shard = text.parse::<ShardId>();
        let worker = text.parse::<WorkerId>();
        if let Ok(shard) = &shard {
            prop_assert_eq!(shard.as_str(), &text);
            prop_assert!((1..=256).contains(&text.len()) && text.bytes().all(allowed));
            prop_assert!(!text.contains(".."), "{} could be taken for a path", text);
        }
        prop_assert_eq!(worker.is_ok(), shard.is_ok());
        let plain = !text.contains('.') && text.bytes().all(allowed);
        if plain && (1..=256).contains(&text.len()) {
            prop_assert!(shard.is_ok(), "{}", text);
        }
    }

    #[test]
    fn a_model_is_read_as_it_is_printed(text in any::<String>()) {
        if let Ok(model) = text.parse::<ModelRef>() {
            prop_assert_eq!(model.as_str(), &text);
            prop_assert_eq!(model.to_string().parse::<ModelRef>().unwrap(), model);
        }
    }

    #[test]
    fn times_are_read_as_they_are_printed(seconds in 0..=253_402_207_200_u64, nanos in 0..1_000_000_000_u32) {
        let time = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
        let timestamp = Timestamp::try_from(time).unwrap();
        let read: Timestamp = timestamp.to_string().parse().unwrap();
        prop_assert_eq!(read, timestamp);
        prop_assert_eq!(SystemTime::from(read), time);
    }

    #[test]
    fn a_time_is_read_in_one_form_only(text in "[0-9TZ:. +-]{0,32}|\\PC{0,80}") {
        if let Ok(timestamp) = text.parse::<Timestamp>() {
            prop_assert_eq!(timestamp.to_string(), text);
        }
    }
}
