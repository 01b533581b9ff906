//! Checking evidence: everything is looked at, and what can't be seen counts against it.

use std::collections::HashMap;
use std::time::SystemTime;

use super::{
    ConfidentialCompute, EnvelopeForm, Evidence, EvidenceFailure, EvidenceFinding,
    EvidenceStatement, Expectations, ExpectedShard, FindingEnforcement, FindingStatus,
    MeasuredShard, PolicyVerdict, RefusedEvidence, ResidencyVerdict, consistency,
};
use crate::{
    Error, KeyId, ShardId, Subject, VerifyingKey, dsse::Envelope, statement::PAYLOAD_TYPE,
};

/// Evidence that is all that was expected of it: only [`verify_evidence`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedEvidence {
    statement: EvidenceStatement,
    signer: KeyId,
    ignored_signatures: usize,
    digests_were_compared: bool,
    answer_was_recomputed: bool,
}

impl VerifiedEvidence {
    /// What was said, and of which shards.
    #[must_use]
    pub const fn statement(&self) -> &EvidenceStatement {
        &self.statement
    }

    /// The key that signed it: the one that was given.
    #[must_use]
    pub const fn signer(&self) -> KeyId {
        self.signer
    }

    /// How many signatures are by other keys, and were not looked at.
    #[must_use]
    pub const fn ignored_signatures(&self) -> usize {
        self.ignored_signatures
    }

    /// Whether the shards were compared with expected ones. Otherwise their digests are the signer's word.
    #[must_use]
    pub const fn digests_were_compared(&self) -> bool {
        self.digests_were_compared
    }

    /// Whether every shard's answer to the sent challenge was recomputed from its file, and is the one given. Otherwise
    /// that the bytes were read for this challenge is the signer's word.
    #[must_use]
    pub const fn answer_was_recomputed(&self) -> bool {
        self.answer_was_recomputed
    }
}

/// Checks an envelope with evidence against the key that must have signed it and what is expected.
///
/// # Errors
/// [`RefusedEvidence`], with every failure. Where envelope, signature or statement is refused, that is the only one:
/// nothing that nobody signed is looked at.
pub fn verify_evidence(
    document: &[u8],
    key: &VerifyingKey,
    expected: &Expectations,
) -> Result<VerifiedEvidence, RefusedEvidence> {
    let mut failures = Vec::new();
    match check(document, key, expected, &mut failures) {
        Ok(verified) => match RefusedEvidence::of(failures) {
            None => Ok(verified),
            Some(refused) => Err(refused),
        },
        Err(error) => Err(refusal(error)),
    }
}

fn refusal(error: Error) -> RefusedEvidence {
    RefusedEvidence::only(EvidenceFailure::Refused(error))
}

fn check(
    document: &[u8],
    key: &VerifyingKey,
    expected: &Expectations,
    failures: &mut Vec<EvidenceFailure>,
) -> Result<VerifiedEvidence, Error> {
    let envelope = Envelope::from_json(document)?;
    let payload = envelope.verify(key, PAYLOAD_TYPE)?;
    let statement = EvidenceStatement::from_payload(&payload)?;
    consistency::check(&statement).map_err(Error::Statement)?;

    if expected.form == EnvelopeForm::AsWritten {
        let id = key.id().to_string();
        let names_key = envelope.claimed_key_ids().any(|claimed| claimed == id);
        if !names_key || !envelope.is_as_written(document) {
            failures.push(EvidenceFailure::Form);
        }
    }
    if statement.to_json()? != payload.bytes() {
        failures.push(EvidenceFailure::StatementForm);
    }
    let evidence = statement.predicate();
    check_freshness(evidence, expected, failures);
    if evidence.device.simulated && !expected.accept_simulated {
        failures.push(EvidenceFailure::Simulated);
    }
    check_policy(evidence, expected, failures);
    check_sources(evidence, expected, failures);
    check_residency(evidence, expected, failures);
    check_digests(&statement, expected, failures);
    check_confidential_compute(evidence, expected, failures);

    let answer_was_recomputed = expected.challenge.is_some()
        && expected.shards.as_ref().is_some_and(|shards| {
            shards
                .values()
                .all(|shard| shard.challenged_verity.is_some())
        });
    Ok(VerifiedEvidence {
        signer: key.id(),
        ignored_signatures: payload.ignored_signatures(),
        digests_were_compared: expected.shards.is_some(),
        answer_was_recomputed,
        statement,
    })
}

