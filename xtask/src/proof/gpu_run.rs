//! A run on a GPU elsewhere, as `cargo xtask gpu collect` wrote it, merged into a bundle.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::files::{self, Files, GPU_RESULTS};
use super::model::{Driver, Gpu, GpuRun, GpuSuite, Kind, Outcome, Stage, StageOutcome, TestRecord};
use super::results::{skip, without_name};
use crate::gpu::results::{self, Results};
use crate::gpu::suite;

/// The package whose test programs run on a GPU.
const PACKAGE: &str = "vram-tests";

/// Takes a run's results into the bundle, if they are of the commit that is tested, or any may be.
pub(super) fn merge(
    folder: &Path,
    commit: &str,
    allow_other_commit: bool,
    files: &mut Files,
) -> anyhow::Result<()> {
    let path = folder.join(results::FILE);
    let bytes = std::fs::read(&path).with_context(|| {
        let shown = path.display();
        format!("{shown} can't be read: `cargo xtask gpu collect` makes it of what a run on a GPU brought back")
    })?;
    let results: Results =
        serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?;
    if (results.commit != commit || results.dirty) && !allow_other_commit {
        bail!(
            "the run on the {} is of commit {}{}, and {commit} is tested: run that commit on the GPU, or let every \
             page say so with --allow-other-commit",
            results.gpu,
            results.commit,
            if results.dirty { " with changes" } else { "" }
        );
    }
    // Read and written again, so that it holds nothing that is not known here.
    files.insert(GPU_RESULTS, files::json(&results)?);
    Ok(())
}

/// What the pages say of the run itself.
pub(super) fn describe(results: &Results, commit: &str) -> GpuRun {
    let property = |name| results.environment.gpu_property(name);
    GpuRun {
        gpu: Gpu {
            name: results.gpu.clone(),
            driver: property("driver_version").unwrap_or("unknown").to_owned(),
        },
        date: results.environment.date.clone(),
        commit: results.commit.clone(),
        dirty: results.dirty,
        other_commit: results.commit != commit,
        system: results.environment.system.clone(),
        cpu: results.environment.cpu.clone(),
        stages: results.stages.iter().map(stage).collect(),
        suites: results.suites.iter().map(suite).collect(),
    }
}

fn stage(stage: &crate::gpu::run_folder::Stage) -> Stage {
    Stage {
        name: stage.name.clone(),
        outcome: match stage.outcome.as_str() {
            "passed" => StageOutcome::Passed,
            "skipped" => StageOutcome::Skipped,
            _ => StageOutcome::Failed,
        },
        why: stage.why.clone(),
        seconds: u32::try_from(stage.seconds).map_or(f64::INFINITY, f64::from),
    }
}

fn suite(suite: &suite::Suite) -> GpuSuite {
    GpuSuite {
        title: suite.title.clone(),
        status: suite.status,
        unfinished: suite.unfinished(),
    }
}

/// The tests of the run. Their kind is still to be said.
pub(super) fn records(results: &Results) -> Vec<TestRecord> {
    let suites = results.suites.iter();
    let tests = suites.flat_map(|suite| {
        let (binary, driver) = origin(&suite.title);
        let tests = suite.tests.iter();
        tests.map(move |test| record(&binary, driver, &results.gpu, test))
    });
    tests.collect()
}

/// The test program and the driver of a suite: `vram-tests::drivers` of `suite drivers on the GPU`. What ran simulated
/// on that machine is named `suite vram-alloc simulated`; what is no suite keeps its title.
fn origin(title: &str) -> (String, Driver) {
    if let Some(package) = title.strip_suffix(" simulated") {
        let package = package.strip_prefix("suite ").unwrap_or(package);
        let program = match package {
            "vram-alloc" => "simulated",
            _ => "suite",
        };
        return (format!("{package}::{program}"), Driver::Simulated);
    }
    let name = title.strip_suffix(" on the GPU").unwrap_or(title);
    let binary = match name.strip_prefix("suite ") {
        Some(name) => format!("{PACKAGE}::{name}"),
        None => name.to_owned(),
    };
    (binary, Driver::Gpu)
}

fn record(binary: &str, driver: Driver, gpu: &str, test: &suite::Test) -> TestRecord {
    let (outcome, without_word) = match test.outcome {
        suite::Outcome::Passed => (Outcome::Passed, None),
        suite::Outcome::Failed => (Outcome::Failed, None),
        suite::Outcome::Ignored => (Outcome::Skipped, Some("the harness left it out")),
        suite::Outcome::Skipped => (Outcome::Skipped, Some("it doesn't say why")),
    };
    TestRecord {
        id: format!("{binary} {}", test.name),
        binary: binary.to_owned(),
        name: test.name.clone(),
        kind: Kind::Integration,
        driver,
        // Of what ran simulated, the machine that has the GPU.
        machine: gpu.to_owned(),
        outcome,
        reason: test
            .why
            .as_deref()
            .map(|why| reason(why, &test.name))
            .or_else(|| without_word.map(str::to_owned)),
        seconds: None,
        output_sha256: None,
    }
}

