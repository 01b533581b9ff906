//! What `--full` does beside the tests. Each part may fail, and the bundle shows it.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use super::Making;
use super::campaigns::{Attempt, Given};
use super::files::{BENCH, Files};
use super::stages::Stages;
use crate::campaign::{FAULTS, FUZZING, KINDS, Kind, MUTATION, PLANTED_BREAKS, TIMING};
use crate::process;

/// What there is no report of is done with `--full`, and otherwise shown as left out.
pub(super) fn campaigns(
    options: &Making,
    gpu: bool,
    given: Vec<Given>,
    stages: &mut Stages,
    files: &mut Files,
) -> anyhow::Result<Vec<Attempt>> {
    let folder = process::scratch().join("proof");
    let mut attempts = Vec::new();
    for kind in KINDS {
        let known = given.iter().find(|given| given.kind == kind);
        attempts.push(match known {
            Some(known) => Attempt::of_report(kind, &known.report, files)?,
            None if options.full => done(kind, options, &folder, stages, files)?,
            None => {
                let why = format!("no report of {} was given", kind.task);
                Attempt::not_done(kind, &why)
            }
        });
    }
    if options.full {
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        stages.run("benchmark", || {
            files.insert_json(BENCH, &bench(&folder.join(BENCH), gpu)?)
        });
    }
    Ok(attempts)
}

/// Runs the task of one kind, and takes its report.
fn done(
    kind: &'static Kind,
    options: &Making,
    folder: &Path,
    stages: &mut Stages,
    files: &mut Files,
) -> anyhow::Result<Attempt> {
    let report = folder.join(format!("{}.json", kind.id));
    let mut task = Command::new(std::env::current_exe()?);
    task.args(arguments(kind, options));
    task.arg("--json").arg(&report);
    let made = stages.run(&kind.title.to_lowercase(), || {
        // A report of an earlier run is not taken for this one's.
        if report.exists() {
            fs::remove_file(&report).with_context(|| report.display().to_string())?;
        }
        process::run(&mut task)
    });
    taken(kind, &report, made.is_some(), files)
}

/// The task's name, and what it is told beside where its report goes.
fn arguments(kind: &Kind, options: &Making) -> Vec<String> {
    let words: &[&str] = match kind {
        kind if *kind == FAULTS => &["faults"],
        kind if *kind == PLANTED_BREAKS => &["planted-breaks"],
        kind if *kind == MUTATION => &["mutants"],
        kind if *kind == TIMING => &["timing"],
        kind if *kind == FUZZING => &["fuzz", "--seconds"],
        _ => &[],
    };
    let mut arguments: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    if *kind == FUZZING {
        arguments.push(options.fuzz_seconds.to_string());
    }
    arguments
}

/// A report that a part left, whether it failed or not.
fn taken(
    kind: &Kind,
    report: &Path,
    ended_well: bool,
    files: &mut Files,
) -> anyhow::Result<Attempt> {
    if !report.is_file() {
        return Ok(Attempt::failed(kind, "it left no report"));
    }
    // A run of hours is not lost for a report that was cut off.
    let value = fs::read(report)
        .map_err(anyhow::Error::new)
        .and_then(|text| {
            let value: Value = serde_json::from_slice(&text)?;
            Ok(value)
        });
    let value = match value {
        Ok(value) => value,
        Err(error) => {
            let why = format!("its report can't be read: {error:#}");
            return Ok(Attempt::failed(kind, &why));
        }
    };
    let attempt = Attempt::of_report(kind, &value, files)?;
    Ok(if ended_well {
        attempt
    } else {
        attempt.or_failed("it ended with a failure")
    })
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
    use crate::proof::model::CampaignOutcome;

    #[test]
    fn every_kind_has_a_task_of_this_name() {
        for kind in KINDS {
            let arguments = arguments(kind, &Making::default());

            let task = arguments.first().unwrap();
            assert_eq!(kind.task, format!("cargo xtask {task}"));
        }
    }

    #[test]
    fn a_part_without_a_report_has_failed() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("timing.json");
        let taken = |ended_well| {
            taken(&TIMING, &report, ended_well, &mut Files::default())
                .unwrap()
                .outcome
        };

        assert_eq!(taken(true), CampaignOutcome::Failed);
        fs::write(&report, r#"{"passed": tr"#).unwrap();
        assert_eq!(taken(true), CampaignOutcome::Failed);
        fs::write(&report, r#"{"passed": true}"#).unwrap();
        assert_eq!(taken(false), CampaignOutcome::Failed);
        assert_eq!(taken(true), CampaignOutcome::Passed);
    }
}
