//! What the policy found, check by check.

use cucumber::gherkin::Step;
use cucumber::then;
use vram_policy::{Finding, Status};

use crate::world::World;

#[then("these checks passed, each with what was observed")]
fn checks_passed(world: &mut World, step: &Step) {
    let reports = world.reports();
    let table = step.table.as_ref().expect("the step has a table");
    assert_eq!(table.rows[0], ["check", "observed"]);
    for row in &table.rows[1..] {
        let mut findings = reports.iter().flat_map(|report| report.findings());
        let finding = findings.find(|found| found.id.as_str() == row[0]);
        let finding = finding.unwrap_or_else(|| panic!("{} was not checked", row[0]));
        assert_eq!(finding.status, Status::Pass, "{finding}");
        assert!(finding.observed.contains(&row[1]), "{finding}");
    }
}

#[then("the policy accepts the device, the machine and the region")]
fn accepts(world: &mut World) {
    for report in world.reports() {
        assert!(report.verdict().accepts(), "{report:?}");
    }
}

#[then("every check says what it observed, and what it expected")]
fn each_says(world: &mut World) {
    for report in world.reports() {
        assert!(!report.findings().is_empty());
        for finding in report.findings() {
            let Finding {
                observed, expected, ..
            } = finding;
            assert!(!observed.is_empty(), "{finding}");
            assert!(!expected.is_empty(), "{finding}");
        }
    }
}
