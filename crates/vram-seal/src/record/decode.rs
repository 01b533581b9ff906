//! Reading a seal record, strictly.

use super::{
    Field, Freezing, SealRecord, SetPosition,
    encode::{FREEZING_MMU, FREEZING_SOFTWARE, MAGIC, VERSION},
};
use crate::{DeviceId, Digest, Error, ExpectedFrom, Result, SealKeyId, VerityDigest};

/// What is left to be read.
struct Input<'b>(&'b [u8]);

impl<'b> Input<'b> {
    fn take(&mut self, needed: usize, within: &'static str) -> Result<&'b [u8]> {
        let available = self.0.len();
        let (taken, rest) = self
            .0
            .split_at_checked(needed)
            .ok_or(Error::RecordTruncated {
                within,
                needed,
                available,
            })?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, within: &'static str) -> Result<[u8; N]> {
        let available = self.0.len();
        let (taken, rest) = self.0.split_first_chunk().ok_or(Error::RecordTruncated {
            within,
            needed: N,
            available,
        })?;
        self.0 = rest;
        Ok(*taken)
    }

    /// A length as it was written. What does not fit this machine's memory is longer than what is
    /// left.
    fn length(&mut self, within: &'static str) -> Result<usize> {
        let length = u32::from_le_bytes(self.array(within)?);
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }
}

/// The fields that were found, each at most once and in ascending order.
#[derive(Default)]
struct Found<'b> {
    values: Vec<(Field, &'b [u8])>,
}

impl<'b> Found<'b> {
    fn add(&mut self, field: Field, value: &'b [u8]) -> Result<()> {
        match self.values.last() {
            Some(&(after, _)) if field <= after => {
                // A field that was there already is named as such, wherever it comes again.
                if self.optional(field).is_some() {
                    return Err(Error::RecordFieldRepeated { field });
                }
                return Err(Error::RecordFieldOrder { field, after });
            }
            _ => {}
        }
        self.values.push((field, value));
        Ok(())
    }

    fn optional(&self, wanted: Field) -> Option<&'b [u8]> {
        self.values
            .iter()
            .find(|(field, _)| *field == wanted)
            .map(|&(_, value)| value)
    }

    fn required(&self, field: Field) -> Result<&'b [u8]> {
        self.optional(field)
            .ok_or(Error::RecordFieldMissing { field })
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<SealRecord> {
    let mut input = Input(bytes);
    if !bytes.starts_with(&MAGIC) {
        return Err(Error::RecordMagic);
    }
    input.take(MAGIC.len(), "the header")?;
    let found = u16::from_le_bytes(input.array("the header")?);
    if found != VERSION {
        return Err(Error::RecordVersion {
            found,
            supported: VERSION,
        });
    }
    let body_len = input.length("the header")?;
    let mut body = Input(input.take(body_len, "the body")?);
    if !input.0.is_empty() {
        return Err(Error::RecordTrailing {
            extra: input.0.len(),
        });
    }

    let mut fields = Found::default();
    while !body.0.is_empty() {
        let number = u16::from_le_bytes(body.array("a field's number")?);
        let field = Field::of_number(number).ok_or(Error::RecordFieldUnknown { number })?;
        let len = body.length(field.name())?;
        fields.add(field, body.take(len, field.name())?)?;
    }

    Ok(SealRecord {
        shard_id: text(Field::ShardId, fields.required(Field::ShardId)?)?.parse()?,
        size: u64::from_le_bytes(exact(Field::Size, fields.required(Field::Size)?, "8")?),
        content: fields
            .optional(Field::Content)
            .map(|value| exact(Field::Content, value, "32").map(Digest::from_bytes))
            .transpose()?,
        verity: exact(Field::Verity, fields.required(Field::Verity)?, "32")
            .map(VerityDigest::from_bytes)?,
        device: device(fields.required(Field::Device)?)?,
        sealed_at_unix_nanos: u64::from_le_bytes(exact(
            Field::SealedAt,
            fields.required(Field::SealedAt)?,
            "8",
        )?),
        freezing: freezing(fields.required(Field::Freezing)?)?,
        position: fields.optional(Field::Position).map(position).transpose()?,
        model: fields
            .optional(Field::Model)
            .map(|value| text(Field::Model, value)?.parse())
            .transpose()?,
        nonce: exact(Field::Nonce, fields.required(Field::Nonce)?, "16")?,
        key_id: exact(Field::KeyId, fields.required(Field::KeyId)?, "8")
            .map(SealKeyId::from_bytes)?,
        expected_from: expected_from(fields.required(Field::ExpectedFrom)?)?,
    })
}

/// The value as an array of just its length.
fn exact<const N: usize>(field: Field, value: &[u8], expected: &'static str) -> Result<[u8; N]> {
    let found = value.len();
    value.try_into().map_err(|_| Error::RecordFieldLength {
        field,
        found,
        expected,
    })
}

fn text(field: Field, value: &[u8]) -> Result<&str> {
    str::from_utf8(value).map_err(|error| Error::RecordFieldUtf8 {
        field,
        valid_up_to: error.valid_up_to(),
    })
}

fn device(value: &[u8]) -> Result<DeviceId> {
    let [uuid @ .., simulated]: [u8; 17] = exact(Field::Device, value, "17")?;
    let simulated = match simulated {
        0 => false,
        1 => true,
        found => {
            return Err(Error::RecordFieldValue {
                field: Field::Device,
                found,
            });
        }
    };
    Ok(DeviceId { uuid, simulated })
}

fn freezing(value: &[u8]) -> Result<Freezing> {
    match exact(Field::Freezing, value, "1")? {
        [FREEZING_MMU] => Ok(Freezing::Mmu),
        [FREEZING_SOFTWARE] => Ok(Freezing::Software),
        [found] => Err(Error::RecordFieldValue {
            field: Field::Freezing,
            found,
        }),
    }
}

fn expected_from(value: &[u8]) -> Result<ExpectedFrom> {
    let [found] = exact(Field::ExpectedFrom, value, "1")?;
    ExpectedFrom::of_number(found).ok_or(Error::RecordFieldValue {
        field: Field::ExpectedFrom,
        found,
    })
}

fn position(value: &[u8]) -> Result<SetPosition> {
    let [i0, i1, i2, i3, t0, t1, t2, t3] = exact(Field::Position, value, "8")?;
    SetPosition::new(
        u32::from_le_bytes([i0, i1, i2, i3]),
        u32::from_le_bytes([t0, t1, t2, t3]),
    )
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests compute on known values"
)]
mod tests {
    use super::*;
    use crate::record::sample;

