//! The policy's findings, as evidence has them. What this version has no word for becomes the word that accepts
//! least.

use vram_policy::{Enforcement, Finding, Profile, Report, Severity, Status};
use vram_seal::ShardId;
use vram_seal::evidence::{
    self, EvidenceFinding, FindingEnforcement, FindingSeverity, FindingStatus, fitting_text,
};

/// The findings of a report, on a shard's region or on the device and the machine.
pub(super) fn of(shard: Option<&ShardId>, report: &Report) -> Vec<EvidenceFinding> {
    let finding = |finding: &Finding| EvidenceFinding {
        id: finding.id.as_str().to_owned(),
        shard: shard.cloned(),
        status: status(finding.status),
        severity: severity(finding.severity),
        enforcement: enforcement(finding.enforcement),
        raised_or_lowered_from: finding.raised_or_lowered_from.map(enforcement),
        observed: fitting_text(&finding.observed),
        expected: fitting_text(&finding.expected),
    };
    report.findings().iter().map(finding).collect()
}

pub(super) const fn profile(profile: Profile) -> evidence::Profile {
    match profile {
        Profile::Strict => evidence::Profile::Strict,
        Profile::Standard => evidence::Profile::Standard,
        _ => evidence::Profile::Development,
    }
}

const fn status(status: Status) -> FindingStatus {
    match status {
        Status::Pass => FindingStatus::Pass,
        Status::NotApplicable => FindingStatus::NotApplicable,
        Status::Warn => FindingStatus::Warn,
        Status::Fail => FindingStatus::Fail,
        _ => FindingStatus::Unknown,
    }
}

const fn severity(severity: Severity) -> FindingSeverity {
    match severity {
        Severity::Low => FindingSeverity::Low,
        Severity::Medium => FindingSeverity::Medium,
        Severity::High => FindingSeverity::High,
        _ => FindingSeverity::Critical,
    }
}

const fn enforcement(enforcement: Enforcement) -> FindingEnforcement {
    match enforcement {
        Enforcement::Note => FindingEnforcement::Note,
        Enforcement::Warn => FindingEnforcement::Warn,
        _ => FindingEnforcement::Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_the_policys_own() {
        for of_policy in Profile::ALL {
            assert_eq!(profile(*of_policy).as_str(), of_policy.as_str());
        }
        for of_policy in Enforcement::ALL {
            assert_eq!(enforcement(*of_policy).as_str(), of_policy.as_str());
        }
        use Status::{Fail, NotApplicable, Pass, Unknown, Warn};
        for of_policy in [Pass, NotApplicable, Warn, Unknown, Fail] {
            assert_eq!(status(of_policy).as_str(), of_policy.as_str());
        }
        for (of_policy, word) in [
            (Severity::Low, "low"),
            (Severity::Medium, "medium"),
            (Severity::High, "high"),
            (Severity::Critical, "critical"),
        ] {
            assert_eq!(severity(of_policy).as_str(), word);
        }
    }
}
