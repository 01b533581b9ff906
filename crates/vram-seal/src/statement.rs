//! in-toto Statement, version 1: what is said, and of which bytes.
//!
//! It follows the [specification](https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md). Members that
//! it does not name are ignored, as it demands; a statement of another version or of another predicate is refused, and
//! so is a subject without a digest. A [`Predicate`] decides on members of its own.

mod digest_set;
mod refusal;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use self::{
    digest_set::{DigestSet, Subject},
    refusal::StatementRefusal,
};
use crate::{
    Error, Result,
    dsse::{Envelope, VerifiedPayload},
    json::{self, Limits},
};

/// The `_type` of a statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The DSSE payload type of a statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The greatest number of subjects.
pub const MAX_SUBJECTS: usize = 4096;

const LIMITS: Limits = Limits {
    bytes: Envelope::MAX_PAYLOAD_LEN,
    depth: 16,
    values: 1 << 18,
};

/// What a statement says of its subjects.
pub trait Predicate: Serialize + DeserializeOwned {
    /// The URI that names this kind of predicate, its major version included.
    const TYPE: &'static str;
}

/// A statement: subjects, and a predicate about them.
///
/// One that was received comes out of a [`VerifiedPayload`] alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "P: DeserializeOwned"))]
pub struct Statement<P> {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: P,
}

/// What is looked at before the rest is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(rename = "_type")]
    statement_type: String,
    predicate_type: String,
}

impl<P: Predicate> Statement<P> {
    /// Says this of these subjects.
    ///
    /// # Errors
    /// [`Error::Statement`] for no subject, too many, one without a digest, or two of one name.
    pub fn new(subject: Vec<Subject>, predicate: P) -> Result<Self> {
        let statement = Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject,
            predicate_type: P::TYPE.to_owned(),
            predicate,
        };
        statement.check()?;
        Ok(statement)
    }

    /// Reads a payload that was signed as [`PAYLOAD_TYPE`].
    ///
    /// # Errors
    /// [`Error::Statement`] when it is no statement, one of another type, or beyond the limits.
    pub fn from_payload(payload: &VerifiedPayload<'_>) -> Result<Self> {
        Self::read(payload).map_err(Error::Statement)
    }

    fn read(payload: &VerifiedPayload<'_>) -> Result<Self, StatementRefusal> {
        expect("payload type", payload.payload_type(), PAYLOAD_TYPE)?;
        let head: Head = json::read(payload.bytes(), LIMITS)?;
        expect("_type", &head.statement_type, STATEMENT_TYPE)?;
        expect("predicateType", &head.predicate_type, P::TYPE)?;
        let statement: Self = json::read(payload.bytes(), LIMITS)?;
        statement.check_subjects()?;
        Ok(statement)
    }

    fn check(&self) -> Result<()> {
        self.check_subjects().map_err(Error::Statement)
    }

    fn check_subjects(&self) -> Result<(), StatementRefusal> {
        let found = self.subject.len();
        if found == 0 || found > MAX_SUBJECTS {
            return Err(StatementRefusal::Subjects {
                found,
                limit: MAX_SUBJECTS,
            });
        }
        let mut names = std::collections::HashSet::new();
        for (index, subject) in self.subject.iter().enumerate() {
            if subject.digest.is_empty() {
                return Err(StatementRefusal::NoDigest { index });
            }
            if !subject.name.is_empty() && !names.insert(&*subject.name) {
                return Err(StatementRefusal::NameTwice { index });
            }
        }
        Ok(())
    }

    /// The subjects.
    #[must_use]
    pub fn subjects(&self) -> &[Subject] {
        &self.subject
    }

    /// What is said of them.
    #[must_use]
    pub const fn predicate(&self) -> &P {
        &self.predicate
    }

    /// What is said of them, to be changed before signing.
    pub(crate) fn predicate_mut(&mut self) -> &mut P {
        &mut self.predicate
    }

    /// The statement as JSON: `_type`, `subject`, `predicateType`, `predicate`, without white space, the algorithms of
    /// a digest set in the order of their bytes. The same statement always gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Statement`] when the predicate can't be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|error| Error::Statement(StatementRefusal::Json(error.into())))
    }

    /// Signs the statement.
    ///
    /// # Errors
    /// What [`to_json`](Self::to_json) and [`Envelope::sign`] say.
    pub fn sign(&self, key: &crate::SigningKey) -> Result<Envelope> {
        Envelope::sign(key, PAYLOAD_TYPE, self.to_json()?)
    }
}

fn expect(what: &'static str, found: &str, expected: &'static str) -> Result<(), StatementRefusal> {
    if found == expected {
        return Ok(());
    }
    Err(StatementRefusal::Type {
        what,
        found: found.chars().take(256).collect(),
        expected,
    })
}
