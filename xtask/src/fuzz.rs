//! `cargo xtask fuzz`: lets libFuzzer look for bytes from outside that break a parser.
//!
//! `fuzz/` has a target for each parser, with seeds. It is built by cargo-fuzz with the nightly compiler, which
//! instruments it, with debug assertions, overflow checks and the address sanitizer. What is found on the way and
//! reaches new code is kept under `target`, and where the next run starts from.

mod archive;
mod outcome;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context as _, bail};
use serde::Serialize;

use self::outcome::Outcome;
use crate::{campaign, gpu, process};

/// The compiler that can instrument.
const TOOLCHAIN: &str = "nightly";
/// What one input may take: more seconds, or more MiB in all, are a finding.
const TIMEOUT_SECONDS: u32 = 10;
const MEMORY_MIB: u32 = 2048;
/// Less than this is a look, and no search: what a report has to say so of.
const LONG_ENOUGH: u32 = 600;
/// The longest input that is made. Limits that lie above are for tests to reach.
const LONGEST_INPUT: u32 = 32 << 10;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long each target runs.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Run this target only; may be given several times. The default is all.
    #[arg(long)]
    target: Vec<String>,
    /// How many targets run at a time.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: u32,
    /// Run nothing: pack the programs and their seeds, to be run on a machine without Rust.
    #[arg(long)]
    archive: bool,
    /// Where the report goes, as JSON. By default into the folder for what tasks build.
    #[arg(long, value_name = "FILE", conflicts_with = "archive")]
    json: Option<PathBuf>,
}

/// What a report says beside its head.
#[derive(Serialize)]
struct Found<'a> {
    seconds_each: u32,
    at_a_time: u32,
    targets: &'a [Outcome],
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let all = targets()?;
    let chosen = choose(&all, &options.target)?;
    let complete = chosen == all;
    let checkout = gpu::checkout()?;
    build(&chosen)?;
    if options.archive {
        return archive::pack(&chosen);
    }
    let outcomes = run_all(chosen, options)?;
    process::report("");
    for outcome in &outcomes {
        process::report(&outcome.line());
    }
    let bad: Vec<_> = outcomes
        .iter()
        .filter(|outcome| !outcome.is_good())
        .collect();
    for outcome in &bad {
        process::report(&format!("\n{}", outcome.explain()));
    }
    let json = options
        .json
        .clone()
        .unwrap_or_else(|| process::scratch().join("fuzzing.json"));
    let found = Found {
        seconds_each: options.seconds,
        at_a_time: options.jobs,
        targets: &outcomes,
    };
    // A part of the targets says too little to pass.
    let passed = complete && bad.is_empty() && !outcomes.is_empty();
    let mut reservations = Vec::new();
    if options.seconds < LONG_ENOUGH {
        reservations.push(format!("each target ran for {} s only", options.seconds));
    }
    campaign::finish(
        &campaign::FUZZING,
        checkout,
        passed,
        reservations,
        &found,
        &json,
    )?;
    process::report(&format!("\nthe same for programs: {}", json.display()));
    if !bad.is_empty() {
        bail!("{} of {} targets failed", bad.len(), outcomes.len());
    }
    Ok(())
}

/// Where the targets are.
fn project() -> PathBuf {
    process::workspace().join("fuzz")
}

/// Where they are built, and what was found is kept.
fn scratch() -> PathBuf {
    process::scratch().join("fuzz")
}

fn program(target: &str) -> PathBuf {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    scratch().join(triple).join("release").join(target)
}

