//! What a verifier expects.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use super::{Challenge, Profile};
use crate::{
    Digest, ExpectedFrom, HashPlan, Salt, ShardDigests, ShardId, VerityDigest, hash_bytes,
};

/// What evidence is checked against. [`new`](Self::new) expects the most that can be expected without a model; what is
/// relaxed is named.
#[derive(Clone, Debug)]
pub struct Expectations {
    /// The verifier's time.
    pub now: SystemTime,
    /// The challenge that must have been answered. Without one, evidence can be up to `max_age` old.
    pub challenge: Option<Challenge>,
    /// How old a measurement may be.
    pub max_age: Duration,
    /// How far the clock of the machine that measured may be ahead.
    pub clock_skew: Duration,
    /// All shards, and no other. `None`: whatever they are, and their digests are the signer's word.
    pub shards: Option<BTreeMap<ShardId, ExpectedShard>>,
    /// The least demanding profile that is accepted.
    pub least_profile: Profile,
    /// Checks whose findings must be there. One that looks at shards must be there for every shard.
    pub required_findings: BTreeSet<String>,
    /// Where the digest may have come from that a shard was expected to have when it was sealed. `None`: from
    /// wherever, or nowhere.
    pub expected_from: Option<BTreeSet<ExpectedFrom>>,
    /// Whether findings may be such that the policy tolerates them with a warning.
    pub accept_warnings: bool,
    /// Whether configuration may have lowered a check below what its profile asks for.
    pub accept_lowered_checks: bool,
    /// Whether a shard's rate may decide nothing. One that contradicts residency is never accepted.
    pub accept_unproven_residency: bool,
    /// Whether it may be unknown if confidential computing is on, because asking failed.
    pub accept_unknown_confidential_compute: bool,
    /// Whether a debugging mode may weaken confidential computing where it is on.
    pub accept_developer_tools: bool,
    /// Whether a simulated device may be the one. For tests: no GPU has anything to do with such evidence.
    pub accept_simulated: bool,
    /// Which forms of the envelope are read.
    pub form: EnvelopeForm,
}

impl Expectations {
    /// How old a measurement may be, unless another age is set.
    pub const DEFAULT_MAX_AGE: Duration = Duration::from_mins(10);
    /// How far another machine's clock may be ahead, unless something else is set.
    pub const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(30);

    /// The strictest expectations at this time, for the answer to this challenge.
    #[must_use]
    pub fn new(now: SystemTime, challenge: Option<Challenge>) -> Self {
        Self {
            now,
            challenge,
            max_age: Self::DEFAULT_MAX_AGE,
            clock_skew: Self::DEFAULT_CLOCK_SKEW,
            shards: None,
            least_profile: Profile::Strict,
            required_findings: BTreeSet::new(),
            expected_from: None,
            accept_warnings: false,
            accept_lowered_checks: false,
            accept_unproven_residency: false,
            accept_unknown_confidential_compute: false,
            accept_developer_tools: false,
            accept_simulated: false,
            form: EnvelopeForm::AsWritten,
        }
    }
}

/// Which forms of an envelope are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EnvelopeForm {
    /// Byte for byte what this crate writes, under the signing key's own id: not one byte may differ.
    AsWritten,
    /// Any that DSSE allows. White space, key ids and members that it does not name can then differ unnoticed; what is
    /// signed can't.
    AnyDsse,
}

/// What is known of a shard. What is `None` is not compared; at least one digest must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedShard {
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Its content digest.
    pub content: Option<Digest>,
    /// Its verity digest without salt.
    pub verity: Option<VerityDigest>,
    /// Its verity digest with the challenge as salt: the answer, recomputed from the model file.
    pub challenged_verity: Option<VerityDigest>,
}

impl ExpectedShard {
    /// What is known of a shard whose bytes are at hand.
    #[must_use]
    pub fn of_bytes(bytes: &[u8], challenge: Option<&Challenge>) -> Self {
        let plain = hash_bytes(bytes, HashPlan::BOTH, &Salt::none());
        let answer =
            challenge.map(|challenge| hash_bytes(bytes, HashPlan::VERITY, &challenge.salt()));
        Self::of_digests(&plain, answer.as_ref())
    }

    /// What is known of a shard whose file was hashed: without salt, and with the challenge's.
    #[must_use]
    pub fn of_digests(plain: &ShardDigests, challenged: Option<&ShardDigests>) -> Self {
        let verity = |digests: &ShardDigests| Some(digests.verity.as_ref()?.digest());
        Self {
            size: Some(plain.size),
            content: plain.content,
            verity: verity(plain),
            challenged_verity: challenged.and_then(verity),
        }
    }
}
