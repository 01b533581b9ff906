//! The rows of the catalogue, with what their tests came to.

use std::collections::BTreeMap;

use super::model::{
    Driver, Outcome, Row, RowResult, RowTest, Section, Specification, Status, StatusCounts,
    TestRecord,
};
use crate::catalogue;

/// The results of each test.
pub(super) struct Results<'r>(BTreeMap<&'r str, Vec<&'r TestRecord>>);

impl<'r> Results<'r> {
    pub(super) fn new(records: &'r [TestRecord]) -> Self {
        let mut by_id: BTreeMap<&str, Vec<&TestRecord>> = BTreeMap::new();
        for record in records {
            by_id.entry(&record.id).or_default().push(record);
        }
        Self(by_id)
    }

    /// A test's results, as they are shown beside what it claims.
    pub(super) fn of(&self, id: &str) -> RowTest {
        let records = self.0.get(id).map(Vec::as_slice).unwrap_or_default();
        RowTest {
            id: id.to_owned(),
            results: records.iter().map(|record| shown(record)).collect(),
        }
    }
}

fn shown(record: &TestRecord) -> RowResult {
    RowResult {
        driver: record.driver,
        machine: record.machine.clone(),
        outcome: record.outcome,
        reason: record.reason.clone(),
    }
}

/// What tests come to together, and what is to be said beside it.
///
/// What failed or is missing weighs more than what passed: one test that failed makes the row fail, and one
/// that was not run leaves it open.
pub(super) fn judge(device: bool, tests: &[RowTest]) -> (Status, Vec<String>) {
    if tests.is_empty() {
        return (Status::NotCovered, Vec::new());
    }
    let results = || {
        tests
            .iter()
            .flat_map(|test| test.results.iter().map(move |result| (test, result)))
    };
    let failed = results().filter(|(_, result)| result.outcome == Outcome::Failed);
    let failed: Vec<String> = failed
        .map(|(test, result)| format!("{} failed ({})", test.id, place(result)))
        .collect();
    if !failed.is_empty() {
        return (Status::Failed, failed);
    }
    let not_run = tests.iter().filter(|test| test.results.is_empty());
    let not_run: Vec<String> = not_run
        .map(|test| format!("{} was not run", test.id))
        .collect();
    if !not_run.is_empty() {
        return (Status::NotRun, not_run);
    }
    let skipped = results().filter(|(_, result)| result.outcome == Outcome::Skipped);
    let skipped: Vec<String> = skipped
        .map(|(test, result)| {
            let why = result.reason.as_deref().unwrap_or("it doesn't say why");
            format!("{} was skipped ({}): {why}", test.id, place(result))
        })
        .collect();
    let mut passed = results()
        .filter(|(_, result)| result.outcome == Outcome::Passed)
        .peekable();
    if passed.peek().is_none() {
        return (Status::Skipped, skipped);
    }
    if device && !passed.any(|(_, result)| result.driver == Driver::Gpu) {
        return (Status::SimulatedOnly, skipped);
    }
    (Status::Passed, skipped)
}

/// Where a result is from.
fn place(result: &RowResult) -> &str {
    match result.driver {
        Driver::Host => "host",
        Driver::Simulated => "simulated",
        Driver::Gpu => &result.machine,
    }
}

fn row(row: &catalogue::Row, results: &Results<'_>) -> Row {
    let tests: Vec<_> = row.tests.iter().map(|id| results.of(id)).collect();
    let (status, notes) = judge(row.device, &tests);
    let shown = matches!(status, Status::Passed | Status::SimulatedOnly);
    let status = if shown && !fixed_test_passed(row.fixed_name(), &tests) {
        Status::Skipped
    } else {
        status
    };
    Row {
        id: row.id.clone(),
        title: row.title.clone(),
        means: row.means.clone(),
        severity: row.severity.clone(),
        mitigation: row.mitigation.clone(),
        device: row.device,
        status,
        notes,
        tests,
    }
}

/// Whether the one test that the row names passed anywhere. Others can't take its place.
fn fixed_test_passed(name: Option<&str>, tests: &[RowTest]) -> bool {
    let Some(name) = name else {
        return true;
    };
    let is_it = |test: &&RowTest| test.id.rsplit([':', ' ']).next() == Some(name);
    let mut named = tests.iter().filter(is_it).peekable();
    let passed = |test: &RowTest| {
        let mut results = test.results.iter();
        results.any(|result| result.outcome == Outcome::Passed)
    };
    named.peek().is_none() || named.any(passed)
}

/// The rows of vulnerabilities, in the catalogue's order.
pub(super) fn rows(rows: &[catalogue::Row], results: &Results<'_>) -> Vec<Row> {
    rows.iter().map(|one| row(one, results)).collect()
}

/// The specifications in the order of their names, their sections and rows in the catalogue's.
pub(super) fn specifications(rows: &[catalogue::Row], results: &Results<'_>) -> Vec<Specification> {
    let mut specifications: BTreeMap<&str, Vec<Section>> = BTreeMap::new();
    for one in rows {
        let sections = specifications.entry(&one.doc).or_default();
        let judged = row(one, results);
        match sections
            .iter_mut()
            .find(|section| section.title == one.section)
        {
            Some(section) => section.rows.push(judged),
            None => sections.push(Section {
                title: one.section.clone(),
                rows: vec![judged],
            }),
        }
    }
    let specifications = specifications.into_iter();
    specifications
        .map(|(doc, sections)| Specification {
            doc: doc.to_owned(),
            counts: count(
                sections
                    .iter()
                    .flat_map(|section| &section.rows)
                    .map(|row| row.status),
            ),
            sections,
        })
        .collect()
}

