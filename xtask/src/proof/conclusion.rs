//! What all of it comes to.

use super::figures::count;
use super::model::{
    Benchmark, Campaign, CampaignOutcome, Conclusion, Coverage, Driver, Environment, Feature,
    GpuRun, Outcome, Row, Run, Specification, StageOutcome, Status, StatusCounts, TestCounts,
    TestRecord, Verdict,
};
use super::rows;
use crate::gpu::bench;

/// What the conclusion is drawn from.
pub(super) struct Findings<'f> {
    pub(super) run: &'f Run,
    pub(super) environment: &'f Environment,
    pub(super) gpu_run: Option<&'f GpuRun>,
    pub(super) tests: &'f [TestRecord],
    pub(super) specifications: &'f [Specification],
    pub(super) vulnerabilities: &'f [Row],
    pub(super) features: &'f [Feature],
    pub(super) coverage: &'f Coverage,
    pub(super) benchmarks: &'f [Benchmark],
    pub(super) campaigns: &'f [Campaign],
}

impl Findings<'_> {
    pub(super) fn conclude(&self) -> Conclusion {
        let failures = self.failures();
        let reservations = self.reservations();
        let verdict = match (failures.is_empty(), reservations.is_empty()) {
            (false, _) => Verdict::Failed,
            (true, false) => Verdict::PassedWithReservations,
            (true, true) => Verdict::Passed,
        };
        Conclusion {
            verdict,
            tests: test_counts(self.tests),
            requirements: rows::sum(self.specifications.iter().map(|one| &one.counts)),
            vulnerabilities: rows::count(self.vulnerabilities.iter().map(|row| row.status)),
            scenarios: rows::sum(self.features.iter().map(|one| &one.counts)),
            failures,
            reservations,
        }
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        let sections = self.specifications.iter().flat_map(|one| &one.sections);
        sections
            .flat_map(|section| &section.rows)
            .chain(self.vulnerabilities)
    }

    fn is_confined(&self) -> bool {
        !self.run.packages.is_empty()
    }

    /// What failed, and what should be there and isn't.
    fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for stage in &self.run.stages {
            if stage.outcome == StageOutcome::Failed {
                failures.push(because(
                    format!("The stage \"{}\" failed", stage.name),
                    stage.why.as_deref(),
                ));
            }
        }
        if self.tests.is_empty() {
            failures.push("No test was run.".to_owned());
        }
        for test in self.tests {
            if test.outcome == Outcome::Failed {
                failures.push(format!("The test {} failed ({}).", test.id, driver(test)));
            }
        }
        for row in self.rows() {
            match row.status {
                Status::Failed => failures.push(format!("{}, {}, failed.", row.id, row.title)),
                Status::NotCovered if !self.is_confined() => {
                    failures.push(format!("{}, {}: no test claims it.", row.id, row.title));
                }
                Status::NotRun if !self.is_confined() => {
                    failures.push(format!(
                        "{}, {}: {}.",
                        row.id,
                        row.title,
                        row.notes.join("; ")
                    ));
                }
                _ => {}
            }
        }
        for (feature, scenario) in self.features.iter().flat_map(|feature| {
            feature
                .scenarios
                .iter()
                .map(move |scenario| (feature, scenario))
        }) {
            if scenario.status == Status::NotRun && !self.is_confined() {
                failures.push(format!(
                    "The scenario \"{}\" of {} was not run.",
                    scenario.title, feature.file
                ));
            }
        }
        if let Some(run) = self.gpu_run {
            failures.extend(gpu_failures(run));
        }
        for campaign in self.campaigns {
            if campaign.outcome == CampaignOutcome::Failed {
                failures.push(because(
                    format!("{} failed", campaign.title),
                    campaign.why.as_deref(),
                ));
            }
        }
        failures
    }

    /// What was left out, and what a reader has to know.
    fn reservations(&self) -> Vec<String> {
        let mut reservations = Vec::new();
        let mut say = |said: String| reservations.push(said);
        if self.is_confined() {
            let elsewhere = if self.gpu_run.is_some() {
                "of the others, the run on the GPU alone shows anything"
            } else {
                "rows whose tests stand elsewhere were not looked at"
            };
            say(format!(
                "Only the tests of {} were run here: {elsewhere}.",
                self.run.packages.join(", ")
            ));
        }
        if self.run.dirty {
            say(
                "The source differed from the commit: nobody else can get at what was tested."
                    .to_owned(),
            );
        }
        match self.gpu_run {
            Some(run) if run.other_commit => say(format!(
                "The run on the {} is of another commit, {}: its results are of other source.",
                run.gpu.name, run.commit
            )),
            Some(_) => {}
            None if self.environment.gpu.is_none() => say(
                "Nothing was run on a GPU: what is said of drivers is of the simulated one."
                    .to_owned(),
            ),
            None => {}
        }
        let has_gpu = self.gpu_run.is_some() || self.environment.gpu.is_some();
        let passed_there =
            |test: &&TestRecord| test.driver == Driver::Gpu && test.outcome == Outcome::Passed;
        if has_gpu && self.tests.iter().find(passed_there).is_none() {
            say("There is a GPU, and no test passed on it.".to_owned());
        }
        for stage in self.gpu_run.iter().flat_map(|run| &run.stages) {
            if stage.outcome == StageOutcome::Skipped {
                say(because(
                    format!("On the GPU, \"{}\" was skipped", stage.name),
                    stage.why.as_deref(),
                ));
            }
        }
        if let Some(run) = self.gpu_run.filter(|run| run.dirty) {
            say(format!(
                "The source that was run on the {} differed from its commit.",
                run.gpu.name
            ));
        }
        let skipped = self
            .tests
            .iter()
            .filter(|test| test.outcome == Outcome::Skipped)
            .count();
        if skipped > 0 {
            let total = self.tests.len();
            say(format!(
                "{skipped} of {total} results are of tests that were skipped."
            ));
        }
        for (status, what) in [
            (
                Status::SimulatedOnly,
                "about the device and passed on the simulated driver only",
            ),
            (
                Status::Skipped,
                "skipped: none of their tests could do its work",
            ),
            (Status::NotRun, "not run"),
            (Status::NotCovered, "claimed by no test"),
        ] {
            let ids: Vec<&str> = self
                .rows()
                .filter(|row| row.status == status)
                .map(|row| row.id.as_str())
                .collect();
            let already_failures =
                !self.is_confined() && matches!(status, Status::NotRun | Status::NotCovered);
            if !ids.is_empty() && !already_failures {
                say(format!(
                    "{} rows are {what}: {}.",
                    ids.len(),
                    ids.join(", ")
                ));
            }
        }
        if let Coverage::NotMeasured(why) = self.coverage {
            say(format!("Coverage was not measured: {why}."));
        }
        for benchmark in self.benchmarks {
            reservations.extend(missed_targets(benchmark));
        }
        for campaign in self.campaigns {
            let title = &campaign.title;
            let said = match (campaign.outcome, &campaign.why) {
                (CampaignOutcome::NotDone, None) => format!("Not done: {title}."),
                (CampaignOutcome::NotDone, Some(why)) => format!("Not done: {title} ({why})."),
                (CampaignOutcome::Passed, Some(why)) => {
                    format!("{title} passed, with a reservation: {why}.")
                }
                (CampaignOutcome::Passed, None) | (CampaignOutcome::Failed, _) => continue,
            };
            reservations.push(said);
        }
        reservations
    }
}

