//! `cargo xtask test`: what must hold before a change is ready. It builds the workspace twice, once for
//! clippy and once for the tests; the doc tests use what the tests built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::{catalogue, link_stub, model, process, python};

/// Tells the tests where the real model is. Where it is not set, the test that needs it skips itself.
const MODEL: &str = "VRAM_TEST_MODEL";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail if the model of the end-to-end test can't be fetched, instead of testing without it.
    #[arg(long)]
    require_model: bool,
    /// Fail if the Python packages that tests compare with can't be installed, instead of testing without them.
    #[arg(long)]
    require_python: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let mut stages = Stages::default();
    stages.run("formatting", || {
        process::run(process::cargo().args(["fmt", "--all", "--check"]))
    })?;
    let stub = stages.run("link stub", link_stub::generate)?;
    stages.run("clippy", || process::run(with_stub(&mut clippy(), &stub)))?;
    stages.run("catalogue", || {
        catalogue::run(&catalogue::Options::default())
    })?;
    let model = stages.run("model", || model_or_reason(options))?;
    let python = stages.run("Python packages", || python_or_reason(options))?;
    stages.run("tests", || {
        let mut tests = tests();
        let tests = with_python(with_stub(&mut tests, &stub), &python);
        process::run(with_model(tests, &model))
    })?;
    stages.run("doc tests", || {
        process::run(with_model(with_stub(&mut doc_tests(), &stub), &model))
    })?;

    process::report(&format!("\nall stages passed: {}", stages.summary()));
    if let Err(reason) = model {
        process::report(&skipped(&reason));
    }
    if let Err(reason) = python {
        process::report(&without_python(&reason));
    }
    Ok(())
}

fn clippy() -> Command {
    let mut command = process::cargo();
    command.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
    ]);
    command.args(["--", "--deny", "warnings"]);
    command
}

/// Every test but the doc tests: by nextest where it is installed, which runs those of all crates at once.
fn tests() -> Command {
    let mut command = process::cargo();
    if process::works(process::cargo().args(["nextest", "--version"])) {
        command.args(["nextest", "run"]);
    } else {
        command.args(["test", "--lib", "--bins", "--tests"]);
    }
    command.args(["--workspace", "--all-features", "--locked"]);
    command
}

fn doc_tests() -> Command {
    let mut command = process::cargo();
    command.args(["test", "--doc", "--workspace", "--all-features", "--locked"]);
    command
}

/// The model's path, or why there is none. Where it is required, having none is a failure.
fn model_or_reason(options: &Options) -> anyhow::Result<Result<PathBuf, String>> {
    match model::fetch() {
        Ok(path) => Ok(Ok(path)),
        Err(error) if options.require_model => Err(error),
        Err(error) => {
            let reason = format!("{error:#}");
            process::report(&skipped(&reason));
            Ok(Err(reason))
        }
    }
}

/// The Python that has the packages, or why there is none. Where it is required, having none is a failure.
fn python_or_reason(options: &Options) -> anyhow::Result<Result<PathBuf, String>> {
    match python::install() {
        Ok(path) => Ok(Ok(path)),
        Err(error) if options.require_python => Err(error),
        Err(error) => {
            let reason = format!("{error:#}");
            process::report(&without_python(&reason));
            Ok(Err(reason))
        }
    }
}

fn without_python(reason: &str) -> String {
    format!(
        "the tests that compare with Python packages are skipped, they can't be installed: {reason}"
    )
}

/// Where there are none, a Python that the caller named stays.
fn with_python<'c>(command: &'c mut Command, python: &Result<PathBuf, String>) -> &'c mut Command {
    match python {
        Ok(path) => command.env(python::VARIABLE, path),
        Err(_) => command,
    }
}

fn skipped(reason: &str) -> String {
    format!("the end-to-end test of a real model is skipped, there is no model: {reason}")
}

/// Lets the feature `cust` be built where there is no CUDA.
fn with_stub<'c>(command: &'c mut Command, stub: &Path) -> &'c mut Command {
    command.env(link_stub::VARIABLE, stub)
}

fn with_model<'c>(command: &'c mut Command, model: &Result<PathBuf, String>) -> &'c mut Command {
    match model {
        Ok(path) => command.env(MODEL, path),
        Err(_) => command.env_remove(MODEL),
    }
}

/// Runs stages one after the other, each under a heading, and keeps how long each took.
#[derive(Default)]
struct Stages {
    passed: Vec<(&'static str, Duration)>,
}

impl Stages {
    /// Runs a stage. The error names it, and its caller runs no further one.
    fn run<T>(
        &mut self,
        name: &'static str,
        stage: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        process::report(&format!("\n== {name}"));
        let started = Instant::now();
        let outcome = stage();
        let taken = started.elapsed();
        let result = outcome.with_context(|| {
            format!("{name}: failed after {taken:.1?}; the stages after it did not run")
        })?;
        process::report(&format!("== {name}: passed in {taken:.1?}"));
        self.passed.push((name, taken));
        Ok(result)
    }

    fn summary(&self) -> String {
        let shown = self
            .passed
            .iter()
            .map(|(name, taken)| format!("{name} {taken:.1?}"));
        shown.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_stage_is_named_with_its_cause_and_not_counted_as_passed() {
        let mut stages = Stages::default();

        let failure = stages
            .run("clippy", || process::run(&mut Command::new("false")))
            .unwrap_err();

        let shown = format!("{failure:#}");
        assert!(shown.starts_with("clippy: failed after "), "{shown}");
        assert!(shown.contains("false ended with exit status: 1"), "{shown}");
        assert_eq!(stages.summary(), "");
    }

    #[test]
    fn passed_stages_are_summed_up_in_their_order() {
        let mut stages = Stages::default();

        stages
            .run("formatting", || process::run(&mut Command::new("true")))
            .unwrap();
        let result = stages.run("model", || Ok("its path")).unwrap();

        assert_eq!(result, "its path");
        let names: Vec<_> = stages.passed.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["formatting", "model"]);
        assert!(stages.summary().starts_with("formatting "));
    }

    #[test]
    fn without_a_model_the_tests_do_not_see_an_old_one() {
        let mut command = Command::new("true");
        command.env(MODEL, "old");

        with_model(&mut command, &Err("no network".to_owned()));

        assert_eq!(
            command.get_envs().collect::<Vec<_>>(),
            [(MODEL.as_ref(), None)]
        );
    }
}
