//! `cargo xtask timing`: does comparing tags and digests take a time that says where they differ?
//!
//! The method is dudect's (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", DATE 2017):
//! the benchmark `comparison` of vram-seal measures two classes of values in random order, and Welch's t-test is
//! asked whether their times have one mean: of all measurements, of those below each of 100 percentiles, and
//! of the squared deviations. It is judged by the greatest |t|:
//!
//! | greatest absolute t | verdict |
//! | --- | --- |
//! | below 4.5 | nothing is found |
//! | 4.5 to 10 | unclear: measured again, four times as often, up to three times in all |
//! | 10 and more | it leaks |
//!
//! What leaks gets a greater t with every measurement, in proportion to the square root of their number; what
//! was chance does not come again. Two controls are judged as all others are. One must be found to leak, and
//! one not to: otherwise this machine, at this time, can't tell, and the task fails.

mod report;
mod samples;
mod statistics;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use self::report::{FEWEST, Report, Subject};
use self::statistics::Verdict;
use crate::{campaign, gpu, process};

/// How many times at most a subject is measured, each time this many times as often.
const ROUNDS: u32 = 3;
const MORE: u32 = 4;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many measurements of each subject the first round takes.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(i64::from(FEWEST)..=50_000_000))]
    measurements: u32,
    /// Measure nothing, and judge what the benchmark `comparison` measured into this folder, on another machine for one.
    #[arg(long, value_name = "FOLDER", conflicts_with = "measurements")]
    measured: Option<PathBuf>,
    /// Where the verdict goes, as JSON. By default into the folder for what tasks build.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let subjects = match &options.measured {
        Some(folder) => judge_all(folder, &samples::subjects(folder)?)?,
        None => measure(options.measurements)?,
    };
    let report = Report::new(subjects);
    let json = options
        .json
        .clone()
        .unwrap_or_else(|| process::scratch().join("timing.json"));
    // What was measured elsewhere was built there.
    let commit = match &options.measured {
        Some(_) => None,
        None => Some(gpu::checkout()?.into()),
    };
    let passed = report.passed;
    campaign::write(
        &campaign::TIMING,
        commit,
        passed,
        Vec::new(),
        &report,
        &json,
    )?;
    process::report(&report.text());
    process::report(&format!("the same for programs: {}", json.display()));
    if !report.passed {
        bail!("{}", report.conclusion());
    }
    Ok(())
}

/// Measures every subject, and those that are unclear again.
fn measure(first: u32) -> anyhow::Result<Vec<Subject>> {
    let folder = process::scratch().join("timing");
    std::fs::create_dir_all(&folder)?;
    let mut subjects = judge_all(&folder, &samples::measure(&folder, first, None)?)?;
    for subject in &mut subjects {
        let mut measurements = first;
        for _ in 1..ROUNDS {
            if subject.verdict != Verdict::Unclear {
                break;
            }
            measurements = measurements.saturating_mul(MORE);
            process::report(&format!(
                "{} is unclear (t = {:.2}): measuring it {measurements} times",
                subject.name, subject.greatest.t
            ));
            let rounds = subject.rounds.saturating_add(1);
            *subject = judge_one(&folder, &subject.name, measurements)?;
            subject.rounds = rounds;
        }
    }
    Ok(subjects)
}

fn judge_all(folder: &Path, timed: &[samples::Timed]) -> anyhow::Result<Vec<Subject>> {
    timed.iter().map(|timed| judge(folder, timed)).collect()
}

fn judge_one(folder: &Path, name: &str, measurements: u32) -> anyhow::Result<Subject> {
    let subjects = samples::measure(folder, measurements, Some(name))?;
    let timed = subjects.first().context("nothing was measured")?;
    judge(folder, timed)
}

fn judge(folder: &Path, timed: &samples::Timed) -> anyhow::Result<Subject> {
    let samples = samples::read(&folder.join(&timed.name))?;
    let judged = statistics::judge(&samples)
        .with_context(|| format!("{}: too few measurements to judge", timed.name))?;
    Ok(Subject::new(timed, samples.len(), judged))
}
