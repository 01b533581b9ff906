//! Writing a seal record in its one form.

use super::{Field, Freezing, SealRecord};

/// What every record starts with.
pub(super) const MAGIC: [u8; 8] = *b"VRAMSEAL";

/// The version this module writes.
pub(super) const VERSION: u16 = 2;

pub(super) const FREEZING_MMU: u8 = 1;
pub(super) const FREEZING_SOFTWARE: u8 = 2;

/// Magic, version, the length of what follows, then each field as number, length and value.
pub(super) fn encode(record: &SealRecord) -> Vec<u8> {
    // Every field is named, so that a new one can't be forgotten here and stay unsigned.
    let SealRecord {
        shard_id,
        size,
        content,
        verity,
        device,
        sealed_at_unix_nanos,
        freezing,
        position,
        model,
        nonce,
        key_id,
        expected_from,
    } = record;

    let mut body = Vec::with_capacity(512);
    put(&mut body, Field::ShardId, &[shard_id.as_str().as_bytes()]);
    put(&mut body, Field::Size, &[&size.to_le_bytes()]);
    if let Some(content) = content {
        put(&mut body, Field::Content, &[content.as_bytes()]);
    }
    put(&mut body, Field::Verity, &[verity.as_bytes()]);
    put(
        &mut body,
        Field::Device,
        &[&device.uuid, &[u8::from(device.simulated)]],
    );
    put(
        &mut body,
        Field::SealedAt,
        &[&sealed_at_unix_nanos.to_le_bytes()],
    );
    let freezing = match freezing {
        Freezing::Mmu => FREEZING_MMU,
        Freezing::Software => FREEZING_SOFTWARE,
    };
    put(&mut body, Field::Freezing, &[&[freezing]]);
    if let Some(position) = position {
        let (index, total) = (
            position.index().to_le_bytes(),
            position.total().to_le_bytes(),
        );
        put(&mut body, Field::Position, &[&index, &total]);
    }
    if let Some(model) = model {
        put(&mut body, Field::Model, &[model.as_str().as_bytes()]);
    }
    put(&mut body, Field::Nonce, &[nonce]);
    put(&mut body, Field::KeyId, &[key_id.as_bytes()]);
    put(&mut body, Field::ExpectedFrom, &[&[expected_from.number()]]);

    [
        &MAGIC[..],
        &VERSION.to_le_bytes(),
        &length(body.len()),
        &body,
    ]
    .concat()
}

fn put(body: &mut Vec<u8>, field: Field, value: &[&[u8]]) {
    body.extend_from_slice(&field.number().to_le_bytes());
    body.extend_from_slice(&length(value.iter().map(|part| part.len()).sum()));
    for part in value {
        body.extend_from_slice(part);
    }
}

/// A length as it is written. Every field's type bounds its value far below 4 GiB.
fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use crate::record::sample;

    #[test]
    fn the_header_holds_magic_version_and_length() {
        let encoding = sample::full().encode();
        assert_eq!(encoding[..10], *b"VRAMSEAL\x02\x00");
        let body_len = u32::from_le_bytes(encoding[10..14].try_into().unwrap());
        assert_eq!(body_len as usize, encoding.len() - 14);
    }

    /// Covers: CI-002.
    #[test]
    fn every_field_is_encoded() {
        let encoding = sample::full().encode();
        for (name, record) in sample::variations() {
            assert_ne!(record.encode(), encoding, "{name}");
        }
    }
}
