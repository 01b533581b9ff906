//! Results of tests: taken from what the test runners wrote, and kept as `results.ndjson`.
//!
//! They are a function of the bundle's own files, so that whoever checks a bundle takes them again.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::files::{DOC_TESTS, Files, GPU_RESULTS, JUNIT, JUNIT_GPU, PROPTEST, RESULTS};
use super::model::{Driver, Kind, TestRecord};
use super::{doc_tests, features, gpu_run, junit};

/// The machine of tests that ran where the bundle was made.
pub(super) const HERE: &str = "here";
/// Packages whose tests have nothing to do with a driver, simulated or not.
const WITHOUT_DRIVER: &[&str] = &[
    "vram-seal",
    "vram-policy",
    "vram-audit",
    "vram-secret",
    "vram-provenance",
    "vram-observe",
    "xtask",
];

/// What decides the random cases of property tests: `proptest/config.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Proptest {
    /// How many cases a test runs that doesn't say otherwise.
    pub(super) default_cases: Option<u64>,
    /// Where tests say otherwise: the file, the line and what it says.
    pub(super) configured: Vec<String>,
    /// Failures that were found before and are tried again first, by file.
    pub(super) regressions: Vec<String>,
    /// The ids of all property tests.
    pub(super) tests: BTreeSet<String>,
}

/// All results, from what the runners wrote.
pub(super) fn derive(files: &Files) -> anyhow::Result<Vec<TestRecord>> {
    let proptest: Proptest = files.document(PROPTEST)?.unwrap_or_default();
    let scenarios = features::scenario_ids(files)?;
    let kind = |test: &TestRecord| {
        if proptest.tests.contains(&test.id) {
            Kind::Property
        } else if scenarios.contains(&test.id) {
            Kind::Feature
        } else {
            kind_by_place(&test.binary)
        }
    };
    let mut records = Vec::new();
    for (name, driver) in [(JUNIT, None), (JUNIT_GPU, Some(Driver::Gpu))] {
        if let Some(text) = files.text(name)? {
            let read = junit::read(text).with_context(|| name.to_owned())?;
            records.extend(read.into_iter().map(|test| TestRecord {
                kind: kind(&test),
                driver: driver.unwrap_or_else(|| self::driver(&test.binary)),
                ..test
            }));
        }
    }
    if let Some(text) = files.text(DOC_TESTS)? {
        records.extend(doc_tests::read(text).with_context(|| DOC_TESTS.to_owned())?);
    }
    if let Some(results) = files.document(GPU_RESULTS)? {
        let read = gpu_run::records(&results);
        records.extend(read.into_iter().map(|test| TestRecord {
            kind: kind(&test),
            ..test
        }));
    }
    records.sort_by(|one, other| key(one).cmp(&key(other)));
    for pair in records.windows(2) {
        if let [one, other] = pair
            && key(one) == key(other)
        {
            bail!("{} has two results on one driver and machine", one.id);
        }
    }
    Ok(records)
}

fn key(record: &TestRecord) -> (&str, Driver, &str) {
    (&record.id, record.driver, &record.machine)
}

/// The driver that a test program's tests run over, where nothing says that it is a GPU's.
pub(super) fn driver(binary: &str) -> Driver {
    if WITHOUT_DRIVER.contains(&package(binary)) {
        Driver::Host
    } else {
        Driver::Simulated
    }
}

/// The package of a test program: `vram-tests` of `vram-tests::drivers`.
pub(super) fn package(binary: &str) -> &str {
    binary.split("::").next().unwrap_or(binary)
}

/// A package's library and its programs are tested by unit tests, what lies beside them by integration tests.
fn kind_by_place(binary: &str) -> Kind {
    let target = binary.split_once("::").map(|(_, target)| target);
    match target {
        None => Kind::Unit,
        Some(target) if target.starts_with("bin/") => Kind::Unit,
        Some(_) => Kind::Integration,
    }
}

