//! The predicate: what evidence says, as plain data.

use serde::{Deserialize, Serialize};

use super::{Challenge, PolicyFindings, Timestamp, consistency};
use crate::{
    Digest, Error, ExpectedFrom, Freezing, Predicate, Result, ShardId, Statement, Subject,
    VerityDigest,
    device_id::{deserialize_uuid, serialize_uuid},
    digest::sha256,
    dsse::Base64Bytes,
};

/// The predicate type of evidence, version 1.
pub const PREDICATE_TYPE: &str =
    "https://github.com/vram-residency/vram-residency/blob/main/docs/spec/evidence.md#v1";

/// A statement of evidence: its subjects are the shards, with the digests of their files.
pub type EvidenceStatement = Statement<Evidence>;

impl Predicate for Evidence {
    const TYPE: &'static str = PREDICATE_TYPE;
}

/// What was seen of the shards when they were measured for a challenge.
///
/// It has no address in it. All numbers are whole and below 2^53, so that every reader of JSON reads the same ones. A
/// member that this version does not have is refused: a new one means a new predicate type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evidence {
    /// The challenge that was answered: the fs-verity salt of every [`MeasuredShard::challenged_verity`].
    pub challenge: Challenge,
    /// When the last measurement ended, by the clock of the machine that measured.
    pub measured_at: Timestamp,
    /// How long all of it took.
    pub duration_microseconds: u64,
    /// The device that holds the shards.
    pub device: MeasuredDevice,
    /// The shards, in the order of the statement's subjects and under the same names.
    pub shards: Vec<MeasuredShard>,
    /// What the policy found of device, host and shards.
    pub policy: PolicyFindings,
    /// The library that measured.
    pub library: Library,
    /// The program that ran on the device.
    pub kernel: Kernel,
    /// The device's own attestation, or why there is none. `None`, `null` in JSON, stands for "not yet asked": the
    /// report's nonce is computed over that form. A verifier refuses it.
    #[serde(deserialize_with = "Option::deserialize")]
    pub confidential_compute: Option<ConfidentialCompute>,
}

/// The device that holds the shards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MeasuredDevice {
    /// Its name, as the driver reports it.
    pub name: String,
    /// Its UUID, in the order in which it is printed; in JSON as the driver's tools print it.
    #[serde(
        serialize_with = "serialize_uuid",
        deserialize_with = "deserialize_uuid"
    )]
    pub uuid: [u8; 16],
    /// The version of its driver.
    pub driver: String,
    /// Whether software plays the device: then there is no GPU, and nothing of this is evidence.
    pub simulated: bool,
}

/// A shard, as the device measured it for the challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MeasuredShard {
    /// The shard's name.
    pub name: ShardId,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// What keeps it from being written to.
    pub freezing: Freezing,
    /// Its fs-verity digest with the challenge as salt: what `fsverity digest --salt` prints for the file.
    pub challenged_verity: VerityDigest,
    /// How long measuring took.
    pub duration_microseconds: u64,
    /// How fast the device read it.
    pub bytes_per_second: u64,
    /// What that rate says about where the bytes lie.
    pub residency: Residency,
    /// Where the digest came from that was expected when it was sealed.
    pub expected_from: ExpectedFrom,
}

/// What the rate of a measurement says about where the bytes lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Residency {
    /// The verdict.
    pub verdict: ResidencyVerdict,
    /// Why, with the figures.
    pub reason: String,
}

/// Whether the rate shows that the bytes lie in the device's own memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResidencyVerdict {
    /// They were read faster than any link to other memory can deliver.
    Proven,
    /// The rate decides nothing: too few bytes, for one.
    Unproven,
    /// They were read as slowly as from other memory.
    Contradicted,
}

/// The library that measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Library {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The program that ran on the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kernel {
    /// SHA-256 of the PTX that was loaded.
    pub ptx_sha256: Digest,
}

/// The device's own attestation, where confidential computing is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum ConfidentialCompute {
    /// There is none.
    None {
        /// Why: confidential computing is off, or not there at all.
        reason: String,
    },
    /// Whether confidential computing is on could not be found out. A verifier refuses that unless it is told otherwise.
    Failed {
        /// What went wrong.
        reason: String,
    },
    /// The report that the device signed.
    Report {
        /// Whether a debugging mode opens what confidential computing closes. A verifier refuses that unless it is told
        /// otherwise.
        developer_tools: bool,
        /// The nonce that was sent: [`EvidenceStatement::confidential_compute_nonce`].
        #[serde(with = "hex::serde")]
        nonce: [u8; 32],
        /// The report, as the management library gives it; base64 in JSON. Nothing here reads it.
        report: Base64,
        /// The certificates of the device, as the management library gives them; base64 in JSON.
        certificate_chain: Base64,
    },
}

/// Bytes that are base64 in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Base64(Base64Bytes);

impl Base64 {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.0
    }
}

impl From<Vec<u8>> for Base64 {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Base64Bytes(bytes))
    }
}

impl EvidenceStatement {
    /// Evidence about these shards; the subjects are [`Subject::shard`]s, in the order of the evidence's shards.
    ///
    /// # Errors
    /// [`Error::Statement`] when subjects and evidence do not belong together, or something is beyond the limits that
    /// `docs/spec/evidence.md` states.
    pub fn evidence(subjects: Vec<Subject>, evidence: Evidence) -> Result<Self> {
        let statement = Self::new(subjects, evidence)?;
        consistency::check(&statement).map_err(Error::Statement)?;
        Ok(statement)
    }

    /// The nonce to ask the device's own attestation report with: SHA-256 of this statement's JSON in which
    /// `confidentialCompute` is `null`. So the report belongs to this statement and to no other.
    ///
    /// # Errors
    /// What [`Statement::to_json`] says.
    pub fn confidential_compute_nonce(&self) -> Result<[u8; 32]> {
        let mut without = self.clone();
        without.predicate_mut().confidential_compute = None;
        Ok(sha256(&without.to_json()?))
    }

    /// The same evidence with the device's own attestation, or why there is none.
    ///
    /// # Errors
    /// [`Error::Statement`] when the report is too long or its nonce is another.
    pub fn with_confidential_compute(mut self, attestation: ConfidentialCompute) -> Result<Self> {
        self.predicate_mut().confidential_compute = Some(attestation);
        consistency::check(&self).map_err(Error::Statement)?;
        Ok(self)
    }
}