    /// The fields of an encoding, to be put together otherwise.
    fn fields(record: &SealRecord) -> Vec<(u16, Vec<u8>)> {
        let encoding = record.encode();
        let mut rest = &encoding[14..];
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let number = u16::from_le_bytes([rest[0], rest[1]]);
            let len = u32::from_le_bytes(rest[2..6].try_into().unwrap()) as usize;
            fields.push((number, rest[6..6 + len].to_vec()));
            rest = &rest[6 + len..];
        }
        fields
    }

    fn assemble(fields: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (number, value) in fields {
            body.extend_from_slice(&number.to_le_bytes());
            body.extend_from_slice(&(value.len() as u32).to_le_bytes());
            body.extend_from_slice(value);
        }
        [
            &b"VRAMSEAL\x02\x00"[..],
            &(body.len() as u32).to_le_bytes(),
            &body,
        ]
        .concat()
    }

    fn refused(fields: &[(u16, Vec<u8>)]) -> Error {
        decode(&assemble(fields)).unwrap_err()
    }

    /// The full record with one field's value replaced.
    fn with(field: Field, value: &[u8]) -> Vec<(u16, Vec<u8>)> {
        let mut fields = fields(&sample::full());
        fields[usize::from(field.number()) - 1].1 = value.to_vec();
        fields
    }

    #[test]
    fn what_was_encoded_comes_back() {
        for record in [sample::full(), sample::minimal()] {
            assert_eq!(assemble(&fields(&record)), record.encode());
            assert_eq!(decode(&record.encode()).unwrap(), record);
        }
        for (name, record) in sample::variations() {
            assert_eq!(decode(&record.encode()).unwrap(), record, "{name}");
        }
    }

    #[test]
    fn other_bytes_are_no_record() {
        for bytes in [&b""[..], b"VRAMSEA", b"vramseal\x01\x00", &[0; 64]] {
            assert!(matches!(decode(bytes), Err(Error::RecordMagic)));
        }
    }

    #[test]
    fn another_version_is_refused() {
        let mut encoding = sample::full().encode();
        for version in [0_u16, 1, 3, 256, u16::MAX] {
            encoding[8..10].copy_from_slice(&version.to_le_bytes());
            assert!(
                matches!(decode(&encoding), Err(Error::RecordVersion { found, supported: 2 })
                if found == version)
            );
        }
    }

    #[test]
    fn every_cut_is_refused() {
        let encoding = sample::full().encode();
        for len in 0..encoding.len() {
            let error = decode(&encoding[..len]).unwrap_err();
            if len < 8 {
                assert!(matches!(error, Error::RecordMagic), "{len}: {error}");
            } else {
                assert!(
                    matches!(error, Error::RecordTruncated { .. }),
                    "{len}: {error}"
                );
            }
        }
    }

    #[test]
    fn a_field_that_reaches_past_the_end_is_refused() {
        let mut encoding = sample::full().encode();
        // One byte is last: its length stands 5 bytes before the end.
        let at = encoding.len() - 5;
        for len in [2_u32, u32::MAX] {
            encoding[at..at + 4].copy_from_slice(&len.to_le_bytes());
            assert!(matches!(
                decode(&encoding),
                Err(Error::RecordTruncated {
                    within: "expected_from",
                    available: 1,
                    ..
                })
            ));
        }
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut encoding = sample::full().encode();
        encoding.extend_from_slice(&[0, 0, 0]);
        assert!(matches!(
            decode(&encoding),
            Err(Error::RecordTrailing { extra: 3 })
        ));
    }

    #[test]
    fn unknown_fields_are_refused() {
        for number in [0, 13, 0x0101, u16::MAX] {
            let mut fields = fields(&sample::full());
            fields.push((number, vec![]));
            assert!(
                matches!(refused(&fields), Error::RecordFieldUnknown { number: n }
                if n == number)
            );
        }
    }

    #[test]
    fn each_required_field_is_missed_by_name() {
        for field in Field::ALL {
            let mut fields = fields(&sample::full());
            fields.remove(usize::from(field.number()) - 1);
            let result = decode(&assemble(&fields));
            if matches!(field, Field::Content | Field::Position | Field::Model) {
                assert!(result.is_ok(), "{field}");
            } else {
                assert!(matches!(result, Err(Error::RecordFieldMissing { field: f })
                    if f == field));
            }
        }
    }

    #[test]
    fn each_repeated_field_is_refused_by_name() {
        for field in Field::ALL {
            let at = usize::from(field.number()) - 1;
            for insert_at in [at, 12] {
                let mut fields = fields(&sample::full());
                let again = fields[at].clone();
                fields.insert(insert_at, again);
                assert!(
                    matches!(refused(&fields), Error::RecordFieldRepeated { field: f }
                    if f == field)
                );
            }
        }
    }

    #[test]
    fn fields_out_of_order_are_refused_by_name() {
        for at in 0..11 {
            let mut fields = fields(&sample::full());
            fields.swap(at, at + 1);
            assert!(
                matches!(refused(&fields), Error::RecordFieldOrder { field, after }
                if field == Field::ALL[at] && after == Field::ALL[at + 1])
            );
        }
    }

    #[test]
    fn values_of_another_length_are_refused_by_name() {
        let fixed = [
            (Field::Size, 8),
            (Field::Content, 32),
            (Field::Verity, 32),
            (Field::Device, 17),
            (Field::SealedAt, 8),
            (Field::Freezing, 1),
            (Field::Position, 8),
            (Field::Nonce, 16),
            (Field::KeyId, 8),
            (Field::ExpectedFrom, 1),
        ];
        for (field, len) in fixed {
            for wrong in [0, len - 1, len + 1] {
                let error = refused(&with(field, &vec![0; wrong]));
                assert!(
                    matches!(error, Error::RecordFieldLength { field: f, found, expected }
                        if f == field && found == wrong && expected == len.to_string()),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn values_without_a_meaning_are_refused_by_name() {
        for found in [0, 3, 255] {
            let error = refused(&with(Field::Freezing, &[found]));
            assert!(
                matches!(error, Error::RecordFieldValue { field: Field::Freezing, found: f }
                if f == found)
            );
        }
        for found in [0, 7, 255] {
            let error = refused(&with(Field::ExpectedFrom, &[found]));
            assert!(
                matches!(error, Error::RecordFieldValue { field: Field::ExpectedFrom, found: f }
                if f == found)
            );
        }
        for found in [2, 255] {
            let mut device = [0; 17];
            device[16] = found;
            let error = refused(&with(Field::Device, &device));
            assert!(
                matches!(error, Error::RecordFieldValue { field: Field::Device, found: f }
                if f == found)
            );
        }
        let error = refused(&with(Field::Position, &[4, 0, 0, 0, 4, 0, 0, 0]));
        assert!(matches!(error, Error::SetPosition { index: 4, total: 4 }));
    }

    #[test]
    fn text_is_checked_as_the_types_are() {
        let error = refused(&with(Field::ShardId, b"ab\xff"));
        assert!(matches!(
            error,
            Error::RecordFieldUtf8 {
                field: Field::ShardId,
                valid_up_to: 2
            }
        ));
        let error = refused(&with(Field::Model, b"\x80"));
        assert!(matches!(
            error,
            Error::RecordFieldUtf8 {
                field: Field::Model,
                valid_up_to: 0
            }
        ));
        let error = refused(&with(Field::ShardId, b"a\0"));
        assert!(matches!(
            error,
            Error::TextCharacter {
                character: '\0',
                position: 1,
                ..
            }
        ));
        assert!(matches!(
            refused(&with(Field::ShardId, b"")),
            Error::TextEmpty { .. }
        ));
        assert!(matches!(
            refused(&with(Field::ShardId, &[b'x'; 257])),
            Error::TextTooLong { .. }
        ));
        assert!(matches!(
            refused(&with(Field::Model, b"")),
            Error::TextEmpty { .. }
        ));
        assert!(matches!(
            refused(&with(Field::Model, b"a\n")),
            Error::TextCharacter { .. }
        ));
    }
}
