//! What a check found, with everything a reader needs to act on it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::check_id::CheckId;
use crate::profile::Enforcement;

/// How much a check matters when it does not pass. It does not soften a failure: the profile
/// decides that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Weakens a guarantee.
    Medium,
    /// Breaks a guarantee under conditions that can arise in operation.
    High,
    /// The guarantee does not hold.
    Critical,
}

/// What a check concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// Observed, and as it must be.
    Pass,
    /// The check has no meaning for this subject. It is no ground for acceptance.
    NotApplicable,
    /// Observed, not as it should be, and not refused for it: the finding's [`Enforcement`] is milder than
    /// [`Refuse`](Enforcement::Refuse).
    Warn,
    /// Not observed: nobody could say. Never counts as passed.
    Unknown,
    /// Observed, and not as it must be.
    Fail,
}

impl Status {
    /// The text form that JSON uses too, for example `not-applicable`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NotApplicable => "not-applicable",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where an observation comes from, and where its meaning is documented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// What was asked for: attributes and functions of the driver and of the management library, variables
    /// of the environment, files and settings of the system, by the names that they have there.
    pub attributes: Vec<Cow<'static, str>>,
    /// The documentation that defines them.
    pub documentation: Cow<'static, str>,
}

/// The outcome of one check. It holds no device address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which check.
    pub id: CheckId,
    /// How much it matters when it does not pass.
    pub severity: Severity,
    /// What the check concluded.
    pub status: Status,
    /// What was seen, attribute by attribute. Text that came from outside is on one line, without control
    /// characters.
    pub observed: String,
    /// What had to be seen, in the same words.
    pub expected: String,
    /// What it means for the weights when the check does not pass.
    pub meaning: Cow<'static, str>,
    /// What to do about it.
    pub remedy: Cow<'static, str>,
    /// Where the observation comes from.
    pub source: Source,
    /// How it counts when it does not pass: what the policy asks for this check.
    pub enforcement: Enforcement,
    /// What the profile alone asks for, where configuration raised or lowered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_or_lowered_from: Option<Enforcement>,
}

impl Finding {
    /// Whether it stands in the way of acceptance: it failed or could not be observed, and is enforced.
    #[must_use]
    pub const fn blocks(&self) -> bool {
        matches!(self.status, Status::Fail | Status::Unknown)
            && matches!(self.enforcement, Enforcement::Refuse)
    }

    /// Whether the check passed or has no meaning here.
    #[must_use]
    pub const fn is_clear(&self) -> bool {
        matches!(self.status, Status::Pass | Status::NotApplicable)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            status,
            observed,
            expected,
            enforcement,
            ..
        } = self;
        write!(f, "{id} {status}: observed {observed}; expected {expected}")?;
        match self.raised_or_lowered_from {
            Some(from) if from < *enforcement => {
                write!(f, " (raised from {from} to {enforcement})")
            }
            Some(from) => write!(f, " (lowered from {from} to {enforcement})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_read_the_same_in_text_and_in_json() {
        use Status::{Fail, NotApplicable, Pass, Unknown, Warn};
        for status in [Pass, NotApplicable, Warn, Unknown, Fail] {
            assert_eq!(
                serde_json::to_string(&status).unwrap(),
                format!("\"{status}\"")
            );
        }
    }

    fn finding(status: Status, enforcement: Enforcement) -> Finding {
        Finding {
            id: CheckId::RegionNotManaged,
            severity: Severity::Critical,
            status,
            observed: "IS_MANAGED 1".to_owned(),
            expected: "IS_MANAGED 0".to_owned(),
            meaning: Cow::Borrowed(""),
            remedy: Cow::Borrowed(""),
            source: Source {
                attributes: Vec::new(),
                documentation: Cow::Borrowed(""),
            },
            enforcement,
            raised_or_lowered_from: None,
        }
    }

    #[test]
    fn unknown_blocks_as_failure_does_and_only_where_it_is_enforced() {
        use Status::{Fail, NotApplicable, Pass, Unknown, Warn};
        for status in [Pass, NotApplicable, Warn, Unknown, Fail] {
            let enforced = finding(status, Enforcement::Refuse);
            assert_eq!(enforced.blocks(), matches!(status, Fail | Unknown));
            assert!(!finding(status, Enforcement::Warn).blocks());
            assert!(!finding(status, Enforcement::Note).blocks());
        }
    }

    /// Covers: PO-3.
    #[test]
    fn a_finding_says_that_configuration_raised_or_lowered_it() {
        let mut finding = finding(Status::Fail, Enforcement::Refuse);
        let plain = finding.to_string();
        finding.raised_or_lowered_from = Some(Enforcement::Warn);
        let raised = finding.to_string();
        finding.enforcement = Enforcement::Note;
        let lowered = finding.to_string();

        let text = "region.not-managed fail: observed IS_MANAGED 1; expected IS_MANAGED 0";
        assert_eq!(plain, text);
        assert_eq!(raised, format!("{text} (raised from warn to refuse)"));
        assert_eq!(lowered, format!("{text} (lowered from warn to note)"));
    }

    #[test]
    fn severities_are_ordered() {
        assert!(Severity::Low < Severity::Medium);
        assert!(Severity::Medium < Severity::High);
        assert!(Severity::High < Severity::Critical);
    }
}
