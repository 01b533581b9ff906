//! Records that the tests of several modules start from.

use super::{Freezing, SealRecord, SetPosition};
use crate::{DeviceId, Digest, ExpectedFrom, SealKeyId, VerityDigest};

/// A record in which every field is present and unlike any other, for the key of 32 bytes 0x42.
pub(crate) fn full() -> SealRecord {
    SealRecord {
        shard_id: "llama:8b_shard-1".parse().unwrap(),
        size: 0x1122_3344,
        content: Some(Digest::of(b"abc")),
        verity: VerityDigest::of(b"abc"),
        device: DeviceId {
            uuid: [0xd0; 16],
            simulated: false,
        },
        sealed_at_unix_nanos: 1_767_225_600_123_456_789,
        freezing: Freezing::Mmu,
        position: Some(SetPosition::new(1, 4).unwrap()),
        model: Some("models/llama-8b".parse().unwrap()),
        nonce: [0xe0; 16],
        key_id: SealKeyId::of_key(&[0x42; 32]),
        expected_from: ExpectedFrom::ChecksumFile,
    }
}

/// A record without what is optional.
pub(crate) fn minimal() -> SealRecord {
    SealRecord {
        content: None,
        position: None,
        model: None,
        ..full()
    }
}

/// The full record with one thing changed: every field, and every part of one, in turn.
pub(crate) fn variations() -> Vec<(&'static str, SealRecord)> {
    let change = |name, change: fn(&mut SealRecord)| {
        let mut record = full();
        change(&mut record);
        (name, record)
    };
    vec![
        change("shard id", |r| {
            r.shard_id = "llama:8b_shard-2".parse().unwrap();
        }),
        change("shard id's length", |r| {
            r.shard_id = "llama:8b_shard-".parse().unwrap();
        }),
        change("size", |r| r.size ^= 1),
        change("size's last byte", |r| r.size ^= 1 << 63),
        change("content digest", |r| r.content = Some(Digest::of(b"abd"))),
        change("no content digest", |r| r.content = None),
        change("verity digest", |r| r.verity = VerityDigest::of(b"abd")),
        change("device", |r| r.device.uuid[15] ^= 1),
        change("device's first byte", |r| r.device.uuid[0] ^= 0x80),
        change("device simulated", |r| r.device.simulated = true),
        change("time", |r| r.sealed_at_unix_nanos ^= 1),
        change("freezing", |r| r.freezing = Freezing::Software),
        change("index", |r| {
            r.position = Some(SetPosition::new(2, 4).unwrap());
        }),
        change("total", |r| {
            r.position = Some(SetPosition::new(1, 5).unwrap());
        }),
        change("no position", |r| r.position = None),
        change("model", |r| {
            r.model = Some("models/llama-9b".parse().unwrap());
        }),
        change("no model", |r| r.model = None),
        change("nonce", |r| r.nonce[7] ^= 0x10),
        change("key id", |r| {
            r.key_id = SealKeyId::from_bytes([0xc1; 8]);
        }),
        change("expected from", |r| {
            r.expected_from = ExpectedFrom::ModelSignature;
        }),
        change("nothing expected", |r| {
            r.expected_from = ExpectedFrom::None;
        }),
    ]
}
