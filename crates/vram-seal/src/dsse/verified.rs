//! The proof that a payload was signed.

use std::fmt;

use crate::KeyId;

/// A payload whose signatures were right: only [`Envelope::verify`](super::Envelope::verify) and
/// [`Envelope::verify_threshold`](super::Envelope::verify_threshold) make one.
///
/// There is no other way to a payload that was received.
#[derive(Clone)]
pub struct VerifiedPayload<'e> {
    pub(super) payload: &'e [u8],
    pub(super) payload_type: &'e str,
    pub(super) signers: Vec<KeyId>,
    pub(super) ignored: usize,
}

impl<'e> VerifiedPayload<'e> {
    /// The bytes that were signed.
    #[must_use]
    pub const fn bytes(&self) -> &'e [u8] {
        self.payload
    }

    /// The type they were signed as: the one that was asked for.
    #[must_use]
    pub const fn payload_type(&self) -> &'e str {
        self.payload_type
    }

    /// Which of the given keys signed, each once, in the order in which they were given.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }

    /// How many signatures are by none of the given keys. They say nothing, good or bad.
    #[must_use]
    pub const fn ignored_signatures(&self) -> usize {
        self.ignored
    }
}

/// The type, the length and the signers.
impl fmt::Debug for VerifiedPayload<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VerifiedPayload")
            .field("payload_type", &self.payload_type)
            .field("bytes", &self.payload.len())
            .field("signers", &self.signers)
            .field("ignored", &self.ignored)
            .finish()
    }
}
