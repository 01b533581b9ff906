//! What was expected and is not so.

use std::{fmt, time::Duration};

use serde::Serialize;
use thiserror::Error as ThisError;

use super::{
    Challenge, FindingEnforcement, FindingStatus, PolicyVerdict, Profile, ResidencyVerdict,
    Timestamp,
};
use crate::{Error, ExpectedFrom, ShardId};

/// One reason why evidence is refused.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum EvidenceFailure {
    /// The envelope, its signature, or the statement in it is refused. Nothing else was looked at.
    #[error("{0}")]
    Refused(Error),
    /// The envelope is not byte for byte what this crate writes.
    #[error(
        "form: the envelope is not as it was written: white space, the order of members, base64 or a key id differs; \
         ask for the original"
    )]
    Form,
    /// The signed statement is not in its one canonical form.
    #[error("form: the signed statement is not in the canonical form of evidence")]
    StatementForm,
    /// It answers another challenge.
    #[error("challenge: {found} was answered, {expected} was sent: this is not the answer")]
    Challenge {
        /// The challenge that was answered.
        found: Challenge,
        /// The challenge that was sent.
        expected: Challenge,
    },
    /// It is too old.
    #[error(
        "age: measured at {measured_at}, {age:?} ago, the limit is {limit:?}: ask for new evidence"
    )]
    TooOld {
        /// When it was measured.
        measured_at: Timestamp,
        /// Its age.
        age: Duration,
        /// The greatest age accepted.
        limit: Duration,
    },
    /// It was measured in the future.
    #[error(
        "age: measured at {measured_at}, which is {ahead:?} ahead, the limit is {limit:?}: compare the clocks"
    )]
    InTheFuture {
        /// When it was measured.
        measured_at: Timestamp,
        /// How far that is ahead.
        ahead: Duration,
        /// The greatest difference accepted.
        limit: Duration,
    },
    /// No GPU did this.
    #[error("device: it is simulated: nothing of this is evidence about a GPU")]
    Simulated,
    /// The policy did not accept.
    #[error("policy: the verdict is {found}{}", list(blocking))]
    Policy {
        /// The verdict that the findings add up to.
        found: PolicyVerdict,
        /// The checks that stand in the way, with what was observed.
        blocking: Vec<String>,
    },
    /// A more lenient profile judged.
    #[error("policy: the profile {found} judged, {expected} is the least that is accepted")]
    Profile {
        /// The profile that judged.
        found: Profile,
        /// The least demanding that is accepted.
        expected: Profile,
    },
    /// Configuration lowered a check.
    #[error("policy: the check {id} was lowered from {from} to {to}")]
    Lowered {
        /// The check.
        id: String,
        /// How it counts in the profile.
        from: FindingEnforcement,
        /// How it counted.
        to: FindingEnforcement,
    },
    /// A check that was required has not passed. That it doesn't apply, or was not observed, is no pass.
    #[error(
        "policy: the check {id} was required{}, and {}",
        of(shard.as_ref()),
        found.map_or_else(|| "there is no finding of it".to_owned(), |found| format!("its finding is: {found}"))
    )]
    RequiredCheck {
        /// The check.
        id: String,
        /// The shard, where the check looks at shards.
        shard: Option<ShardId>,
        /// What it found, if there is a finding of it.
        found: Option<FindingStatus>,
    },
    /// No check looked at a shard.
    #[error("policy: no finding is about shard {shard}")]
    NotLookedAt {
        /// The shard.
        shard: ShardId,
    },
    /// What was expected of a shard when it was sealed came from a source that is not accepted.
    #[error("expectation: the digest that shard {shard} was sealed against came from: {found}")]
    ExpectedFrom {
        /// The shard.
        shard: ShardId,
        /// The source.
        found: ExpectedFrom,
    },
    /// A shard's rate does not show that it lies in the device's memory.
    #[error("residency: of shard {shard} it is {}: {reason}", residency(*found))]
    Residency {
        /// The shard.
        shard: ShardId,
        /// The verdict.
        found: ResidencyVerdict,
        /// The verdict's reason.
        reason: String,
    },
    /// An expected shard is not there.
    #[error("digests: shard {shard} is not in the evidence")]
    ShardMissing {
        /// The shard.
        shard: ShardId,
    },
    /// A shard is there that was not expected.
    #[error("digests: shard {shard} is in the evidence and not expected")]
    ShardUnexpected {
        /// The shard.
        shard: ShardId,
    },
    /// A shard's digest or size is another.
    #[error("digests: the {what} of shard {shard} is {found}, {expected} was expected")]
    Digest {
        /// The shard.
        shard: ShardId,
        /// Which digest, or the size.
        what: &'static str,
        /// What the evidence says.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// No digest of a shard could be compared.
    #[error("digests: of shard {shard} none is both expected and in the evidence")]
    NothingToCompare {
        /// The shard.
        shard: ShardId,
    },
    /// The evidence does not say whether the device attests itself.
    #[error(
        "confidential computing: the evidence says neither that there is a report nor why there is none"
    )]
    ConfidentialCompute,
    /// Whether confidential computing is on was asked, and that failed.
    #[error(
        "confidential computing: whether it is on could not be found out ({reason}): repair what failed and ask for new \
         evidence, or accept that it isn't known"
    )]
    ConfidentialComputeUnknown {
        /// What went wrong.
        reason: String,
    },
    /// A debugging mode weakens confidential computing.
    #[error(
        "confidential computing: it is on with developer tools, which open what it closes: turn them off, restart the \
         machine and ask for new evidence"
    )]
    DeveloperTools,
}