/// Why a test was left out: the line by which it said so, or what the harness says, without the test's name.
fn reason(why: &str, test: &str) -> String {
    without_name(&skip(why).unwrap_or_else(|| why.to_owned()), test)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::proof) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    /// What `collect` writes, with one test of each outcome.
    pub(in crate::proof) fn results(commit: &str) -> Vec<u8> {
        let document = serde_json::json!({
            "schema": "vram-benchmarks/1", "date": "2026-01-31", "gpu": "NVIDIA H100 80GB HBM3",
            "commit": commit, "dirty": false, "collected_elsewhere": false,
            "environment": {
                "date": "2026-01-31T09:28:47Z", "kernel": null, "system": "Ubuntu 24.04.3 LTS", "glibc": null,
                "cpu": "Xeon", "cores": 16, "memory": null, "gpus": 1,
                "gpu": {"name": "NVIDIA H100 80GB HBM3", "driver_version": "580.159.04"}, "archive": null
            },
            "stages": [
                {"name": "conformance", "outcome": "passed", "status": 0, "seconds": 9, "why": null},
                {"name": "ncu", "outcome": "skipped", "status": 77, "seconds": 0, "why": "no ncu"}
            ],
            "suites": [{
                "title": "suite drivers on the GPU", "status": 0, "seconds": 9, "announced": 3,
                "tests": [
                    {"name": "freezing::left", "outcome": "passed"},
                    {"name": "external::shared", "outcome": "ignored", "why": "needs two devices"}
                ]
            }],
            "sanitizers": [], "profile": null,
            "bench": {"schema": "vram-bench/1", "simulated": false, "ceilings": [], "figures": [
                {"id": "verify-large", "title": "Verify one large shard", "value": 939.8, "unit": "GB/s"}
            ]}
        });
        serde_json::to_vec(&document).unwrap()
    }

    fn folder(commit: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("results.json"), results(commit)).unwrap();
        folder
    }

    #[test]
    fn a_run_of_another_commit_is_refused_unless_that_is_allowed() {
        let run = folder("fedcba9876543210fedcba9876543210fedcba98");
        let mut files = Files::default();

        let refusal = merge(run.path(), COMMIT, false, &mut files).unwrap_err();

        assert!(refusal.to_string().contains("fedcba98"), "{refusal}");
        assert!(files.get(GPU_RESULTS).is_none());
        merge(run.path(), COMMIT, true, &mut files).unwrap();
        let results = files.required(GPU_RESULTS).unwrap();
        assert!(describe(&results, COMMIT).other_commit);
    }

    #[test]
    fn a_run_of_changed_source_is_refused_unless_that_is_allowed() {
        let run = folder(COMMIT);
        let path = run.path().join("results.json");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"dirty\":false", "\"dirty\":true")).unwrap();

        let refusal = merge(run.path(), COMMIT, false, &mut Files::default()).unwrap_err();

        assert!(refusal.to_string().contains("with changes"), "{refusal}");
        merge(run.path(), COMMIT, true, &mut Files::default()).unwrap();
    }

    #[test]
    fn what_ran_simulated_beside_a_gpu_did_not_run_on_it() {
        for (title, binary, driver) in [
            (
                "suite drivers on the GPU",
                "vram-tests::drivers",
                Driver::Gpu,
            ),
            (
                "suite vram-alloc simulated",
                "vram-alloc::simulated",
                Driver::Simulated,
            ),
            (
                "suite vram-residency simulated",
                "vram-residency::suite",
                Driver::Simulated,
            ),
            (
                "example cust_kernel on the GPU",
                "example cust_kernel",
                Driver::Gpu,
            ),
        ] {
            assert_eq!(origin(title), (binary.to_owned(), driver), "{title}");
        }
    }

    #[test]
    fn tests_on_the_gpu_have_the_ids_of_those_that_run_simulated() {
        let results = serde_json::from_slice(&results(COMMIT)).unwrap();

        let records = records(&results);

        assert_eq!(records[0].id, "vram-tests::drivers freezing::left");
        assert_eq!(
            (records[0].driver, records[0].outcome),
            (Driver::Gpu, Outcome::Passed)
        );
        assert_eq!(records[1].outcome, Outcome::Skipped);
        assert_eq!(records[1].reason.as_deref(), Some("needs two devices"));
    }

    #[test]
    fn why_a_test_was_left_out_is_all_that_its_reason_says() {
        for why in [
            "needs two",
            "SKIPPED: needs two",
            "SKIPPED shared: needs two",
        ] {
            assert_eq!(reason(why, "external::shared"), "needs two");
        }
    }

    #[test]
    fn the_run_is_described_with_what_never_ended() {
        let results = serde_json::from_slice(&results(COMMIT)).unwrap();

        let run = describe(&results, COMMIT);

        assert!(!run.other_commit);
        assert_eq!(run.gpu.driver, "580.159.04");
        assert_eq!(run.suites[0].unfinished, 1);
        assert_eq!(run.stages[1].outcome, StageOutcome::Skipped);
    }

    #[test]
    fn a_folder_without_results_says_what_makes_them() {
        let folder = tempfile::tempdir().unwrap();

        let refusal = merge(folder.path(), COMMIT, false, &mut Files::default()).unwrap_err();

        assert!(refusal.to_string().contains("gpu collect"), "{refusal}");
    }
}
