//! Why a statement is refused.

use thiserror::Error as ThisError;

use crate::json::JsonRefusal;

/// Why a statement is refused.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum StatementRefusal {
    /// It is not a statement in JSON.
    #[error("it is not an in-toto statement in JSON: {0}")]
    Json(#[from] JsonRefusal),
    /// It is of another type, or another version.
    #[error("its {what} is {found:?}, {expected:?} is read")]
    Type {
        /// Which type.
        what: &'static str,
        /// The type found.
        found: String,
        /// The type that is read.
        expected: &'static str,
    },
    /// It has no subject, or too many.
    #[error("it has {found} subjects: give 1 to {limit}")]
    Subjects {
        /// How many it has.
        found: usize,
        /// The greatest number.
        limit: usize,
    },
    /// A subject is not identified.
    #[error("its subject {index} has no digest: give one")]
    NoDigest {
        /// The subject, from 0.
        index: usize,
    },
    /// Evidence of so many subjects would have more findings than it has room for.
    #[error(
        "evidence of its {subjects} subjects has {found} findings: give fewer subjects at a time, {limit} findings is \
         the most"
    )]
    Findings {
        /// How many subjects it has.
        subjects: usize,
        /// How many findings there would be.
        found: usize,
        /// The greatest number.
        limit: usize,
    },
    /// Two subjects have one name.
    #[error("its subject {index} has the name of one before it: give each its own")]
    NameTwice {
        /// The second of the two, from 0.
        index: usize,
    },
    /// What evidence says contradicts itself, or is beyond a limit.
    #[error("its evidence is not consistent: {what}")]
    Inconsistent {
        /// What is wrong.
        what: String,
    },
}