/// One record a line.
pub(super) fn to_ndjson(records: &[TestRecord]) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    for record in records {
        serde_json::to_writer(&mut text, record)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// The records of `results.ndjson`.
pub(super) fn from_ndjson(files: &Files) -> anyhow::Result<Vec<TestRecord>> {
    let text = files.text(RESULTS)?;
    let text = text.with_context(|| format!("there is no {RESULTS}"))?;
    let lines = text.lines().enumerate();
    lines
        .map(|(at, line)| {
            let number = at.saturating_add(1);
            serde_json::from_str(line).with_context(|| format!("{RESULTS}, line {number}"))
        })
        .collect()
}

/// The hash of what a test printed.
pub(super) fn output_hash(parts: &[&str]) -> String {
    hex::encode(digest(&SHA256, parts.concat().as_bytes()))
}

/// Why a test that ended well did not do its work: the first line by which it says so.
pub(super) fn skip(output: &str) -> Option<String> {
    output.lines().find_map(|line| {
        // What a test prints first may follow its name on the same line.
        let line = match line
            .strip_prefix("test ")
            .and_then(|line| line.split_once(" ... "))
        {
            Some((_, said)) => said,
            None => line,
        };
        let reason = line
            .strip_prefix("SKIPPED")
            .or_else(|| line.strip_prefix("skipped:"))?;
        let reason = reason.trim_start_matches([':', ' ']).trim_end();
        Some(
            if reason.is_empty() {
                "it doesn't say why"
            } else {
                reason
            }
            .to_owned(),
        )
    })
}

/// A reason without the name of its test, which stands beside it wherever it is shown.
///
/// A panic begins with its thread, which the harness names after the test, and a test that could not do its work
/// may begin with its own name.
pub(super) fn without_name(reason: &str, test: &str) -> String {
    let is_of_test = |name: &str| {
        let before = test.strip_suffix(name);
        !name.is_empty() && before.is_some_and(|path| path.is_empty() || path.ends_with("::"))
    };
    let panic = reason
        .strip_prefix("thread '")
        .and_then(|rest| rest.split_once("' "))
        .filter(|(thread, _)| is_of_test(thread));
    if let Some((_, rest)) = panic
        && let Some(at) = rest.find("panicked at ")
    {
        return rest.get(at..).unwrap_or(rest).to_owned();
    }
    let named = reason.split_once(": ").filter(|(name, _)| is_of_test(name));
    named.map_or(reason, |(_, why)| why).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::model::Outcome;
    use super::*;

    #[test]
    fn a_line_that_says_skipped_is_found_with_its_reason() {
        assert_eq!(
            skip("running 1 test\nSKIPPED: no compiler\nok").unwrap(),
            "no compiler"
        );
        assert_eq!(
            skip("test a::b ... SKIPPED: no library").unwrap(),
            "no library"
        );
        assert_eq!(
            skip("SKIPPED the_test: no fs-verity").unwrap(),
            "the_test: no fs-verity"
        );
        assert_eq!(
            skip("skipped: nothing is promised").unwrap(),
            "nothing is promised"
        );
        assert_eq!(skip("SKIPPED").unwrap(), "it doesn't say why");
        assert_eq!(skip("nothing was SKIPPED here\n  SKIPPED: quoted"), None);
    }

    #[test]
    fn a_reason_does_not_say_again_which_test_it_is_of() {
        let test = "tag::tests::bad";
        for (reason, why) in [
            (
                "thread 'tag::tests::bad' (3698) panicked at src/tag.rs:7:5:\nno seal",
                "panicked at src/tag.rs:7:5:\nno seal",
            ),
            (
                "thread 'bad' panicked at src/tag.rs",
                "panicked at src/tag.rs",
            ),
            ("tag::tests::bad: no fs-verity", "no fs-verity"),
            ("bad: no fs-verity", "no fs-verity"),
        ] {
            assert_eq!(without_name(reason, test), why);
        }
        for other in [
            "thread '<unnamed>' (9) panicked at src/tag.rs",
            "thread 'ad' panicked at src/tag.rs",
            "thread 'tag::tests::bad' has overflowed its stack",
            "another: no fs-verity",
            ": no fs-verity",
            "no fs-verity",
        ] {
            assert_eq!(without_name(other, test), other);
        }
    }

    #[test]
    fn tests_are_told_apart_by_where_they_stand() {
        assert_eq!(kind_by_place("vram-seal"), Kind::Unit);
        assert_eq!(kind_by_place("vram-cli::bin/vram"), Kind::Unit);
        assert_eq!(kind_by_place("vram-seal::suite"), Kind::Integration);
    }

    #[test]
    fn of_the_program_that_runs_the_scenarios_only_scenarios_are_feature_results() {
        let report = junit::tests::REPORT
            .replace("vram-seal", "vram-tests::features")
            .replace("tag::tests::good", "seal_model::a model that fits")
            .replace("tag::tests::bad", "runner::a_scenario_without_steps_fails");
        let mut files = Files::default();
        files.insert(JUNIT, report);
        files.insert(
            "features/seal_model.feature",
            "Feature: Sealing\n\n  Scenario: a model that fits\n    Given x\n",
        );

        let records = derive(&files).unwrap();

        let kind = |name: &str| {
            let mut named = records.iter().filter(|test| test.name.starts_with(name));
            named.next().unwrap().kind
        };
        assert_eq!(kind("seal_model::"), Kind::Feature);
        assert_eq!(kind("runner::"), Kind::Integration);
    }

    #[test]
    fn only_packages_that_use_no_driver_are_of_the_host() {
        assert_eq!(driver("vram-policy::policy"), Driver::Host);
        assert_eq!(driver("vram-policy"), Driver::Host);
        assert_eq!(driver("vram-alloc"), Driver::Simulated);
        assert_eq!(driver("vram-tests::drivers"), Driver::Simulated);
    }

    #[test]
    fn results_are_taken_from_every_runner_and_are_in_order() {
        let mut files = Files::default();
        files.insert(JUNIT, junit::tests::REPORT);
        files.insert(
            DOC_TESTS,
            "   Doc-tests vram_seal\nrunning 1 test\ntest src/lib.rs - (line 7) ... ok\n",
        );
        files
            .insert_json(
                PROPTEST,
                &Proptest {
                    tests: BTreeSet::from(["vram-seal tag::tests::bad".to_owned()]),
                    ..Proptest::default()
                },
            )
            .unwrap();

        let records = derive(&files).unwrap();

        let found: Vec<_> = records
            .iter()
            .map(|test| (test.id.as_str(), test.kind, test.driver, test.outcome))
            .collect();
        assert_eq!(
            found,
            [
                (
                    "vram-seal tag::tests::bad",
                    Kind::Property,
                    Driver::Host,
                    Outcome::Failed
                ),
                (
                    "vram-seal tag::tests::good",
                    Kind::Unit,
                    Driver::Host,
                    Outcome::Passed
                ),
                (
                    "vram-seal::doc src/lib.rs - (line 7)",
                    Kind::Doc,
                    Driver::Host,
                    Outcome::Passed
                ),
                (
                    "vram-tests::drivers freezing::left",
                    Kind::Integration,
                    Driver::Simulated,
                    Outcome::Skipped
                ),
            ]
        );
        files.insert(RESULTS, to_ndjson(&records).unwrap());
        assert_eq!(from_ndjson(&files).unwrap(), records);
    }
}