/// How many have each status.
pub(super) fn count(statuses: impl IntoIterator<Item = Status>) -> StatusCounts {
    let mut counts = StatusCounts::default();
    for status in statuses {
        let counter = match status {
            Status::Passed => &mut counts.passed,
            Status::Failed => &mut counts.failed,
            Status::Skipped => &mut counts.skipped,
            Status::SimulatedOnly => &mut counts.simulated_only,
            Status::NotRun => &mut counts.not_run,
            Status::NotCovered => &mut counts.not_covered,
        };
        *counter = counter.saturating_add(1);
        counts.total = counts.total.saturating_add(1);
    }
    counts
}

/// The counts of all of them together.
pub(super) fn sum<'c>(all: impl IntoIterator<Item = &'c StatusCounts>) -> StatusCounts {
    let mut sum = StatusCounts::default();
    for counts in all {
        for (counter, more) in [
            (&mut sum.total, counts.total),
            (&mut sum.passed, counts.passed),
            (&mut sum.failed, counts.failed),
            (&mut sum.skipped, counts.skipped),
            (&mut sum.simulated_only, counts.simulated_only),
            (&mut sum.not_run, counts.not_run),
            (&mut sum.not_covered, counts.not_covered),
        ] {
            *counter = counter.saturating_add(more);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(id: &str, results: &[(Driver, Outcome)]) -> RowTest {
        let results = results.iter();
        RowTest {
            id: id.to_owned(),
            results: results
                .map(|(driver, outcome)| RowResult {
                    driver: *driver,
                    machine: "H100".to_owned(),
                    outcome: *outcome,
                    reason: (*outcome == Outcome::Skipped).then(|| "no compiler".to_owned()),
                })
                .collect(),
        }
    }

    const PASSED: (Driver, Outcome) = (Driver::Simulated, Outcome::Passed);
    const SKIPPED: (Driver, Outcome) = (Driver::Simulated, Outcome::Skipped);
    const FAILED: (Driver, Outcome) = (Driver::Simulated, Outcome::Failed);
    const GPU_PASSED: (Driver, Outcome) = (Driver::Gpu, Outcome::Passed);
    const GPU_FAILED: (Driver, Outcome) = (Driver::Gpu, Outcome::Failed);

    fn status(device: bool, tests: &[RowTest]) -> Status {
        judge(device, tests).0
    }

    #[test]
    fn one_failure_on_any_driver_makes_the_row_fail() {
        let tests = [
            test("a", &[PASSED, GPU_FAILED]),
            test("b", &[PASSED]),
            test("c", &[]),
        ];

        let (status, notes) = judge(false, &tests);

        assert_eq!(status, Status::Failed);
        assert_eq!(notes, ["a failed (H100)"]);
        assert_eq!(
            judge(true, &[test("a", &[FAILED, GPU_PASSED])]).0,
            Status::Failed
        );
    }

    #[test]
    fn a_row_whose_own_test_was_skipped_is_not_shown_by_others() {
        let own = |outcome| test("vram-seal tag::tests::test_it", &[outcome]);
        let other = test("vram-seal tag::tests::another", &[PASSED]);

        let passed = |tests: &[RowTest]| fixed_test_passed(Some("test_it"), tests);

        assert!(passed(&[own(PASSED), other.clone()]));
        assert!(!passed(&[own(SKIPPED), other.clone()]));
        assert!(passed(std::slice::from_ref(&other)));
        assert!(fixed_test_passed(None, &[own(SKIPPED), other]));
    }

    #[test]
    fn a_row_without_tests_is_not_covered() {
        assert_eq!(status(false, &[]), Status::NotCovered);
    }

    #[test]
    fn a_claim_that_was_not_run_leaves_the_row_open() {
        let (status, notes) = judge(false, &[test("a", &[PASSED]), test("b", &[])]);

        assert_eq!(status, Status::NotRun);
        assert_eq!(notes, ["b was not run"]);
    }

    #[test]
    fn skipped_tests_alone_show_nothing() {
        let (status, notes) = judge(false, &[test("a", &[SKIPPED]), test("b", &[SKIPPED])]);

        assert_eq!(status, Status::Skipped);
        assert_eq!(notes[0], "a was skipped (simulated): no compiler");
    }

    #[test]
    fn what_was_skipped_beside_what_passed_is_noted() {
        let (status, notes) = judge(false, &[test("a", &[PASSED]), test("b", &[SKIPPED])]);

        assert_eq!(status, Status::Passed);
        assert_eq!(notes.len(), 1);
    }

    #[test]
    fn a_row_about_the_device_needs_a_pass_on_a_device() {
        assert_eq!(status(true, &[test("a", &[PASSED])]), Status::SimulatedOnly);
        assert_eq!(
            status(true, &[test("a", &[PASSED, GPU_PASSED])]),
            Status::Passed
        );
        assert_eq!(
            status(
                true,
                &[test("a", &[PASSED, (Driver::Gpu, Outcome::Skipped)])]
            ),
            Status::SimulatedOnly
        );
        assert_eq!(status(false, &[test("a", &[PASSED])]), Status::Passed);
    }

    #[test]
    fn counts_add_up() {
        let counts = count([
            Status::Passed,
            Status::Failed,
            Status::NotCovered,
            Status::Passed,
        ]);

        assert_eq!(
            (
                counts.total,
                counts.passed,
                counts.failed,
                counts.not_covered
            ),
            (4, 2, 1, 1)
        );
        assert_eq!(sum([&counts, &counts]).total, 8);
    }
}