/// The targets' names, in order: those of their files.
fn targets() -> anyhow::Result<Vec<String>> {
    let folder = project().join("fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if let (Some("rs"), Some(name)) = (
            path.extension().and_then(std::ffi::OsStr::to_str),
            path.file_stem().and_then(std::ffi::OsStr::to_str),
        ) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Those that were asked for, or all.
fn choose(all: &[String], asked: &[String]) -> anyhow::Result<Vec<String>> {
    if let Some(unknown) = asked.iter().find(|name| !all.contains(name)) {
        bail!("there is no target {unknown}: there are {}", all.join(", "));
    }
    let wanted = |name: &&String| asked.is_empty() || asked.contains(name);
    Ok(all.iter().filter(wanted).cloned().collect())
}

fn build(chosen: &[String]) -> anyhow::Result<()> {
    let command = || {
        let mut command = process::without_package(Command::new("rustup"));
        command.current_dir(process::workspace());
        command.args(["run", TOOLCHAIN, "cargo", "fuzz"]);
        command
    };
    if !process::works(command().arg("--version")) {
        bail!(
            "this task needs `rustup toolchain install {TOOLCHAIN} --profile minimal` and \
             `cargo install cargo-fuzz`"
        );
    }
    let mut build = command();
    build.args(["build", "--target-dir"]).arg(scratch());
    // All of them at once, or the one.
    if let [target] = chosen {
        build.arg(target);
    }
    process::run(&mut build)
}

/// Runs the targets, so many at a time. The outcomes are in the targets' order.
fn run_all(chosen: Vec<String>, options: &Options) -> anyhow::Result<Vec<Outcome>> {
    let queue = Mutex::new(VecDeque::from(chosen));
    let done = Mutex::new(Vec::new());
    let work = || -> anyhow::Result<()> {
        loop {
            let next = queue.lock().ok().and_then(|mut queue| queue.pop_front());
            let Some(target) = next else {
                return Ok(());
            };
            process::report(&format!("{target}: running for {} s", options.seconds));
            let outcome = run_one(&target, options.seconds)?;
            if let Ok(mut done) = done.lock() {
                done.push(outcome);
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .map_err(|_| anyhow::anyhow!("a worker panicked"))?
        })
    })?;
    let mut outcomes = done.into_inner().unwrap_or_default();
    outcomes.sort_by(|one, other| one.target.cmp(&other.target));
    Ok(outcomes)
}

fn run_one(target: &str, seconds: u32) -> anyhow::Result<Outcome> {
    let folder = scratch();
    let (corpus, artifacts) = (folder.join("corpus").join(target), folder.join("artifacts"));
    let log = folder.join("logs").join(format!("{target}.log"));
    for folder in [&corpus, &artifacts, &folder.join("logs")] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let output = File::create(&log).with_context(|| log.display().to_string())?;
    let mut command = Command::new(program(target));
    command.args(arguments(seconds));
    command.arg(format!(
        "-artifact_prefix={}/{target}-",
        artifacts.display()
    ));
    command
        .arg(&corpus)
        .arg(project().join("seeds").join(target));
    command.stdout(output.try_clone()?).stderr(output);
    let status = command
        .status()
        .with_context(|| format!("could not start {target}"))?;
    let said = fs::read(&log).with_context(|| log.display().to_string())?;
    let said = String::from_utf8_lossy(&said);
    Ok(Outcome::new(target, status.success(), &said, log))
}

/// How every target is run, here and from the archive.
fn arguments(seconds: u32) -> [String; 5] {
    [
        format!("-max_total_time={seconds}"),
        format!("-timeout={TIMEOUT_SECONDS}"),
        format!("-rss_limit_mb={MEMORY_MIB}"),
        format!("-max_len={LONGEST_INPUT}"),
        "-print_final_stats=1".to_owned(),
    ]
}

/// The files of a folder and of the folders within, in order.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: QA-2.
    #[test]
    fn every_target_has_seeds_that_are_small() {
        let targets = targets().unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            let seeds = files(&project().join("seeds").join(&target)).unwrap();
            assert!(!seeds.is_empty(), "{target}");
            for seed in seeds {
                let length = fs::metadata(&seed).unwrap().len();
                assert!(length <= u64::from(LONGEST_INPUT), "{}", seed.display());
            }
        }
    }

    #[test]
    fn targets_are_chosen_by_name_in_their_order() {
        let all = ["a", "b", "c"].map(str::to_owned);
        let choose = |asked: &[&str]| {
            let asked: Vec<_> = asked.iter().map(|name| (*name).to_owned()).collect();
            choose(&all, &asked)
        };

        assert_eq!(choose(&[]).unwrap(), all);
        assert_eq!(choose(&["c", "a"]).unwrap(), ["a", "c"]);
        let error = choose(&["d"]).unwrap_err().to_string();
        assert!(error.contains("no target d") && error.contains("a, b, c"));
    }
}
