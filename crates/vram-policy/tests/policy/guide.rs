//! The guide lists every check as it is. `VRAM_BLESS=1` writes its lists anew.

use std::fmt::Write as _;
use std::path::Path;

use vram_policy::{
    CheckId, DeviceFacts, DriverModel, Finding, HostFacts, OperatingSystem, Policy, Profile,
    RegionFacts, Severity,
};

use crate::golden::assert_file;
use crate::subjects::Machine;

const GUIDE: &str = "../../docs/guides/policy.md";
const BEGIN: &str = "<!-- The checks: written by the tests of vram-policy from its tables. -->\n";
const END: &str = "<!-- End of the checks. -->\n";

/// What each profile does about a check, as a row of a table.
fn row(id: CheckId) -> String {
    let cells: Vec<String> = Profile::ALL
        .iter()
        .map(|profile| {
            let policy = Policy::new(*profile);
            let [failing, unknown] = [policy.enforcement(id), policy.enforcement_when_unknown(id)];
            if failing == unknown {
                failing.to_string()
            } else {
                format!("{failing}, {unknown} if unknown")
            }
        })
        .collect();
    let anchor = id.as_str().replace('.', "");
    format!("| [`{id}`](#{anchor}) | {} |\n", cells.join(" | "))
}

/// The findings of every check, about nothing and about a machine that passes.
fn findings() -> (Vec<Finding>, Vec<Finding>) {
    let nothing = Machine {
        device: DeviceFacts::default(),
        host: HostFacts::default(),
        region: RegionFacts {
            expected_frozen: true,
            ..RegionFacts::unobserved(0, 0)
        },
    };
    // On Linux there is no driver model to pass for.
    let mut passing = Machine::perfect();
    passing.device.system = Some(OperatingSystem::Windows);
    passing.device.management.driver_model = Some(DriverModel::Tcc);
    passing.device.tcc_driver = None;
    let of = |machine: Machine| machine.judged_by(&Policy::strict()).findings().to_vec();
    (of(nothing), of(passing))
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
        _ => "unnamed",
    }
}

fn section(finding: &Finding, passing: &Finding) -> String {
    let mut text = format!("### {}\n\n", finding.id);
    let observed: Vec<String> = finding
        .source
        .attributes
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    write!(
        text,
        "{}\n\n- Severity: {}\n- Observed: {}\n- Passes with: {}\n- To fix: {}\n- Source: {}\n\n",
        finding.meaning,
        severity(finding.severity),
        observed.join(", "),
        passing.expected,
        finding.remedy,
        finding.source.documentation,
    )
    .unwrap();
    text
}

fn lists() -> String {
    let mut text = format!("{BEGIN}\n| check | strict | standard | development |\n");
    text.push_str("| --- | --- | --- | --- |\n");
    for id in CheckId::ALL {
        text.push_str(&row(*id));
    }
    text.push('\n');
    let (unknown, passing) = findings();
    let mut of = "";
    for (finding, passing) in unknown.iter().zip(&passing) {
        let subject = finding.id.as_str().split_once('.').unwrap().0;
        if subject != of {
            of = subject;
            let title = match of {
                "device" => "The device",
                "host" => "The machine around it, and our own process",
                _ => "The region",
            };
            write!(text, "## {title}\n\n").unwrap();
        }
        text.push_str(&section(finding, passing));
    }
    text.push_str(END);
    text
}

#[test]
fn the_guide_lists_every_check_with_its_enforcement_in_each_profile() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GUIDE);
    let guide = std::fs::read_to_string(path).unwrap();
    let (before, rest) = guide.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();

    assert_file(GUIDE, &format!("{before}{}{after}", lists()));
}

#[test]
fn the_lists_name_every_check_in_the_published_order() {
    let (unknown, passing) = findings();

    for findings in [unknown, passing] {
        let ids: Vec<CheckId> = findings.iter().map(|finding| finding.id).collect();
        assert_eq!(ids, CheckId::ALL);
    }
}
