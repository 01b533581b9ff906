//! From a bundle's data files to what its pages show.

use anyhow::Context as _;

use super::conclusion::Findings;
use super::files::{
    BENCH, COVERAGE, ENVIRONMENT, Files, GPU_RESULTS, MANIFEST, PAGE, REQUIREMENTS, RUN, SIGNATURE,
    SPEC_COVERAGE, TEST_REPORT,
};
use super::manifest::sha256;
use super::model::{Benchmark, Bundle, Coverage, DataFile, Environment, Run};
use super::rows::{self, Results};
use super::{campaigns, coverage, features, gpu_run, results};
use crate::catalogue::Catalogue;
use crate::gpu::bench::Bench;

/// The form of the data files that is written, and the only one that is read.
pub(super) const SCHEMA: &str = "vram-proof/1";
/// When a run began, in UTC.
pub(super) const DATE: &str = "%Y-%m-%dT%H:%M:%SZ";
/// Of a commit's hash, by SHA-1 and by SHA-256.
const COMMIT_LENGTHS: [usize; 2] = [40, 64];

/// What a run says of itself goes into pages and to git as it is: it has the one form that a run gives it.
fn forms(run: &Run) -> anyhow::Result<()> {
    commit_form(RUN, &run.commit)?;
    let date: Option<jiff::Timestamp> = run.date.parse().ok();
    let date = date.filter(|date| date.strftime(DATE).to_string() == run.date);
    let date = date.with_context(|| format!("{RUN}: its date has not the form {DATE}"))?;
    let id = id(date, &run.commit);
    anyhow::ensure!(
        run.id == id,
        "{RUN}: by its date and its commit, its id is {id}"
    );
    Ok(())
}

fn commit_form(file: &str, commit: &str) -> anyhow::Result<()> {
    let digits = commit
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    anyhow::ensure!(
        digits && COMMIT_LENGTHS.contains(&commit.len()),
        "{file}: its commit is not the whole hash of one, in hexadecimal digits"
    );
    Ok(())
}

/// The name of a run: `20260131-235959-0123abcd`.
pub(super) fn id(started: jiff::Timestamp, commit: &str) -> String {
    format!(
        "{}-{}",
        started.strftime("%Y%m%d-%H%M%S"),
        commit.get(..8).unwrap_or(commit)
    )
}

/// Computes everything that is shown.
pub(super) fn read(files: &Files) -> anyhow::Result<Bundle> {
    let run: Run = files.required(RUN)?;
    anyhow::ensure!(
        run.schema == SCHEMA,
        "{RUN} is of form {}; this task knows {SCHEMA}",
        run.schema
    );
    forms(&run)?;
    let environment: Environment = files.required(ENVIRONMENT)?;
    let catalogue = catalogue(files)?;
    let tests = results::from_ndjson(files)?;
    let gpu_results: Option<crate::gpu::results::Results> = files.document(GPU_RESULTS)?;
    if let Some(results) = &gpu_results {
        commit_form(GPU_RESULTS, &results.commit)?;
    }
    let gpu_run = gpu_results
        .as_ref()
        .map(|results| gpu_run::describe(results, &run.commit));
    let by_id = Results::new(&tests);
    let specifications = rows::specifications(&catalogue.requirements, &by_id);
    let vulnerabilities = rows::rows(&catalogue.vulnerabilities, &by_id);
    let features = features::read(files, &by_id)?;
    let coverage = coverage(files, &run)?;
    let campaigns = campaigns::read(files, &run.commit)?;
    let mut benchmarks = Vec::new();
    if let Some(results) = gpu_results {
        benchmarks.push(benchmark(GPU_RESULTS, &results.gpu, results.bench));
    }
    if let Some(bench) = files.document::<Bench>(BENCH)? {
        let gpu = environment.gpu.as_ref().map_or("a GPU", |gpu| &gpu.name);
        benchmarks.push(benchmark(BENCH, gpu, bench));
    }
    let conclusion = Findings {
        run: &run,
        environment: &environment,
        gpu_run: gpu_run.as_ref(),
        tests: &tests,
        specifications: &specifications,
        vulnerabilities: &vulnerabilities,
        features: &features,
        coverage: &coverage,
        benchmarks: &benchmarks,
        campaigns: &campaigns,
    }
    .conclude();
    Ok(Bundle {
        run,
        environment,
        gpu_run,
        tests,
        specifications,
        vulnerabilities,
        features,
        coverage,
        benchmarks,
        campaigns,
        conclusion,
        files: data_files(files),
    })
}

/// All but the pages that are made of them, and what is written over all of it.
fn data_files(files: &Files) -> Vec<DataFile> {
    const MADE: [&str; 5] = [SPEC_COVERAGE, TEST_REPORT, PAGE, MANIFEST, SIGNATURE];
    files
        .iter()
        .filter(|(name, _)| !MADE.contains(name))
        .map(|(name, content)| DataFile {
            name: name.to_owned(),
            bytes: u64::try_from(content.len()).unwrap_or(u64::MAX),
            sha256: sha256(content),
        })
        .collect()
}

/// Whether what decides which tests there are can be read. It is refused before anything is run.
pub(super) fn check_source(files: &Files) -> anyhow::Result<()> {
    catalogue(files)?;
    features::read(files, &Results::new(&[]))?;
    Ok(())
}

fn catalogue(files: &Files) -> anyhow::Result<Catalogue> {
    let text = files.text(REQUIREMENTS)?;
    let text = text.with_context(|| format!("there is no {REQUIREMENTS}"))?;
    toml_edit::de::from_str(text).with_context(|| format!("{REQUIREMENTS} is no catalogue"))
}

fn coverage(files: &Files, run: &Run) -> anyhow::Result<Coverage> {
    let measured: Option<coverage::Measured> = files.document(COVERAGE)?;
    Ok(match (measured, &run.coverage_not_measured) {
        (Some(measured), None) => Coverage::Measured(measured.by_crate()),
        (_, Some(why)) => Coverage::NotMeasured(why.clone()),
        (None, None) => Coverage::NotMeasured(format!("there is no {COVERAGE}")),
    })
}

fn benchmark(file: &str, gpu: &str, bench: Bench) -> Benchmark {
    let machine = if bench.simulated {
        "simulated device, which says nothing about a GPU"
    } else {
        gpu
    };
    Benchmark {
        file: file.to_owned(),
        machine: machine.to_owned(),
        bench,
    }
}