fn check_confidential_compute(
    evidence: &Evidence,
    expected: &Expectations,
    failures: &mut Vec<EvidenceFailure>,
) {
    match &evidence.confidential_compute {
        None => failures.push(EvidenceFailure::ConfidentialCompute),
        Some(ConfidentialCompute::None { .. }) => {}
        Some(ConfidentialCompute::Failed { reason }) => {
            if !expected.accept_unknown_confidential_compute {
                failures.push(EvidenceFailure::ConfidentialComputeUnknown {
                    reason: reason.clone(),
                });
            }
        }
        Some(ConfidentialCompute::Report {
            developer_tools, ..
        }) => {
            if *developer_tools && !expected.accept_developer_tools {
                failures.push(EvidenceFailure::DeveloperTools);
            }
        }
    }
}

fn check_freshness(
    evidence: &Evidence,
    expected: &Expectations,
    failures: &mut Vec<EvidenceFailure>,
) {
    if let Some(challenge) = expected.challenge
        && challenge != evidence.challenge
    {
        failures.push(EvidenceFailure::Challenge {
            found: evidence.challenge,
            expected: challenge,
        });
    }
    let measured_at = evidence.measured_at;
    match expected.now.duration_since(SystemTime::from(measured_at)) {
        Ok(age) if age > expected.max_age => failures.push(EvidenceFailure::TooOld {
            measured_at,
            age,
            limit: expected.max_age,
        }),
        Err(ahead) if ahead.duration() > expected.clock_skew => {
            failures.push(EvidenceFailure::InTheFuture {
                measured_at,
                ahead: ahead.duration(),
                limit: expected.clock_skew,
            });
        }
        Ok(_) | Err(_) => {}
    }
}

fn check_policy(evidence: &Evidence, expected: &Expectations, failures: &mut Vec<EvidenceFailure>) {
    let policy = &evidence.policy;
    // Computed anew: what the signer says it is was compared with this.
    let found = PolicyVerdict::over(&policy.findings);
    let accepted = match found {
        PolicyVerdict::Accepted => true,
        PolicyVerdict::AcceptedWithWarnings => expected.accept_warnings,
        PolicyVerdict::Undecided | PolicyVerdict::Refused => false,
    };
    if !accepted {
        let blocking = policy.findings.iter().filter(|finding| stands_out(finding));
        failures.push(EvidenceFailure::Policy {
            found,
            blocking: blocking
                .map(|finding| format!("{} {}: {}", finding.id, finding.status, finding.observed))
                .collect(),
        });
    }
    if policy.profile > expected.least_profile {
        failures.push(EvidenceFailure::Profile {
            found: policy.profile,
            expected: expected.least_profile,
        });
    }
    if !expected.accept_lowered_checks {
        for finding in policy.findings.iter().filter(|f| f.was_lowered()) {
            failures.push(EvidenceFailure::Lowered {
                id: finding.id.clone(),
                from: finding
                    .raised_or_lowered_from
                    .unwrap_or(finding.enforcement),
                to: finding.enforcement,
            });
        }
    }
    // What nobody looked at is not accepted either.
    let looked_at: std::collections::HashSet<_> = policy
        .findings
        .iter()
        .filter_map(|finding| finding.shard.as_ref())
        .collect();
    for shard in &evidence.shards {
        if !looked_at.contains(&shard.name) {
            failures.push(EvidenceFailure::NotLookedAt {
                shard: shard.name.clone(),
            });
        }
    }
    for id in &expected.required_findings {
        check_required(id, evidence, failures);
    }
}

/// Whether a finding is a reason for a verdict other than accepted.
fn stands_out(finding: &EvidenceFinding) -> bool {
    let clear = matches!(
        finding.status,
        FindingStatus::Pass | FindingStatus::NotApplicable
    );
    !clear && finding.enforcement != FindingEnforcement::Note
}

