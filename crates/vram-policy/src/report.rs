//! Findings together, and the verdict they add up to.

use serde::Serialize;

use crate::check_id::CheckId;
use crate::finding::{Finding, Status};
use crate::profile::{Enforcement, Profile};
use crate::refusal::Refusal;

/// The findings of one assessment, in the order of the checks.
///
/// Only a [`Policy`](crate::Policy) makes one. It can be written out but not read back in: a
/// report that was merely received decides nothing here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    verdict: Verdict,
    /// `None` where reports of several profiles were put together.
    profile: Option<Profile>,
    findings: Vec<Finding>,
}

/// What a report says as a whole. The order is from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// Everything that applies was observed and is as it must be, or is no more than noted.
    Accepted,
    /// As above, but for findings that are tolerated: not as they should be, or not observed.
    AcceptedWithWarnings,
    /// Nothing that is enforced failed, but something of it could not be observed. Not an acceptance.
    Undecided,
    /// Something was observed that must not be.
    Refused,
}

impl Verdict {
    /// Whether the subject may be used.
    #[must_use]
    pub const fn accepts(self) -> bool {
        match self {
            Self::Accepted | Self::AcceptedWithWarnings => true,
            Self::Undecided | Self::Refused => false,
        }
    }

    /// The verdict over findings with these statuses and enforcements. Where nothing applied, nothing is
    /// accepted.
    fn over(findings: impl Iterator<Item = (Status, Enforcement)>) -> Self {
        let mut worst = None;
        for (status, enforcement) in findings {
            let verdict = match (status, enforcement) {
                (Status::NotApplicable, _) => continue,
                (Status::Pass, _) => Self::Accepted,
                (Status::Fail, Enforcement::Refuse) => Self::Refused,
                (Status::Unknown, Enforcement::Refuse) => Self::Undecided,
                (_, Enforcement::Note) => Self::Accepted,
                (_, Enforcement::Warn | Enforcement::Refuse) => Self::AcceptedWithWarnings,
            };
            worst = worst.max(Some(verdict));
        }
        worst.unwrap_or(Self::Undecided)
    }
}

impl Report {
    pub(crate) fn new(profile: Option<Profile>, findings: Vec<Finding>) -> Self {
        let verdict = Verdict::over(findings.iter().map(|f| (f.status, f.enforcement)));
        Self {
            verdict,
            profile,
            findings,
        }
    }

    /// The profile that the facts were judged by; `None` where reports of several were put together.
    #[must_use]
    pub fn profile(&self) -> Option<Profile> {
        self.profile
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Every finding, passed ones too.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The finding of one check, where the report has it.
    #[must_use]
    pub fn finding(&self, id: CheckId) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.id == id)
    }

    /// Puts the findings of another assessment behind these.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.findings.extend(other.findings);
        let profile = self.profile.filter(|_| self.profile == other.profile);
        Self::new(profile, self.findings)
    }

    /// Nothing where the verdict accepts, and otherwise the refusal with the findings that stand
    /// in the way.
    ///
    /// # Errors
    ///
    /// [`Refusal`] where a finding failed, could not be observed, or nothing was observed.
    pub fn enforce(&self) -> Result<(), Refusal> {
        if self.verdict.accepts() {
            return Ok(());
        }
        let blocking = self.findings.iter().filter(|finding| finding.blocks());
        Err(Refusal::new(blocking.cloned().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Fail, NotApplicable, Pass, Unknown, Warn};

    fn verdict(statuses: &[Status]) -> Verdict {
        enforced(Enforcement::Refuse, statuses)
    }

    fn enforced(enforcement: Enforcement, statuses: &[Status]) -> Verdict {
        Verdict::over(statuses.iter().map(|status| (*status, enforcement)))
    }

    #[test]
    fn the_worst_finding_decides_wherever_it_stands() {
        assert_eq!(verdict(&[Pass, Pass]), Verdict::Accepted);
        assert_eq!(verdict(&[Warn, Pass]), Verdict::AcceptedWithWarnings);
        assert_eq!(verdict(&[Pass, Unknown, Warn]), Verdict::Undecided);
        assert_eq!(verdict(&[Fail, Unknown, Pass]), Verdict::Refused);
        assert_eq!(verdict(&[Pass, Unknown, Fail]), Verdict::Refused);
    }

    #[test]
    fn nothing_observed_is_nothing_accepted() {
        assert_eq!(verdict(&[]), Verdict::Undecided);
        assert_eq!(verdict(&[NotApplicable, NotApplicable]), Verdict::Undecided);
        assert!(Report::new(None, Vec::new()).enforce().is_err());
    }

    #[test]
    fn what_is_tolerated_warns_and_what_is_noted_changes_nothing() {
        for status in [Fail, Unknown, Warn] {
            assert_eq!(
                enforced(Enforcement::Warn, &[Pass, status]),
                Verdict::AcceptedWithWarnings
            );
            assert_eq!(
                enforced(Enforcement::Note, &[Pass, status]),
                Verdict::Accepted
            );
        }
    }

    #[test]
    fn what_does_not_apply_changes_nothing() {
        assert_eq!(verdict(&[NotApplicable, Pass]), Verdict::Accepted);
        assert_eq!(verdict(&[NotApplicable, Fail]), Verdict::Refused);
    }

    #[test]
    fn only_the_two_acceptances_accept() {
        assert!(Verdict::Accepted.accepts());
        assert!(Verdict::AcceptedWithWarnings.accepts());
        assert!(!Verdict::Undecided.accepts());
        assert!(!Verdict::Refused.accepts());
    }
}