fn because(what: String, why: Option<&str>) -> String {
    match why {
        Some(why) => format!("{what}: {why}."),
        None => format!("{what}."),
    }
}

fn driver(test: &TestRecord) -> &str {
    match test.driver {
        Driver::Host => "host",
        Driver::Simulated => "simulated",
        Driver::Gpu => &test.machine,
    }
}

fn gpu_failures(run: &GpuRun) -> Vec<String> {
    let mut failures = Vec::new();
    for stage in run
        .stages
        .iter()
        .filter(|stage| stage.outcome == StageOutcome::Failed)
    {
        failures.push(because(
            format!(
                "The stage \"{}\" failed on the {}",
                stage.name, run.gpu.name
            ),
            stage.why.as_deref(),
        ));
    }
    for suite in &run.suites {
        if suite.unfinished > 0 {
            failures.push(format!(
                "{}: {} tests never ended.",
                suite.title, suite.unfinished
            ));
        }
        match suite.status {
            Some(0) => {}
            Some(status) => failures.push(format!(
                "{}: it ended with exit status {status}.",
                suite.title
            )),
            None => failures.push(format!("{}: it was cut short.", suite.title)),
        }
    }
    failures
}

fn missed_targets(benchmark: &Benchmark) -> Option<String> {
    let figures = &benchmark.bench.figures;
    let judged = figures
        .iter()
        .filter(|figure| figure.judged() != bench::Verdict::NoTarget)
        .count();
    let missed: Vec<&str> = figures
        .iter()
        .filter(|figure| figure.judged() == bench::Verdict::Missed)
        .map(|figure| figure.id.as_str())
        .collect();
    (!missed.is_empty()).then(|| {
        format!(
            "{} of {judged} measured figures missed their target ({}): {}.",
            missed.len(),
            benchmark.machine,
            missed.join(", ")
        )
    })
}

