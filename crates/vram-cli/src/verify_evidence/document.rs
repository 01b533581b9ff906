//! What was found, for programs.

use serde::Serialize;
use vram_seal::ShardId;
use vram_seal::evidence::{EvidenceFailure, EvidenceStatement, FailureKind};

use super::{Options, Outcome};

/// All of it.
#[derive(Serialize)]
pub(super) struct EvidenceDocument<'a> {
    /// The evidence's name; bytes that are no UTF-8 are replaced.
    file: String,
    verified: bool,
    failures: Vec<Failure<'a>>,
    #[serde(flatten)]
    verification: Option<Verification<'a>>,
}

/// Why it is refused.
#[derive(Serialize)]
struct Failure<'a> {
    kind: FailureKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<&'a ShardId>,
    message: String,
}

/// What there is only of evidence that is accepted.
#[derive(Serialize)]
struct Verification<'a> {
    /// The identity of the key that signed.
    signer: String,
    ignored_signatures: usize,
    /// Whether a challenge was given, which is the one that was answered.
    challenge_was_compared: bool,
    /// Whether the digests are those of files that were given.
    digests_were_compared: bool,
    /// Whether every answer to the challenge was computed from those files.
    answer_was_recomputed: bool,
    statement: &'a EvidenceStatement,
}

pub(super) fn of<'a>(options: &Options, outcome: &'a Outcome) -> EvidenceDocument<'a> {
    let verification = outcome.as_ref().ok().map(|verified| Verification {
        signer: verified.signer().to_string(),
        ignored_signatures: verified.ignored_signatures(),
        challenge_was_compared: options.challenge.is_some(),
        digests_were_compared: verified.digests_were_compared(),
        answer_was_recomputed: verified.answer_was_recomputed(),
        statement: verified.statement(),
    });
    let failures = match outcome {
        Ok(_) => Vec::new(),
        Err(refused) => refused.failures().map(failure).collect(),
    };
    EvidenceDocument {
        file: options.evidence.to_string_lossy().into_owned(),
        verified: outcome.is_ok(),
        failures,
        verification,
    }
}

fn failure(failure: &EvidenceFailure) -> Failure<'_> {
    Failure {
        kind: failure.kind(),
        shard: failure.shard(),
        message: failure.to_string(),
    }
}
