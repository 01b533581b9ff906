//! What a bundle's data files say, in the form that its pages show. The pages are functions of this and of
//! nothing else, so that whoever has the data files can write them again and compare.
//!
//! Everything here is computed by [`read`](super::read) from the files of a bundle: counts, statuses and the
//! conclusion are never stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::gpu::bench::Bench;

/// A bundle, read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Bundle {
    pub(crate) run: Run,
    pub(crate) environment: Environment,
    /// The run on a GPU elsewhere that was merged in.
    pub(crate) gpu_run: Option<GpuRun>,
    /// Every result of every test, ordered by id and driver.
    pub(crate) tests: Vec<TestRecord>,
    /// The specifications, in the order of their names.
    pub(crate) specifications: Vec<Specification>,
    pub(crate) vulnerabilities: Vec<Row>,
    pub(crate) features: Vec<Feature>,
    pub(crate) coverage: Coverage,
    /// Benchmarks, each with where it was measured.
    pub(crate) benchmarks: Vec<Benchmark>,
    /// Mutation testing, fuzzing, timing, the fault campaign: those that were done and those that weren't.
    pub(crate) campaigns: Vec<Campaign>,
    pub(crate) conclusion: Conclusion,
    /// The files that all of this was computed from, ordered by name.
    pub(crate) files: Vec<DataFile>,
}

/// A data file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DataFile {
    /// Its path within the bundle.
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// `run.json`: what was run, when, and on which source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) schema: String,
    /// `20260131-235959-0123abcd`: when it began (UTC) and the commit.
    pub(crate) id: String,
    /// When it began, in UTC: `2026-01-31T23:59:59Z`.
    pub(crate) date: String,
    /// The commit that was tested, in full.
    pub(crate) commit: String,
    /// Whether the source differed from that commit.
    pub(crate) dirty: bool,
    /// The packages that it was confined to; empty where it was everything.
    #[serde(default)]
    pub(crate) packages: Vec<String>,
    /// The stages, in the order in which they ran.
    pub(crate) stages: Vec<Stage>,
    pub(crate) signer: Signer,
    /// Why coverage was not measured, where it was not.
    pub(crate) coverage_not_measured: Option<String>,
    /// Whether results of another commit on a GPU were let in.
    #[serde(default)]
    pub(crate) other_commit_allowed: bool,
}

/// The key that the manifest is signed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signer {
    /// SHA-256 of the public key in its DER form.
    pub(crate) key_id: String,
    /// Given to the run, and not made for it. It is the word of whoever made the bundle, which nothing in it can show.
    pub(crate) given: bool,
}

/// A part of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) outcome: StageOutcome,
    /// Why it failed or was left out.
    #[serde(default)]
    pub(crate) why: Option<String>,
    pub(crate) seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StageOutcome {
    Passed,
    Failed,
    Skipped,
}

/// `environment.json`: what it ran on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Environment {
    pub(crate) rustc: String,
    pub(crate) cargo: String,
    /// The system's name and version.
    pub(crate) system: Option<String>,
    pub(crate) kernel: Option<String>,
    pub(crate) architecture: String,
    pub(crate) cpu: Option<String>,
    pub(crate) cores: Option<u64>,
    /// In bytes.
    pub(crate) memory: Option<u64>,
    /// The GPU that tests ran on here; `None` where there is none.
    pub(crate) gpu: Option<Gpu>,
    /// Versions of the programs that were used, by name.
    #[serde(default)]
    pub(crate) tools: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gpu {
    pub(crate) name: String,
    pub(crate) driver: String,
}

/// A run on a GPU elsewhere: what `cargo xtask gpu collect` made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GpuRun {
    pub(crate) gpu: Gpu,
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) dirty: bool,
    /// Whether that is another commit than the one tested here: every page says so.
    pub(crate) other_commit: bool,
    pub(crate) system: Option<String>,
    pub(crate) cpu: Option<String>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) suites: Vec<GpuSuite>,
}

/// A test program's run on the GPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GpuSuite {
    pub(crate) title: String,
    /// The exit status; `None` if the run was cut short.
    pub(crate) status: Option<i32>,
    /// Tests that it said it would run and never reported.
    pub(crate) unfinished: u64,
}

/// A test's result on one driver: a line of `results.ndjson`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TestRecord {
    /// `vram-seal tag::tests::x`, as cargo-nextest names it; `vram-seal::doc …` for a doc test.
    pub(crate) id: String,
    /// `vram-tests::drivers`
    pub(crate) binary: String,
    /// Within the binary.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) driver: Driver,
    /// `here`, or the GPU's name for a run elsewhere.
    pub(crate) machine: String,
    pub(crate) outcome: Outcome,
    /// Why it was skipped, or what it failed with.
    pub(crate) reason: Option<String>,
    /// `None` where the harness doesn't say.
    pub(crate) seconds: Option<f64>,
    /// Of what it printed, standard output before standard error; `None` where that was not kept.
    pub(crate) output_sha256: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Unit,
    Integration,
    Property,
    Feature,
    Doc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Driver {
    /// It needs none.
    Host,
    Simulated,
    Gpu,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Passed,
    Failed,
    /// It could not do its work, or the harness left it out.
    Skipped,
}

