//! Random records: one encoding each, and no change to one goes unseen.

use proptest::{prelude::*, sample::Index};
use vram_seal::{
    DeviceId, Digest, Error, ExpectedFrom, Freezing, ModelRef, SealKey, SealKeyId, SealRecord,
    SealTag, SealedRecord, SetPosition, ShardId, VerityDigest, sign, verify,
};

fn shard_id() -> impl Strategy<Value = ShardId> {
    "[a-zA-Z0-9_:-](\\.?[a-zA-Z0-9_:-]){0,127}".prop_map(|id| id.parse().unwrap())
}

fn model() -> impl Strategy<Value = ModelRef> {
    "\\PC{1,64}".prop_filter_map("shown where it stands", |text| text.parse().ok())
}

fn position() -> impl Strategy<Value = SetPosition> {
    (1..=u32::MAX)
        .prop_flat_map(|total| (0..total, Just(total)))
        .prop_map(|(index, total)| SetPosition::new(index, total).unwrap())
}

prop_compose! {
    pub(crate) fn record()(
        shard_id in shard_id(),
        size in any::<u64>(),
        content in prop::option::of(any::<[u8; 32]>()),
        verity in any::<[u8; 32]>(),
        uuid in any::<[u8; 16]>(),
        simulated in any::<bool>(),
        sealed_at_unix_nanos in any::<u64>(),
        mmu in any::<bool>(),
        position in prop::option::of(position()),
        model in prop::option::of(model()),
        nonce in any::<[u8; 16]>(),
        key_id in any::<[u8; 8]>(),
        expected_from in prop::sample::select(&ExpectedFrom::ALL),
    ) -> SealRecord {
        SealRecord {
            shard_id,
            size,
            content: content.map(Digest::from_bytes),
            verity: VerityDigest::from_bytes(verity),
            device: DeviceId { uuid, simulated },
            sealed_at_unix_nanos,
            freezing: if mmu { Freezing::Mmu } else { Freezing::Software },
            position,
            model,
            nonce,
            key_id: SealKeyId::from_bytes(key_id),
            expected_from,
        }
    }
}

/// The first record with the fields that `mask` names taken from the second.
fn mixed(one: &SealRecord, other: &SealRecord, mask: u16) -> SealRecord {
    let mut mixed = one.clone();
    let takes = |bit: u16| mask >> bit & 1 == 1;
    macro_rules! take {
        ($($bit:literal $field:ident),*) => {
            $(if takes($bit) { mixed.$field = other.$field.clone(); })*
        };
    }
    take!(
        0 shard_id, 1 size, 2 content, 3 verity, 4 device, 5 sealed_at_unix_nanos, 6 freezing,
        7 position, 8 model, 9 nonce, 10 key_id, 11 expected_from
    );
    mixed
}

fn key(byte: u8) -> SealKey {
    SealKey::from_bytes(&[byte; 32]).unwrap()
}

proptest! {
    #[test]
    fn decoding_gives_back_what_was_encoded(record in record()) {
        prop_assert_eq!(SealRecord::decode(&record.encode()).unwrap(), record);
    }

    #[test]
    fn json_gives_back_what_was_written(record in record()) {
        let sealed = SealedRecord::seal(&key(1), record).unwrap();
        let json = serde_json::to_string(&sealed).unwrap();
        prop_assert_eq!(serde_json::from_str::<SealedRecord>(&json).unwrap(), sealed);
    }

    /// Covers: CI-002.
    #[test]
    fn records_share_an_encoding_or_a_tag_only_if_equal(
        one in record(),
        other in record(),
        mask in 0..1_u16 << 12,
    ) {
        let mixed = mixed(&one, &other, mask);
        prop_assert_eq!(one.encode() == mixed.encode(), one == mixed);
        prop_assert_eq!(sign(&key(1), &one).unwrap() == sign(&key(1), &mixed).unwrap(), one == mixed);
    }

    #[test]
    fn a_flipped_bit_of_an_encoding_is_refused_or_another_record(
        record in record(),
        at in any::<Index>(),
        bit in 0..8,
    ) {
        let tag = sign(&key(1), &record).unwrap();
        let mut encoding = record.encode();
        let at = at.index(encoding.len());
        encoding[at] ^= 1_u8 << bit;
        if let Ok(other) = SealRecord::decode(&encoding) {
            prop_assert_ne!(&other, &record);
            // What was read is what was written: nothing else decodes to it.
            prop_assert_eq!(other.encode(), encoding);
            prop_assert!(matches!(verify(&key(1), &other, &tag), Err(Error::TagMismatch)));
        }
    }

    /// Covers: CI-002.
    #[test]
    fn any_bytes_are_refused_or_the_encoding_of_what_was_read(
        record in record(),
        start in any::<Index>(),
        junk in prop::collection::vec(any::<u8>(), 0..24),
    ) {
        let mut bytes = record.encode();
        let start = start.index(bytes.len());
        let end = (start + junk.len()).min(bytes.len());
        bytes.splice(start..end, junk);
        if let Ok(read) = SealRecord::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn a_cut_encoding_is_refused(record in record(), cut in any::<Index>()) {
        let encoding = record.encode();
        let cut = cut.index(encoding.len());
        prop_assert!(SealRecord::decode(&encoding[..cut]).is_err());
    }

    /// Covers: VU-2.
    #[test]
    fn a_flipped_bit_of_a_tag_is_refused(record in record(), at in 0..32_usize, bit in 0..8) {
        let mut tag = *sign(&key(1), &record).unwrap().as_bytes();
        tag[at] ^= 1_u8 << bit;
        let tag = SealTag::from_bytes(&tag).unwrap();
        prop_assert!(matches!(verify(&key(1), &record, &tag), Err(Error::TagMismatch)));
    }

    #[test]
    fn another_key_makes_another_tag(record in record(), one: [u8; 32], other: [u8; 32]) {
        let tag = |key: &[u8; 32]| sign(&SealKey::from_bytes(key).unwrap(), &record).unwrap();
        prop_assert_eq!(tag(&one) == tag(&other), one == other);
    }
}
