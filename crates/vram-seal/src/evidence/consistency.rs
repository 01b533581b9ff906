//! What evidence has to be, whoever wrote it: the rules that types alone can't express.

use super::{
    ConfidentialCompute, Evidence, EvidenceStatement, FindingStatus, PolicyVerdict,
    ResidencyVerdict,
};
use crate::{StatementRefusal, model_ref::misleads};

/// The greatest number of findings in evidence, about all its shards together.
pub const MAX_FINDINGS: usize = 16 << 10;
/// The greatest length of a name, a version or a check's id, in bytes.
const MAX_NAME: usize = 256;
/// The greatest length of what was observed, expected or concluded, in bytes.
const MAX_TEXT: usize = 4096;
/// The greatest length of a report or of its certificates, in bytes.
const MAX_REPORT: usize = 64 << 10;
/// The greatest whole number that every reader of JSON reads exactly.
const MAX_NUMBER: u64 = (1 << 53) - 1;

type Checked = Result<(), StatementRefusal>;

/// Refuses evidence that contradicts itself or is beyond a limit.
pub(super) fn check(statement: &EvidenceStatement) -> Checked {
    let evidence = statement.predicate();
    check_shards(statement)?;
    check_texts(evidence)?;
    check_findings(evidence)?;
    check_report(statement)
}

fn refuse(what: impl Into<String>) -> Checked {
    Err(StatementRefusal::Inconsistent { what: what.into() })
}

fn check_shards(statement: &EvidenceStatement) -> Checked {
    let (subjects, shards) = (statement.subjects(), &statement.predicate().shards);
    if subjects.len() != shards.len() {
        return refuse(format!(
            "{} subjects and {} measured shards",
            subjects.len(),
            shards.len()
        ));
    }
    number("duration", statement.predicate().duration_microseconds)?;
    for (subject, shard) in subjects.iter().zip(shards) {
        let name = shard.name.as_str();
        if subject.name() != name {
            return refuse(format!(
                "shard {name} is measured where another is the subject"
            ));
        }
        let Some(verity) = subject.digests().fsverity_sha256() else {
            return refuse(format!("shard {name} has no fs-verity digest"));
        };
        let named = |algorithm| subject.digests().iter().any(|(name, _)| name == algorithm);
        if named(crate::DigestSet::SHA256) && subject.digests().sha256().is_none() {
            return refuse(format!("shard {name} has a malformed SHA-256 digest"));
        }
        if verity == shard.challenged_verity {
            return refuse(format!(
                "shard {name} was not measured with the challenge: its digest is the one without salt"
            ));
        }
        let is_simulated = statement.predicate().device.simulated;
        if is_simulated && shard.residency.verdict != ResidencyVerdict::Unproven {
            return refuse(format!(
                "shard {name} is on a simulated device, of which no rate shows anything"
            ));
        }
        number("size", shard.size_bytes)?;
        number("duration", shard.duration_microseconds)?;
        number("rate", shard.bytes_per_second)?;
    }
    Ok(())
}

fn check_texts(evidence: &Evidence) -> Checked {
    text("device's name", &evidence.device.name, MAX_NAME)?;
    text("driver's version", &evidence.device.driver, MAX_NAME)?;
    text("library's name", &evidence.library.name, MAX_NAME)?;
    text("library's version", &evidence.library.version, MAX_NAME)?;
    for shard in &evidence.shards {
        text("residency's reason", &shard.residency.reason, MAX_TEXT)?;
    }
    for finding in &evidence.policy.findings {
        text("check's id", &finding.id, MAX_NAME)?;
        text("observation", &finding.observed, MAX_TEXT)?;
        text("expectation", &finding.expected, MAX_TEXT)?;
    }
    Ok(())
}

fn check_findings(evidence: &Evidence) -> Checked {
    let policy = &evidence.policy;
    if policy.findings.len() > MAX_FINDINGS {
        return refuse(format!(
            "{} findings, the limit is {MAX_FINDINGS}",
            policy.findings.len()
        ));
    }
    let names: std::collections::HashSet<_> =
        evidence.shards.iter().map(|shard| &shard.name).collect();
    for finding in &policy.findings {
        if let Some(shard) = finding.shard.as_ref().filter(|name| !names.contains(name)) {
            return refuse(format!(
                "a finding of {} is about shard {shard}, which is no subject",
                finding.id
            ));
        }
    }
    let verdict = PolicyVerdict::over(&policy.findings);
    if policy.verdict != verdict {
        return refuse(format!(
            "the policy's verdict is said to be {}, its findings add up to {verdict}",
            policy.verdict
        ));
    }
    Ok(())
}

