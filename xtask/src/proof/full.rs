//! What `--full` does beside the tests. Each part may fail, and the bundle shows it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::Making;
use super::campaigns::Attempt;
use super::files::{BENCH, Files};
use super::model::CampaignOutcome;
use super::stages::Stages;
use crate::process;
use crate::test::surroundings::Surroundings;

pub(super) const FAULTS: &str = "Fault campaign";
const MUTATION: &str = "Mutation testing";
const FUZZING: &str = "Fuzzing";
const TIMING: &str = "Timing of comparisons";
/// The crates whose every line a test has to answer for.
const MUTATED: &[&str] = &["vram-seal", "vram-policy", "vram-alloc", "vram-residency"];
const ONLY_FULL: &str = "it is done with --full only";

/// Mutation testing, fuzzing, timing and the benchmark, or that they were left out.
pub(super) fn campaigns(
    options: &Making,
    gpu: bool,
    surroundings: &Surroundings,
    stages: &mut Stages,
    attempts: &mut Vec<Attempt>,
    files: &mut Files,
) -> anyhow::Result<()> {
    if options.faults.is_none() {
        attempts.push(Attempt::not_done(
            "faults",
            FAULTS,
            "no report was given with --faults",
        ));
    }
    if !options.full {
        for (id, title) in [
            ("mutation", MUTATION),
            ("fuzzing", FUZZING),
            ("timing", TIMING),
        ] {
            attempts.push(Attempt::not_done(id, title, ONLY_FULL));
        }
        return Ok(());
    }
    let folder = process::scratch().join("proof");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut attempt =
        |id: &str, title: &str, stage: &mut dyn FnMut(&Path) -> anyhow::Result<()>| {
            let report = folder.join(format!("{id}.json"));
            let made = stages.run(&title.to_lowercase(), || {
                // A report of an earlier run is not taken for this one's.
                if report.exists() {
                    fs::remove_file(&report).with_context(|| report.display().to_string())?;
                }
                stage(&report)
            });
            attempts.push(taken(id, title, &report, made.is_some(), files)?);
            anyhow::Ok(())
        };
    attempt("mutation", MUTATION, &mut |report| {
        mutation(report, surroundings)
    })?;
    attempt("fuzzing", FUZZING, &mut |report| {
        fuzzing(report, options.fuzz_seconds)
    })?;
    attempt("timing", TIMING, &mut |report| {
        process::run(this_task()?.args(["timing", "--json"]).arg(report))
    })?;
    stages.run("benchmark", || {
        files.insert_json(BENCH, &bench(&folder.join(BENCH), gpu)?)
    });
    Ok(())
}

/// A report that a part left, whether it failed or not.
fn taken(
    id: &str,
    title: &str,
    report: &Path,
    ended_well: bool,
    files: &mut Files,
) -> anyhow::Result<Attempt> {
    if !report.is_file() {
        return Ok(Attempt {
            id: id.to_owned(),
            title: title.to_owned(),
            outcome: CampaignOutcome::Failed,
            why: Some("it left no report".to_owned()),
            file: None,
        });
    }
    let mut attempt = Attempt::of_report(id, title, report, files)?;
    if !ended_well && attempt.outcome == CampaignOutcome::Passed {
        attempt.outcome = CampaignOutcome::Failed;
        attempt.why = Some("it ended with a failure".to_owned());
    }
    Ok(attempt)
}

/// The task that is running, to run another of its kind.
fn this_task() -> anyhow::Result<Command> {
    Ok(Command::new(std::env::current_exe()?))
}

fn mutation(report: &Path, surroundings: &Surroundings) -> anyhow::Result<()> {
    let out = process::scratch().join("mutants");
    fs::create_dir_all(&out)?;
    let mut command = process::cargo();
    command.current_dir(process::workspace());
    command
        .args([
            "mutants",
            "--no-shuffle",
            "--test-workspace=true",
            "--output",
        ])
        .arg(&out);
    for package in MUTATED {
        command.args(["--package", package]);
    }
    let ran = process::run(surroundings.given_to(&mut command));
    let outcomes: PathBuf = out.join("mutants.out").join("outcomes.json");
    let text = fs::read(&outcomes).with_context(|| outcomes.display().to_string())?;
    let found = mutants(&serde_json::from_slice(&text)?);
    fs::write(report, serde_json::to_vec(&found)?)?;
    ran
}

