//! Why an envelope is refused.

use thiserror::Error as ThisError;

use crate::json::JsonRefusal;

/// Why an envelope is refused.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum EnvelopeRefusal {
    /// It is not a JSON envelope.
    #[error("it is not a DSSE envelope in JSON: {0}")]
    Json(#[from] JsonRefusal),
    /// A part is longer, or there are more of it, than is read.
    #[error("its {what} has {found} {unit}, the limit is {limit}")]
    TooMuch {
        /// The part.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// Of what.
        unit: &'static str,
        /// The greatest number read.
        limit: usize,
    },
    /// No, or too few, of the given keys signed it: payload, type, signature or key is another one.
    #[error(
        "{found} of the given keys signed it, {needed} are needed (signatures: {signatures}): \
         payload, type or signature was changed, or it was signed by others"
    )]
    Signatures {
        /// How many of the given keys signed it.
        found: usize,
        /// How many are needed.
        needed: usize,
        /// How many signatures there are.
        signatures: usize,
    },
    /// It was signed as something else.
    #[error("its payload is of type {found:?}, {expected:?} was expected")]
    PayloadType {
        /// The signed type.
        found: String,
        /// The type that was expected.
        expected: String,
    },
}
