//! What one check means, without examining anything.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Serialize;
use vram_policy::{
    CheckId, DeviceFacts, Enforcement, Finding, HostFacts, Policy, Profile, RegionFacts,
};

use super::layout::labelled;
use super::{SCHEMA, table};
use crate::cli::Format;
use crate::exit::Exit;
use crate::output::{Document, LABEL, Output};

#[derive(Serialize)]
struct ExplainDocument<'a> {
    schema: &'static str,
    check: Explained<'a>,
}

/// A check, as its finding describes it.
#[derive(Serialize)]
struct Explained<'a> {
    id: CheckId,
    severity: vram_policy::Severity,
    expected: &'a str,
    meaning: &'a str,
    remedy: &'a str,
    source: &'a vram_policy::Source,
    /// How it counts in each profile.
    enforcement: BTreeMap<String, Counts>,
}

/// How a check counts that does not pass.
#[derive(Serialize)]
struct Counts {
    /// When something else was observed than was wanted.
    failing: Enforcement,
    /// When it could not be observed.
    unknown: Enforcement,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { failing, unknown } = self;
        if failing == unknown {
            return write!(f, "{failing}");
        }
        write!(f, "{failing}, unknown: {unknown}")
    }
}

pub(super) fn run(id: CheckId, format: Format) -> anyhow::Result<Exit> {
    let finding = unobserved(id).with_context(|| format!("{id} judges no subject"))?;
    let enforcement = Profile::ALL.iter().map(|profile| {
        let policy = Policy::new(*profile);
        let counts = Counts {
            failing: policy.enforcement(id),
            unknown: policy.enforcement_when_unknown(id),
        };
        (profile.to_string(), counts)
    });
    if format.json {
        let check = Explained {
            id,
            severity: finding.severity,
            expected: &finding.expected,
            meaning: &finding.meaning,
            remedy: &finding.remedy,
            source: &finding.source,
            enforcement: enforcement.collect(),
        };
        let schema = SCHEMA;
        let document = Document::new("doctor", ExplainDocument { schema, check });
        Output::default().json(&document)?;
    } else {
        let counts: Vec<_> = enforcement
            .map(|(profile, counts)| format!("{profile}: {counts}"))
            .collect();
        Output::default().text(&text(&finding, &counts.join("; ")))?;
    }
    Ok(Exit::Good)
}

/// What the check finds where nothing was observed: all that it says of itself.
fn unobserved(id: CheckId) -> Option<Finding> {
    let policy = Policy::strict();
    let reports = [
        policy.assess_host(&HostFacts::default()),
        policy.assess_device(&DeviceFacts::default()),
        policy.assess_region(&RegionFacts::unobserved(0, 0)),
    ];
    let mut findings = reports.iter().filter_map(|report| report.finding(id));
    findings.next().cloned()
}

fn text(finding: &Finding, counts: &str) -> String {
    let width = table::width();
    let mut text = format!("{LABEL}{}{LABEL:#}\n\n", finding.id);
    let asked = finding.source.attributes.join(", ");
    for (label, value) in [
        ("Means", finding.meaning.as_ref()),
        ("Asks", &asked),
        ("After", &finding.source.documentation),
        ("Wants", &finding.expected),
        ("Fix", &finding.remedy),
        ("Counts", counts),
    ] {
        labelled(&mut text, 2, label, value, width);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_can_be_explained() {
        for id in CheckId::ALL {
            let finding = unobserved(*id).unwrap();

            assert_eq!(finding.id, *id);
            let text = text(&finding, "strict: refuse");
            assert!(text.contains("Means") && text.contains("Fix"), "{text}");
        }
    }
}