fn test_counts(tests: &[TestRecord]) -> TestCounts {
    let mut counts = TestCounts::default();
    for test in tests {
        let counter = match test.outcome {
            Outcome::Passed => &mut counts.passed,
            Outcome::Failed => &mut counts.failed,
            Outcome::Skipped => &mut counts.skipped,
        };
        *counter = counter.saturating_add(1);
        counts.total = counts.total.saturating_add(1);
    }
    counts
}

impl StatusCounts {
    /// `55 of 55`, what passed of all.
    pub(crate) fn passed_of_all(&self) -> String {
        format!("{} of {}", count(self.passed), count(self.total))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::model::Bundle;
    use super::*;

    fn conclude(bundle: &Bundle) -> Conclusion {
        Findings {
            run: &bundle.run,
            environment: &bundle.environment,
            gpu_run: bundle.gpu_run.as_ref(),
            tests: &bundle.tests,
            specifications: &bundle.specifications,
            vulnerabilities: &bundle.vulnerabilities,
            features: &bundle.features,
            coverage: &bundle.coverage,
            benchmarks: &bundle.benchmarks,
            campaigns: &bundle.campaigns,
        }
        .conclude()
    }

    /// One in which everything ran and passed.
    fn flawless() -> Bundle {
        let mut bundle = fixture::bundle();
        bundle.run.dirty = false;
        bundle
            .run
            .stages
            .retain(|stage| stage.outcome == StageOutcome::Passed);
        bundle.tests.retain(|test| test.outcome == Outcome::Passed);
        bundle.benchmarks.clear();
        bundle
            .campaigns
            .retain(|campaign| campaign.outcome == CampaignOutcome::Passed);
        let run = bundle.gpu_run.as_mut().unwrap();
        run.other_commit = false;
        for section in bundle
            .specifications
            .iter_mut()
            .flat_map(|one| &mut one.sections)
        {
            section.rows.retain(|row| row.status == Status::Passed);
        }
        bundle
    }

    #[test]
    fn where_all_passed_nothing_is_held_against_it() {
        let conclusion = conclude(&flawless());

        assert_eq!(conclusion.verdict, Verdict::Passed, "{conclusion:?}");
    }

    #[test]
    fn everything_of_the_fixture_that_failed_or_is_missing_is_named() {
        let conclusion = conclude(&fixture::bundle());

        assert_eq!(conclusion.verdict, Verdict::Failed);
        for part in [
            "\"tests\" failed",
            "tests::b failed (host)",
            "FN-2.2",
            "MS-001",
            "MS-002, CUDA FFI bounds checking: no test claims it",
        ] {
            assert!(
                conclusion.failures.iter().any(|said| said.contains(part)),
                "{part}: {:?}",
                conclusion.failures
            );
        }
        for part in [
            "differed from the commit",
            "another commit",
            "1 of 8 results",
            "FN-3.1",
            "1 of 2 measured figures missed",
            "Not done: Mutation testing (",
        ] {
            assert!(
                conclusion
                    .reservations
                    .iter()
                    .any(|said| said.contains(part)),
                "{part}: {:?}",
                conclusion.reservations
            );
        }
        assert_eq!((conclusion.tests.total, conclusion.tests.failed), (8, 1));
    }

    #[test]
    fn a_run_of_some_packages_says_so_and_leaves_other_rows_open() {
        let mut bundle = flawless();
        bundle.run.packages = vec!["vram-policy".to_owned()];
        bundle.specifications = fixture::bundle().specifications.split_off(1);

        let conclusion = conclude(&bundle);

        assert_eq!(
            conclusion.verdict,
            Verdict::PassedWithReservations,
            "{conclusion:?}"
        );
        assert!(
            conclusion.reservations[0].contains("Only the tests of vram-policy"),
            "{conclusion:?}"
        );
    }

    #[test]
    fn a_suite_on_the_gpu_that_did_not_end_is_a_failure() {
        let mut bundle = flawless();
        bundle.gpu_run.as_mut().unwrap().suites[0].unfinished = 1;

        assert_eq!(conclude(&bundle).verdict, Verdict::Failed);
        let suite = &mut bundle.gpu_run.as_mut().unwrap().suites[0];
        suite.unfinished = 0;
        suite.status = None;
        assert_eq!(conclude(&bundle).verdict, Verdict::Failed);
    }

    #[test]
    fn without_tests_nothing_passed() {
        let mut bundle = flawless();
        bundle.tests.clear();

        assert_eq!(conclude(&bundle).verdict, Verdict::Failed);
    }
}