/// The check that says whether confidential computing is on.
const CONFIDENTIAL_COMPUTE: &str = "device.confidential-compute";

/// What the policy found of confidential computing and what is said of it beside the report were asked apart.
fn check_found_confidential(evidence: &Evidence) -> Checked {
    let mut findings = evidence.policy.findings.iter();
    let found = findings.find(|finding| finding.id == CONFIDENTIAL_COMPUTE);
    match (
        found.map(|finding| finding.status),
        &evidence.confidential_compute,
    ) {
        (Some(FindingStatus::Pass), Some(ConfidentialCompute::None { .. })) => {
            refuse("confidential computing was found to be on, and is said not to be")
        }
        (Some(FindingStatus::Fail), Some(ConfidentialCompute::Report { .. })) => {
            refuse("confidential computing was found to be off, and there is a report")
        }
        _ => Ok(()),
    }
}

fn check_report(statement: &EvidenceStatement) -> Checked {
    check_found_confidential(statement.predicate())?;
    match &statement.predicate().confidential_compute {
        None => Ok(()),
        Some(ConfidentialCompute::None { reason } | ConfidentialCompute::Failed { reason }) => {
            text("reason", reason, MAX_TEXT)
        }
        Some(ConfidentialCompute::Report {
            nonce,
            report,
            certificate_chain,
            ..
        }) => {
            for bytes in [report.as_bytes(), certificate_chain.as_bytes()] {
                if bytes.is_empty() || bytes.len() > MAX_REPORT {
                    return refuse(format!(
                        "a report or its certificates take 1 to {MAX_REPORT} bytes, there are {}",
                        bytes.len()
                    ));
                }
            }
            match statement.confidential_compute_nonce() {
                Ok(expected) if expected == *nonce => Ok(()),
                _ => {
                    refuse("the device's report was asked for another statement: its nonce differs")
                }
            }
        }
    }
}

fn number(what: &str, found: u64) -> Checked {
    if found <= MAX_NUMBER {
        return Ok(());
    }
    refuse(format!("a {what} is {found}, the limit is {MAX_NUMBER}"))
}

/// Text as evidence takes it: what was seen or concluded, in one line, no longer than the limit and never empty.
/// Characters that would mislead a reader are replaced, and where something was cut off it says so.
#[must_use]
pub fn fitting_text(seen: &str) -> String {
    const CUT: &str = " […]";
    let replaced = |character: char| {
        if misleads(character) {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    };
    let mut text: String = seen.chars().map(replaced).collect();
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT.saturating_sub(CUT.len())));
        text.push_str(CUT);
    }
    if text.is_empty() {
        text.push_str("nothing");
    }
    text
}

/// One line that shows what it holds.
fn text(what: &str, found: &str, limit: usize) -> Checked {
    if found.is_empty() || found.len() > limit {
        return refuse(format!(
            "the {what} is {} bytes long: give 1 to {limit}",
            found.len()
        ));
    }
    if found.chars().any(misleads) {
        return refuse(format!(
            "the {what} holds a control character or one that reorders its line"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_made_to_fit() {
        let long = "é".repeat(MAX_TEXT);
        for seen in ["", "as it is", "a\nb\u{202e}c", "\u{feff}", &long] {
            let fitting = fitting_text(seen);

            text("text", &fitting, MAX_TEXT).unwrap();
            assert_eq!(fitting_text(&fitting), fitting, "it fits already");
        }
        assert_eq!(fitting_text("as it is"), "as it is");
        assert_eq!(fitting_text("a\nb"), "a\u{fffd}b");
        assert!(fitting_text(&long).ends_with("é […]"));
        let full = "a".repeat(MAX_TEXT);
        assert_eq!(fitting_text(&full), full);
        let cut = fitting_text(&format!("{full}a"));
        assert!(cut.ends_with("a […]") && cut.len() <= MAX_TEXT);
    }
}
