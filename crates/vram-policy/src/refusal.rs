//! The error of this crate: a policy said no.

use std::fmt;

use crate::check_id::CheckId;
use crate::finding::Finding;

/// A policy refused, for the findings listed here.
///
/// It is a type of its own rather than one case of an enum: judging fails in no other way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[must_use]
pub struct Refusal {
    findings: Vec<Finding>,
}

impl Refusal {
    pub(crate) fn new(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// The findings that stand in the way: failed ones, and ones that could not be observed. Empty
    /// where nothing was observed at all.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether a check is among the reasons.
    #[must_use]
    pub fn names(&self, id: CheckId) -> bool {
        self.findings.iter().any(|finding| finding.id == id)
    }

    /// False: the same facts are refused again. Observe anew after following the remedies.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        false
    }

    /// True: what was refused must not be used, and no weights may rest on it.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        true
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            return f.write_str("refused by policy: nothing was observed, so nothing is accepted");
        }
        f.write_str("refused by policy: ")?;
        for (position, finding) in self.findings.iter().enumerate() {
            let separator = if position == 0 { "" } else { " | " };
            write!(f, "{separator}{finding}. {}", finding.remedy)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{CheckId, DeviceFacts, Policy, Profile};

    #[test]
    fn a_refusal_names_what_stands_in_the_way_and_nothing_else() {
        let report = Policy::new(Profile::Strict).assess_device(&DeviceFacts::default());
        let refusal = report.enforce().unwrap_err();
        let named = |id: &CheckId| refusal.names(*id);

        let listed: Vec<_> = refusal
            .findings()
            .iter()
            .map(|finding| finding.id)
            .collect();

        assert!(listed.len() > 1, "{refusal}");
        let all = CheckId::ALL.iter().copied();
        assert_eq!(all.filter(named).collect::<Vec<_>>(), listed);
    }

    #[test]
    fn its_findings_are_told_in_their_order_each_with_its_remedy() {
        let report = Policy::new(Profile::Strict).assess_device(&DeviceFacts::default());
        let refusal = report.enforce().unwrap_err();

        let told: Vec<_> = refusal
            .findings()
            .iter()
            .map(|finding| format!("{finding}. {}", finding.remedy))
            .collect();

        assert_eq!(
            refusal.to_string(),
            format!("refused by policy: {}", told.join(" | "))
        );
    }
}
