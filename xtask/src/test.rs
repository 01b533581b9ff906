//! `cargo xtask test`: what must hold before a change is ready. It builds the workspace twice, once for
//! clippy and once for the tests; the doc tests use what the tests built.

pub(crate) mod surroundings;

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use self::surroundings::{Required, Surroundings, model_or_reason, python_or_reason, with_stub};
use crate::{catalogue, link_stub, process, proof};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    required: Required,
    /// Run the tests for a proof bundle, write it and check it.
    #[arg(long)]
    bundle: bool,
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
    let model = stages.run("model", || model_or_reason(options.required))?;
    let python = stages.run("Python packages", || python_or_reason(options.required))?;
    let surroundings = Surroundings {
        stub,
        model,
        python,
    };
    if options.bundle {
        stages.run("proof bundle", || proof::of_tests(&surroundings))?;
    } else {
        stages.run("tests", || {
            process::run(surroundings.given_to(&mut tests()))
        })?;
        stages.run("doc tests", || {
            process::run(surroundings.given_to(&mut doc_tests()))
        })?;
    }

    process::report(&format!("\nall stages passed: {}", stages.summary()));
    surroundings.report();
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
}