/// What a row of the catalogue, or a scenario, comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    Passed,
    Failed,
    /// None of its tests could do its work.
    Skipped,
    /// It is about the device, and its tests passed on the simulated driver alone.
    SimulatedOnly,
    /// Tests claim it that this run has no result of.
    NotRun,
    /// No test claims it.
    NotCovered,
}

/// How many of something have each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatusCounts {
    pub(crate) total: u64,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) simulated_only: u64,
    pub(crate) not_run: u64,
    pub(crate) not_covered: u64,
}

/// One of the specification pages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Specification {
    /// `20_security`
    pub(crate) doc: String,
    pub(crate) counts: StatusCounts,
    /// In the order of the catalogue.
    pub(crate) sections: Vec<Section>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) rows: Vec<Row>,
}

/// A requirement or a vulnerability, with what its tests came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) means: String,
    /// Of a vulnerability.
    pub(crate) severity: Option<String>,
    /// Of a vulnerability.
    pub(crate) mitigation: Option<String>,
    /// It is about the GPU or its driver, which the simulated driver can't show.
    pub(crate) device: bool,
    pub(crate) status: Status,
    /// What the status doesn't say by itself: which test failed, why one was skipped, what was not run.
    pub(crate) notes: Vec<String>,
    pub(crate) tests: Vec<RowTest>,
}

/// A test that claims a row, with its results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RowTest {
    pub(crate) id: String,
    /// One for each driver; none where it was not run.
    pub(crate) results: Vec<RowResult>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RowResult {
    pub(crate) driver: Driver,
    pub(crate) machine: String,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<String>,
}

/// A feature file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Feature {
    /// `seal_model.feature`
    pub(crate) file: String,
    pub(crate) title: String,
    pub(crate) counts: StatusCounts,
    pub(crate) scenarios: Vec<Scenario>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scenario {
    pub(crate) title: String,
    pub(crate) status: Status,
    pub(crate) notes: Vec<String>,
    /// The rows that it claims.
    pub(crate) claims: Vec<String>,
    pub(crate) test: RowTest,
}

/// How much of the source the tests went through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Coverage {
    Measured(LineCoverage),
    /// And why not.
    NotMeasured(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LineCoverage {
    /// What measured it, with its version.
    pub(crate) tool: String,
    pub(crate) lines: Lines,
    pub(crate) crates: Vec<CrateCoverage>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CrateCoverage {
    pub(crate) name: String,
    pub(crate) lines: Lines,
    /// The crate's top modules.
    pub(crate) modules: Vec<ModuleCoverage>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModuleCoverage {
    pub(crate) name: String,
    pub(crate) lines: Lines,
}

/// Lines that can be run, and those that were. [`super::figures::percent`] shows their quotient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lines {
    pub(crate) all: u64,
    pub(crate) covered: u64,
}

/// What `vram bench` measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Benchmark {
    /// The file of the bundle that it is in.
    pub(crate) file: String,
    /// The GPU, or that the device was simulated, which says nothing about a GPU.
    pub(crate) machine: String,
    /// Figures with their ceilings, targets and peers.
    pub(crate) bench: Bench,
}

/// Work beyond the tests that looks for what they miss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Campaign {
    /// `planted-breaks`, `mutation`, `faults`, `fuzzing`, `timing`
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) outcome: CampaignOutcome,
    /// Why it failed or was not done, or of what other commit its report is.
    pub(crate) why: Option<String>,
    /// The file of the bundle that it is in.
    pub(crate) file: Option<String>,
    /// What it found, in the order of its report.
    pub(crate) facts: Vec<Fact>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CampaignOutcome {
    Passed,
    Failed,
    NotDone,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// What all of it comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Conclusion {
    pub(crate) verdict: Verdict,
    pub(crate) tests: TestCounts,
    pub(crate) requirements: StatusCounts,
    pub(crate) vulnerabilities: StatusCounts,
    pub(crate) scenarios: StatusCounts,
    /// What failed or is missing: the reasons for [`Verdict::Failed`].
    pub(crate) failures: Vec<String>,
    /// What was left out, and what a reader has to know beside the verdict.
    pub(crate) reservations: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// Everything ran and passed.
    Passed,
    /// Nothing failed, and something was skipped, simulated only or left out.
    PassedWithReservations,
    Failed,
}

/// Results of tests: a test that ran on two drivers has two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TestCounts {
    pub(crate) total: u64,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}