/// Whether a required check passed: for every shard, if it looks at shards.
fn check_required(id: &str, evidence: &Evidence, failures: &mut Vec<EvidenceFailure>) {
    let of_check = evidence.policy.findings.iter().filter(|f| f.id == id);
    let of_check: Vec<_> = of_check.collect();
    let mut judge = |shard: Option<&ShardId>, found: Option<FindingStatus>| {
        if found != Some(FindingStatus::Pass) {
            failures.push(EvidenceFailure::RequiredCheck {
                id: id.to_owned(),
                shard: shard.cloned(),
                found,
            });
        }
    };
    // Of the same thing the worst counts.
    let worst: HashMap<_, _> = of_check.iter().fold(HashMap::new(), |mut worst, finding| {
        let known = worst
            .entry(finding.shard.as_ref())
            .or_insert(finding.status);
        *known = finding.status.max(*known);
        worst
    });
    let of_shards = worst.keys().any(Option::is_some);
    if of_shards {
        for shard in &evidence.shards {
            let found = worst.get(&Some(&shard.name)).copied();
            judge(Some(&shard.name), found);
        }
    } else {
        judge(None, worst.get(&None).copied());
    }
}

fn check_sources(
    evidence: &Evidence,
    expected: &Expectations,
    failures: &mut Vec<EvidenceFailure>,
) {
    let Some(accepted) = &expected.expected_from else {
        return;
    };
    for shard in &evidence.shards {
        if !accepted.contains(&shard.expected_from) {
            failures.push(EvidenceFailure::ExpectedFrom {
                shard: shard.name.clone(),
                found: shard.expected_from,
            });
        }
    }
}

fn check_residency(
    evidence: &Evidence,
    expected: &Expectations,
    failures: &mut Vec<EvidenceFailure>,
) {
    for shard in &evidence.shards {
        let accepted = match shard.residency.verdict {
            ResidencyVerdict::Proven => true,
            ResidencyVerdict::Unproven => expected.accept_unproven_residency,
            ResidencyVerdict::Contradicted => false,
        };
        if !accepted {
            failures.push(EvidenceFailure::Residency {
                shard: shard.name.clone(),
                found: shard.residency.verdict,
                reason: shard.residency.reason.clone(),
            });
        }
    }
}

fn check_digests(
    statement: &EvidenceStatement,
    expected: &Expectations,
    failures: &mut Vec<EvidenceFailure>,
) {
    let Some(expected) = &expected.shards else {
        return;
    };
    let shards = &statement.predicate().shards;
    for (subject, shard) in statement.subjects().iter().zip(shards) {
        match expected.get(&shard.name) {
            Some(expected) => check_shard(subject, shard, expected, failures),
            None => failures.push(EvidenceFailure::ShardUnexpected {
                shard: shard.name.clone(),
            }),
        }
    }
    let found: std::collections::HashSet<_> = shards.iter().map(|shard| &shard.name).collect();
    for shard in expected.keys().filter(|name| !found.contains(name)) {
        failures.push(EvidenceFailure::ShardMissing {
            shard: shard.clone(),
        });
    }
}

fn check_shard(
    subject: &Subject,
    shard: &MeasuredShard,
    expected: &ExpectedShard,
    failures: &mut Vec<EvidenceFailure>,
) {
    let mut compared = false;
    let digests = subject.digests();
    let mut compare = |what, found: Option<String>, expected: Option<String>| {
        let (Some(found), Some(expected)) = (found, expected) else {
            return false;
        };
        if found != expected {
            failures.push(EvidenceFailure::Digest {
                shard: shard.name.clone(),
                what,
                found,
                expected,
            });
        }
        true
    };
    let text = |digest: Option<crate::VerityDigest>| digest.map(|digest| digest.to_string());
    compared |= compare(
        "content digest",
        digests.sha256().map(|digest| digest.to_string()),
        expected.content.map(|digest| digest.to_string()),
    );
    compared |= compare(
        "verity digest",
        text(digests.fsverity_sha256()),
        text(expected.verity),
    );
    compared |= compare(
        "verity digest with the challenge",
        text(Some(shard.challenged_verity)),
        text(expected.challenged_verity),
    );
    compare(
        "size in bytes",
        Some(shard.size_bytes.to_string()),
        expected.size.map(|size| size.to_string()),
    );
    if !compared {
        failures.push(EvidenceFailure::NothingToCompare {
            shard: shard.name.clone(),
        });
    }
}
