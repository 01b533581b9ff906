//! The stages of a run. One that fails doesn't keep the others from running: a bundle shows it.

use std::time::Instant;

use super::figures;
use super::files::{COVERAGE, DOC_TESTS, JUNIT, JUNIT_GPU};
use super::model::{Stage, StageOutcome};
use crate::process;

/// The stages that leave a file of what ran.
pub(super) const WITH_FILES: [(&str, &str); 4] = [
    (TESTS, JUNIT),
    (COVERED, COVERAGE),
    (EXAMPLES, DOC_TESTS),
    (ON_GPU, JUNIT_GPU),
];
/// The stages of every run, whatever came of them.
pub(super) const ALWAYS: [&str; 6] = [CATALOGUE, TESTS, COMPLETE, EXAMPLES, ON_GPU, SOURCE];
pub(super) const CATALOGUE: &str = "catalogue";
pub(super) const TESTS: &str = "tests";
pub(super) const COMPLETE: &str = "every test ran";
pub(super) const COVERED: &str = "coverage";
pub(super) const EXAMPLES: &str = "doc tests";
pub(super) const ON_GPU: &str = "tests on the GPU";
pub(super) const SOURCE: &str = "source unchanged";

#[derive(Debug, Default)]
pub(super) struct Stages {
    done: Vec<Stage>,
}

impl Stages {
    /// Runs a stage, shows how long it took and keeps what it came to. Without its result it has failed.
    pub(super) fn run<T>(
        &mut self,
        name: &str,
        stage: impl FnOnce() -> anyhow::Result<T>,
    ) -> Option<T> {
        process::report(&format!("== {name}"));
        let started = Instant::now();
        let result = stage();
        let seconds = started.elapsed().as_secs_f64();
        let why = result.as_ref().err().map(|error| format!("{error:#}"));
        let (outcome, shown) = match &why {
            None => (StageOutcome::Passed, "passed".to_owned()),
            Some(why) => (StageOutcome::Failed, format!("FAILED: {why}")),
        };
        process::report(&format!(
            "== {name}: {shown} ({})",
            figures::seconds(seconds)
        ));
        self.add(name, outcome, why, seconds);
        result.ok()
    }

    pub(super) fn skip(&mut self, name: &str, why: &str) {
        process::report(&format!("== {name}: skipped: {why}"));
        self.add(name, StageOutcome::Skipped, Some(why.to_owned()), 0.0);
    }

    fn add(&mut self, name: &str, outcome: StageOutcome, why: Option<String>, seconds: f64) {
        self.done.push(Stage {
            name: name.to_owned(),
            outcome,
            why,
            // Milliseconds: a float that is the same when it is written and read.
            seconds: (seconds * 1000.0).round() / 1000.0,
        });
    }

    pub(super) fn into_done(self) -> Vec<Stage> {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_fails_is_kept_with_its_reason_and_the_next_one_runs() {
        let mut stages = Stages::default();

        let failed: Option<()> = stages.run("tests", || anyhow::bail!("2 of 3 failed"));
        let passed = stages.run("doc tests", || Ok(7));
        stages.skip("coverage", "it was left out");

        assert_eq!((failed, passed), (None, Some(7)));
        let done: Vec<_> = stages
            .into_done()
            .into_iter()
            .map(|stage| (stage.name, stage.outcome, stage.why))
            .collect();
        assert_eq!(
            done[0],
            (
                "tests".to_owned(),
                StageOutcome::Failed,
                Some("2 of 3 failed".to_owned())
            )
        );
        assert_eq!(done[1].1, StageOutcome::Passed);
        assert_eq!(done[2].1, StageOutcome::Skipped);
    }
}