/// cargo-mutants' counts and the names of what no test noticed.
fn mutants(outcomes: &Value) -> Value {
    let number = |name: &str| outcomes.get(name).and_then(Value::as_u64);
    let list = outcomes.get("outcomes").and_then(Value::as_array);
    let missed = list.into_iter().flatten().filter(|one| {
        let summary = one.get("summary").and_then(Value::as_str);
        matches!(summary, Some("MissedMutant" | "Timeout"))
    });
    let names: Vec<_> = missed
        .filter_map(|one| one.pointer("/scenario/Mutant/name"))
        .collect();
    let none = |name: &str| number(name) == Some(0);
    json!({
        "passed": number("caught").is_some_and(|caught| caught > 0) && none("missed") && none("timeout"),
        "mutants": number("total_mutants"),
        "caught": number("caught"),
        "missed": number("missed"),
        "timeout": number("timeout"),
        "unviable": number("unviable"),
        "not_noticed": names,
    })
}

fn fuzzing(report: &Path, seconds: u32) -> anyhow::Result<()> {
    let log = report.with_extension("txt");
    let file = File::create(&log).with_context(|| log.display().to_string())?;
    let mut command = this_task()?;
    command.args(["fuzz", "--seconds", &seconds.to_string()]);
    command.stderr(file);
    let ran = process::run(&mut command);
    let said = fs::read_to_string(&log)?;
    let targets: Vec<_> = said
        .lines()
        .filter(|line| line.contains(" inputs, "))
        .collect();
    let found = json!({
        "passed": ran.is_ok() && !targets.is_empty(),
        "seconds_each": seconds,
        "number_of_targets": targets.len(),
        "targets": targets,
    });
    fs::write(report, serde_json::to_vec(&found)?)?;
    ran
}

/// `vram bench`; on the simulated device in seconds, since its figures say nothing about a GPU.
fn bench(path: &Path, gpu: bool) -> anyhow::Result<Value> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    let mut command = process::cargo();
    command.current_dir(process::workspace());
    command.args([
        "run",
        "--release",
        "--locked",
        "--package",
        "vram-cli",
        "--",
        "bench",
        "--json",
    ]);
    command.args(if gpu {
        &["--gpu"][..]
    } else {
        &["--simulated", "--quick"]
    });
    process::run(command.stdout(file))?;
    serde_json::from_slice(&fs::read(path)?).context("vram bench wrote no JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_that_no_test_noticed_fails_the_campaign_and_is_named() {
        let outcomes = |missed: u64, caught: u64| {
            json!({"outcomes": [
                {"scenario": "Baseline", "summary": "Success"},
                {"scenario": {"Mutant": {"name": "src/a.rs:7: replace f with ()"}}, "summary": "MissedMutant"}
            ], "total_mutants": 5, "caught": caught, "missed": missed, "timeout": 0, "unviable": 1})
        };

        let report = mutants(&outcomes(1, 3));

        assert_eq!(report["passed"], false);
        assert_eq!(report["not_noticed"][0], "src/a.rs:7: replace f with ()");
        assert_eq!(mutants(&outcomes(0, 4))["passed"], true);
        assert_eq!(mutants(&outcomes(0, 0))["passed"], false);
        assert_eq!(mutants(&json!({}))["passed"], false);
    }

    #[test]
    fn a_part_without_a_report_has_failed() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("timing.json");

        let without = taken("timing", TIMING, &report, true, &mut Files::default()).unwrap();
        fs::write(&report, r#"{"passed": true}"#).unwrap();
        let ended_badly = taken("timing", TIMING, &report, false, &mut Files::default()).unwrap();
        let passed = taken("timing", TIMING, &report, true, &mut Files::default()).unwrap();

        assert_eq!(without.outcome, CampaignOutcome::Failed);
        assert_eq!(ended_badly.outcome, CampaignOutcome::Failed);
        assert_eq!(passed.outcome, CampaignOutcome::Passed);
    }
}
