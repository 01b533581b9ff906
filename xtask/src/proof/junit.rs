//! What cargo-nextest wrote: a `JUnit` report with the output of every test, those that passed too.

use anyhow::Context as _;
use quick_junit::{Report, TestCase, TestCaseStatus};

use super::model::{Driver, Kind, Outcome, TestRecord};
use super::results::{HERE, output_hash, skip, without_name};

/// How much of a failure is quoted, in characters. All of it is in the file.
const QUOTED: usize = 400;
/// What a test's harness prints at its end. A process that ends on its own before that has tested nothing.
const HARNESS_PASSED: &str = "test result: ok. 1 passed;";

/// The tests of a report. Their kind and driver are still to be said.
pub(super) fn read(text: &str) -> anyhow::Result<Vec<TestRecord>> {
    let report = Report::deserialize_from_str(text).context("it is no JUnit report")?;
    let suites = report.test_suites.iter();
    let tests = suites.flat_map(|suite| {
        let cases = suite.test_cases.iter();
        cases.map(|case| record(suite.name.as_str(), case))
    });
    Ok(tests.collect())
}

fn record(binary: &str, case: &TestCase) -> TestRecord {
    let name = case.name.as_str();
    let why = |said: &str| quoted(&without_name(said.trim(), name));
    let stdout = case.system_out.as_ref().map_or("", |text| text.as_str());
    let stderr = case.system_err.as_ref().map_or("", |text| text.as_str());
    let (outcome, reason) = match &case.status {
        TestCaseStatus::Success { flaky_runs } if !flaky_runs.is_empty() => {
            let times = flaky_runs.len();
            let why = format!("it failed before it passed, {times} times");
            (Outcome::Failed, Some(why))
        }
        TestCaseStatus::Success { .. } => match skip(stdout).or_else(|| skip(stderr)) {
            Some(reason) => (Outcome::Skipped, Some(without_name(&reason, name))),
            None if stdout.contains(HARNESS_PASSED) => (Outcome::Passed, None),
            None => {
                let why = "its process ended well, and its harness reports no test that passed";
                (Outcome::Failed, Some(why.to_owned()))
            }
        },
        TestCaseStatus::NonSuccess {
            message,
            ty,
            description,
            ..
        } => {
            let said = description.as_ref().or(message.as_ref()).or(ty.as_ref());
            (Outcome::Failed, said.map(|text| why(text.as_str())))
        }
        TestCaseStatus::Skipped { message, .. } => (
            Outcome::Skipped,
            Some(message.as_ref().map_or_else(
                || "the harness left it out".to_owned(),
                |text| why(text.as_str()),
            )),
        ),
    };
    TestRecord {
        id: format!("{binary} {name}"),
        binary: binary.to_owned(),
        name: name.to_owned(),
        kind: Kind::Unit,
        driver: Driver::Host,
        machine: HERE.to_owned(),
        outcome,
        reason,
        seconds: case.time.map(|time| time.as_secs_f64()),
        output_sha256: Some(output_hash(&[stdout, stderr])),
    }
}

fn quoted(text: &str) -> String {
    let text = text.trim();
    let mut short: String = text.chars().take(QUOTED).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::proof) const REPORT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="vram-residency" tests="3" failures="1" errors="0" time="1.5">
    <testsuite name="vram-seal" tests="2" disabled="0" errors="0" failures="1">
        <testcase name="tag::tests::good" classname="vram-seal" time="0.25">
            <system-out>running 1 test
one &lt; two
test result: ok. 1 passed; 0 failed</system-out>
            <system-err></system-err>
        </testcase>
        <testcase name="tag::tests::bad" classname="vram-seal" time="0.5">
            <failure type="test failure with exit code 101">thread 'tag::tests::bad' (77) panicked at src/tag.rs</failure>
            <system-out>SKIPPED: it failed all the same</system-out>
        </testcase>
    </testsuite>
    <testsuite name="vram-tests::drivers" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="freezing::left" classname="vram-tests::drivers" time="0.01">
            <system-err>SKIPPED left: no virtual memory management</system-err>
        </testcase>
    </testsuite>
</testsuites>
"#;

    #[test]
    fn tests_have_their_ids_outcomes_and_reasons() {
        let tests = read(REPORT).unwrap();

        let found: Vec<_> = tests
            .iter()
            .map(|test| (test.id.as_str(), test.outcome, test.reason.as_deref()))
            .collect();
        assert_eq!(
            found,
            [
                ("vram-seal tag::tests::good", Outcome::Passed, None),
                (
                    "vram-seal tag::tests::bad",
                    Outcome::Failed,
                    Some("panicked at src/tag.rs")
                ),
                (
                    "vram-tests::drivers freezing::left",
                    Outcome::Skipped,
                    Some("no virtual memory management")
                ),
            ]
        );
        assert_eq!(tests[0].seconds, Some(0.25));
    }

    #[test]
    fn a_process_that_ends_well_before_its_test_did_has_not_passed() {
        let ended = REPORT.replace("test result: ok. 1 passed; 0 failed", "");

        let tests = read(&ended).unwrap();

        assert_eq!(tests[0].outcome, Outcome::Failed);
        assert!(tests[0].reason.as_ref().unwrap().contains("harness"));
    }

    #[test]
    fn a_test_that_passed_on_another_try_has_failed() {
        let flaky = REPORT.replace(
            "<system-out>running 1 test",
            "<flakyFailure type=\"test failure\">exit status 101</flakyFailure><system-out>running 1 test",
        );

        let tests = read(&flaky).unwrap();

        assert_eq!(tests[0].outcome, Outcome::Failed);
        assert!(tests[0].reason.as_ref().unwrap().contains("1 times"));
    }

    #[test]
    fn the_hash_is_of_what_was_printed() {
        let tests = read(REPORT).unwrap();

        assert_eq!(
            tests[0].output_sha256.as_deref(),
            Some(
                output_hash(&["running 1 test\none < two\ntest result: ok. 1 passed; 0 failed"])
                    .as_str()
            )
        );
        assert_ne!(tests[0].output_sha256, tests[1].output_sha256);
    }

    #[test]
    fn a_report_that_ends_too_early_is_refused() {
        let cut = REPORT.split("</testsuites>").next().unwrap();

        read(cut).unwrap_err();
    }

    #[test]
    fn a_long_failure_is_quoted_in_part() {
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), QUOTED + 1);
        assert_eq!(quoted(" short\n"), "short");
    }
}
