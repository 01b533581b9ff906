//! Why a key is refused.

use thiserror::Error as ThisError;

use super::SignatureAlgorithm;

/// Why a signing or verifying key is refused. It holds no part of a key.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum KeyRefusal {
    /// The text or the encoding is longer than any key of the known algorithms.
    #[error("it is {found} bytes long, the limit is {limit}: give one key alone")]
    TooLong {
        /// Its length in bytes.
        found: usize,
        /// The greatest length read, in bytes.
        limit: usize,
    },
    /// The text is not PEM.
    #[error("it is not PEM as RFC 7468 defines it: {reason}")]
    Pem {
        /// What the reader of PEM said.
        reason: String,
    },
    /// The PEM holds something else.
    #[error("its PEM label is {found:?}, it takes {expected:?}: {advice}")]
    Label {
        /// The label found.
        found: String,
        /// The label that is read.
        expected: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The encoding is not the DER that such a key has.
    #[error("it is not {expected} in DER: {reason}")]
    Der {
        /// The structure expected.
        expected: &'static str,
        /// What the reader of DER said.
        reason: String,
    },
    /// The key is of another algorithm.
    #[error("its algorithm is {found}: use Ed25519 or ECDSA with P-256")]
    Algorithm {
        /// The algorithm found.
        found: String,
    },
    /// The public key has the wrong form for its algorithm.
    #[error(
        "its public key is {found} bytes long or not in the form that {algorithm} has: use {expected}"
    )]
    PublicKey {
        /// The algorithm.
        algorithm: SignatureAlgorithm,
        /// The length found, in bytes.
        found: usize,
        /// The form that is read.
        expected: &'static str,
    },
    /// The public key is a point of small order, under which anyone can sign.
    #[error(
        "its public key is a point of small order, under which anyone can sign: use a key that was generated, not made up"
    )]
    SmallOrder,
    /// The private key is malformed, or does not belong to the public key beside it.
    #[error("{reason}: its private key is malformed, or not that of the public key beside it")]
    PrivateKey {
        /// What `ring` said.
        reason: String,
    },
    /// The system gave no randomness.
    #[error("the system's source of randomness failed: try again")]
    Randomness,
    /// Signing failed, for want of randomness.
    #[error("a signature could not be made: the system's source of randomness failed; try again")]
    Signing,
}
