//! The fields of a seal record, and their numbers.

use std::fmt;

/// A field of a seal record, as its encoding numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Field {
    /// 1: the shard's name.
    ShardId,
    /// 2: the size in bytes.
    Size,
    /// 3: the content digest; optional.
    Content,
    /// 4: the verity digest.
    Verity,
    /// 5: the device.
    Device,
    /// 6: when it was sealed.
    SealedAt,
    /// 7: what keeps it from being written to.
    Freezing,
    /// 8: the position in a set; optional.
    Position,
    /// 9: the model; optional.
    Model,
    /// 10: the nonce.
    Nonce,
    /// 11: the key of the tag.
    KeyId,
    /// 12: where the expected digest came from.
    ExpectedFrom,
}

impl Field {
    /// All fields, in the order of their numbers, which is their order in a record.
    pub const ALL: [Self; 12] = [
        Self::ShardId,
        Self::Size,
        Self::Content,
        Self::Verity,
        Self::Device,
        Self::SealedAt,
        Self::Freezing,
        Self::Position,
        Self::Model,
        Self::Nonce,
        Self::KeyId,
        Self::ExpectedFrom,
    ];

    /// The number that the encoding gives it.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::ShardId => 1,
            Self::Size => 2,
            Self::Content => 3,
            Self::Verity => 4,
            Self::Device => 5,
            Self::SealedAt => 6,
            Self::Freezing => 7,
            Self::Position => 8,
            Self::Model => 9,
            Self::Nonce => 10,
            Self::KeyId => 11,
            Self::ExpectedFrom => 12,
        }
    }

    /// The field of this number.
    pub(super) fn of_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.number() == number)
    }

    /// The field's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ShardId => "shard_id",
            Self::Size => "size",
            Self::Content => "content",
            Self::Verity => "verity",
            Self::Device => "device",
            Self::SealedAt => "sealed_at_unix_nanos",
            Self::Freezing => "freezing",
            Self::Position => "position",
            Self::Model => "model",
            Self::Nonce => "nonce",
            Self::KeyId => "key_id",
            Self::ExpectedFrom => "expected_from",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_ascend_by_number() {
        let numbers = Field::ALL.map(Field::number);
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert!(Field::ALL.is_sorted());
        assert_eq!(format!("{:>8}", Field::Nonce), "   nonce");
        for field in Field::ALL {
            assert_eq!(Field::of_number(field.number()), Some(field));
        }
        assert_eq!((Field::of_number(0), Field::of_number(13)), (None, None));
    }
}
