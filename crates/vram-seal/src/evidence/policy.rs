//! What the policy found, as plain data. The words are those of the policy's own reports.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ShardId;

macro_rules! words {
    ($(#[$attribute:meta])* $name:ident { $($(#[$of_word:meta])* $word:ident = $text:literal),+ $(,)? }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$of_word])* $word,)+
        }

        impl $name {
            /// The text form that JSON uses too.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        }
    };
}

words! {
    /// What the check of a finding concluded.
    FindingStatus {
        /// Observed, and as it must be.
        Pass = "pass",
        /// The check has no meaning there.
        NotApplicable = "not-applicable",
        /// Observed, not as it should be, and tolerated.
        Warn = "warn",
        /// Not observed. Never counts as passed.
        Unknown = "unknown",
        /// Observed, and not as it must be.
        Fail = "fail",
    }
}

words! {
    /// How much a check matters when it does not pass.
    FindingSeverity {
        /// Worth knowing.
        Low = "low",
        /// Weakens a guarantee.
        Medium = "medium",
        /// Breaks a guarantee under conditions that can arise.
        High = "high",
        /// The guarantee does not hold.
        Critical = "critical",
    }
}

words! {
    /// How a check that does not pass counts. From the mildest to the hardest.
    FindingEnforcement {
        /// It is shown.
        Note = "note",
        /// It is tolerated, and the verdict says so.
        Warn = "warn",
        /// It stands in the way of acceptance.
        Refuse = "refuse",
    }
}

words! {
    /// How strictly the policy judged. From the most to the least demanding.
    Profile {
        /// What could not be observed refuses too.
        Strict = "strict",
        /// For operation.
        Standard = "standard",
        /// For a developer's machine.
        Development = "development",
    }
}

words! {
    /// What the findings add up to. From best to worst.
    PolicyVerdict {
        /// Everything that applies was observed and is as it must be, or is no more than noted.
        Accepted = "accepted",
        /// As above, but for findings that are tolerated.
        AcceptedWithWarnings = "accepted-with-warnings",
        /// Something that is enforced could not be observed. Not an acceptance.
        Undecided = "undecided",
        /// Something was observed that must not be.
        Refused = "refused",
    }
}

impl PolicyVerdict {
    /// What these findings add up to. Where nothing applied, nothing is accepted.
    #[must_use]
    pub fn over(findings: &[EvidenceFinding]) -> Self {
        use FindingEnforcement::{Note, Refuse};
        use FindingStatus::{Fail, NotApplicable, Pass, Unknown};
        let verdict = |finding: &EvidenceFinding| match (finding.status, finding.enforcement) {
            (NotApplicable, _) => None,
            (Pass, _) => Some(Self::Accepted),
            (Fail, Refuse) => Some(Self::Refused),
            (Unknown, Refuse) => Some(Self::Undecided),
            (_, Note) => Some(Self::Accepted),
            (_, _) => Some(Self::AcceptedWithWarnings),
        };
        findings
            .iter()
            .filter_map(verdict)
            .max()
            .unwrap_or(Self::Undecided)
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvidenceFinding {
    /// Which check.
    pub id: String,
    /// The shard that was looked at; none for the device and the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardId>,
    /// What the check concluded.
    pub status: FindingStatus,
    /// How much it matters when it does not pass.
    pub severity: FindingSeverity,
    /// How it counts when it does not pass.
    pub enforcement: FindingEnforcement,
    /// What the profile alone asks for, where configuration raised or lowered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_or_lowered_from: Option<FindingEnforcement>,
    /// What was seen.
    pub observed: String,
    /// What had to be seen.
    pub expected: String,
}

impl EvidenceFinding {
    /// Whether configuration made it count for less than the profile does.
    #[must_use]
    pub fn was_lowered(&self) -> bool {
        self.raised_or_lowered_from
            .is_some_and(|from| self.enforcement < from)
    }
}

/// All findings, passed ones too, and what they add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyFindings {
    /// How strictly it was judged.
    pub profile: Profile,
    /// What the findings add up to. A verifier computes it anew.
    pub verdict: PolicyVerdict,
    /// What each check found.
    pub findings: Vec<EvidenceFinding>,
}

impl PolicyFindings {
    /// These findings with their verdict.
    #[must_use]
    pub fn new(profile: Profile, findings: Vec<EvidenceFinding>) -> Self {
        Self {
            profile,
            verdict: PolicyVerdict::over(&findings),
            findings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(status: FindingStatus, enforcement: FindingEnforcement) -> EvidenceFinding {
        EvidenceFinding {
            id: "region.not-managed".to_owned(),
            shard: None,
            status,
            severity: FindingSeverity::Critical,
            enforcement,
            raised_or_lowered_from: None,
            observed: "IS_MANAGED 0".to_owned(),
            expected: "IS_MANAGED 0".to_owned(),
        }
    }

    #[test]
    fn the_worst_finding_decides_and_nothing_is_no_acceptance() {
        use FindingEnforcement::{Note, Refuse, Warn};
        use FindingStatus::{Fail, NotApplicable, Pass, Unknown};
        let over = |findings: &[(FindingStatus, FindingEnforcement)]| {
            let findings: Vec<_> = findings.iter().map(|&(s, e)| finding(s, e)).collect();
            PolicyVerdict::over(&findings)
        };
        assert_eq!(over(&[]), PolicyVerdict::Undecided);
        assert_eq!(over(&[(NotApplicable, Refuse)]), PolicyVerdict::Undecided);
        assert_eq!(over(&[(Pass, Refuse)]), PolicyVerdict::Accepted);
        assert_eq!(
            over(&[(Pass, Refuse), (Fail, Note)]),
            PolicyVerdict::Accepted
        );
        assert_eq!(
            over(&[(Pass, Refuse), (Unknown, Warn)]),
            PolicyVerdict::AcceptedWithWarnings
        );
        assert_eq!(
            over(&[(Pass, Refuse), (Unknown, Refuse)]),
            PolicyVerdict::Undecided
        );
        assert_eq!(
            over(&[(Fail, Refuse), (Unknown, Refuse), (Pass, Refuse)]),
            PolicyVerdict::Refused
        );
    }

    #[test]
    fn a_check_that_counts_for_less_than_its_profile_says_was_lowered() {
        let mut finding = finding(FindingStatus::Fail, FindingEnforcement::Warn);
        assert!(!finding.was_lowered());
        finding.raised_or_lowered_from = Some(FindingEnforcement::Refuse);
        assert!(finding.was_lowered());
        finding.raised_or_lowered_from = Some(FindingEnforcement::Warn);
        assert!(!finding.was_lowered());
        finding.raised_or_lowered_from = Some(FindingEnforcement::Note);
        assert!(!finding.was_lowered());
    }

    #[test]
    fn words_read_the_same_in_text_and_in_json() {
        let json = |word: &dyn erased::Word| word.json();
        for word in [
            &FindingStatus::NotApplicable as &dyn erased::Word,
            &PolicyVerdict::AcceptedWithWarnings,
            &Profile::Development,
            &FindingSeverity::Critical,
            &FindingEnforcement::Refuse,
        ] {
            assert_eq!(json(word), format!("\"{word}\""));
        }
    }

    mod erased {
        pub(super) trait Word: std::fmt::Display {
            fn json(&self) -> String;
        }

        impl<T: serde::Serialize + std::fmt::Display> Word for T {
            fn json(&self) -> String {
                serde_json::to_string(self).unwrap()
            }
        }
    }
}
