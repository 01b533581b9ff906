//! Where an expected digest came from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where the digest came from that a shard's bytes were compared with when it was sealed.
///
/// The seal record holds it under its tag, and evidence repeats it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ExpectedFrom {
    /// Nothing was expected: the bytes are those that were there.
    #[default]
    None,
    /// The caller gave it.
    Caller,
    /// A file of checksums.
    ChecksumFile,
    /// The names of a cache whose files are named by their digests.
    ContentAddressedCache,
    /// The kernel's own measurement of a file with fs-verity.
    Kernel,
    /// A signed manifest of the model.
    ModelSignature,
}

impl ExpectedFrom {
    /// Every source, in the order of the numbers that the seal record's encoding gives them.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Caller,
        Self::ChecksumFile,
        Self::ContentAddressedCache,
        Self::Kernel,
        Self::ModelSignature,
    ];

    /// Its name, as JSON has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Caller => "caller",
            Self::ChecksumFile => "checksum-file",
            Self::ContentAddressedCache => "content-addressed-cache",
            Self::Kernel => "kernel",
            Self::ModelSignature => "model-signature",
        }
    }

    /// The number that the seal record's encoding gives it.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::None => 1,
            Self::Caller => 2,
            Self::ChecksumFile => 3,
            Self::ContentAddressedCache => 4,
            Self::Kernel => 5,
            Self::ModelSignature => 6,
        }
    }

    /// The source of this number.
    pub(crate) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|from| from.number() == number)
    }
}

impl fmt::Display for ExpectedFrom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_one_number_and_one_name() {
        assert_eq!(
            ExpectedFrom::ALL.map(ExpectedFrom::number),
            [1, 2, 3, 4, 5, 6]
        );
        assert!(ExpectedFrom::ALL.is_sorted());
        for from in ExpectedFrom::ALL {
            assert_eq!(ExpectedFrom::of_number(from.number()), Some(from));
            let json = serde_json::to_string(&from).unwrap();
            assert_eq!(json, format!("\"{from}\""));
        }
        for number in [0, 7, 255] {
            assert_eq!(ExpectedFrom::of_number(number), None);
        }
    }
}