/// What a failure is about, for programs that sort them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FailureKind {
    /// Envelope, signature or statement: nothing else was looked at.
    Signature,
    /// The bytes of envelope or statement are not in their one form.
    Form,
    /// Another challenge was answered.
    Challenge,
    /// Too old, or ahead of the clock.
    Age,
    /// A simulated device.
    Device,
    /// The policy's verdict, its profile or its checks.
    Policy,
    /// Where the bytes lie.
    Residency,
    /// Which shards there are, and their sizes and digests.
    Digests,
    /// The device's own attestation.
    ConfidentialCompute,
}

impl EvidenceFailure {
    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Refused(_) => FailureKind::Signature,
            Self::Form | Self::StatementForm => FailureKind::Form,
            Self::Challenge { .. } => FailureKind::Challenge,
            Self::TooOld { .. } | Self::InTheFuture { .. } => FailureKind::Age,
            Self::Simulated => FailureKind::Device,
            Self::Policy { .. }
            | Self::Profile { .. }
            | Self::Lowered { .. }
            | Self::RequiredCheck { .. }
            | Self::NotLookedAt { .. } => FailureKind::Policy,
            Self::Residency { .. } => FailureKind::Residency,
            Self::ShardMissing { .. }
            | Self::ShardUnexpected { .. }
            | Self::Digest { .. }
            | Self::ExpectedFrom { .. }
            | Self::NothingToCompare { .. } => FailureKind::Digests,
            Self::ConfidentialCompute
            | Self::ConfidentialComputeUnknown { .. }
            | Self::DeveloperTools => FailureKind::ConfidentialCompute,
        }
    }

    /// The shard that it is about, if it is about one.
    #[must_use]
    pub const fn shard(&self) -> Option<&ShardId> {
        match self {
            Self::RequiredCheck { shard, .. } => shard.as_ref(),
            Self::Residency { shard, .. }
            | Self::NotLookedAt { shard }
            | Self::ExpectedFrom { shard, .. }
            | Self::ShardMissing { shard }
            | Self::ShardUnexpected { shard }
            | Self::Digest { shard, .. }
            | Self::NothingToCompare { shard } => Some(shard),
            Self::Refused(_)
            | Self::Form
            | Self::StatementForm
            | Self::Challenge { .. }
            | Self::TooOld { .. }
            | Self::InTheFuture { .. }
            | Self::Simulated
            | Self::Policy { .. }
            | Self::Profile { .. }
            | Self::Lowered { .. }
            | Self::ConfidentialCompute
            | Self::ConfidentialComputeUnknown { .. }
            | Self::DeveloperTools => None,
        }
    }
}

impl FailureKind {
    /// Whether the device, its policy or where the bytes lie is the matter, as opposed to what the evidence is, when
    /// it was made and of which bytes.
    #[must_use]
    pub const fn is_of_policy(self) -> bool {
        matches!(
            self,
            Self::Device | Self::Policy | Self::Residency | Self::ConfidentialCompute
        )
    }
}

/// Why evidence is refused: everything that is not as expected. There is always something.
#[derive(Debug)]
pub struct RefusedEvidence {
    first: EvidenceFailure,
    more: Vec<EvidenceFailure>,
}

impl RefusedEvidence {
    /// The one failure, where nothing else was looked at.
    pub(super) const fn only(first: EvidenceFailure) -> Self {
        Self {
            first,
            more: Vec::new(),
        }
    }

    /// The failures as a refusal; nothing where there is none.
    pub(super) fn of(failures: Vec<EvidenceFailure>) -> Option<Self> {
        let mut failures = failures.into_iter();
        let first = failures.next()?;
        Some(Self {
            first,
            more: failures.collect(),
        })
    }

    /// Every failure, in the order in which they were looked for.
    pub fn failures(&self) -> impl Iterator<Item = &EvidenceFailure> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

/// A line for every failure.
impl fmt::Display for RefusedEvidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the evidence is refused")?;
        self.failures()
            .try_for_each(|failure| write!(formatter, "\n  {failure}"))
    }
}

impl std::error::Error for RefusedEvidence {}

fn list(blocking: &[String]) -> String {
    if blocking.is_empty() {
        return String::new();
    }
    format!(": {}", blocking.join("; "))
}

fn of(shard: Option<&ShardId>) -> String {
    shard.map_or_else(String::new, |shard| format!(" for shard {shard}"))
}

const fn residency(verdict: ResidencyVerdict) -> &'static str {
    match verdict {
        ResidencyVerdict::Proven => "proven",
        ResidencyVerdict::Unproven => "unproven",
        ResidencyVerdict::Contradicted => "contradicted",
    }
}
