//! Which key: the SHA-256 of its public half.

use std::fmt;

use crate::digest::{sha256, write_hex};

/// A key's name: the SHA-256 of its `SubjectPublicKeyInfo` in DER, which is what sigstore names keys by.
///
/// It prints as 64 lower-case hexadecimal characters. What `openssl pkey -pubin -outform DER | sha256sum` prints is
/// the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 32]);

impl KeyId {
    pub(super) fn of_spki_der(der: &[u8]) -> Self {
        Self(sha256(der))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyId({self})")
    }
}
