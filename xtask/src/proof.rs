//! `cargo xtask proof-bundle`: one command runs every test, and what it writes is the evidence.
//!
//! A bundle is a folder of data files, of pages that are computed from them, of a manifest with the hash of each
//! file and of a signature over the manifest. `--verify` computes results, statuses and pages again from what the
//! test runners wrote and names what doesn't add up; it needs no key but the public one, and runs no test.

mod campaigns;
mod conclusion;
mod coverage;
mod doc_tests;
mod environment;
mod features;
pub(crate) mod figures;
mod files;
#[cfg(test)]
pub(crate) mod fixture;
mod full;
mod gpu_run;
mod junit;
mod manifest;
mod markdown;
pub(crate) mod model;
pub(crate) mod page;
mod pages;
mod read;
mod results;
mod rows;
mod run;
mod runner;
mod sbom;
mod sign;
mod source;
mod stages;
mod verify;

use std::path::PathBuf;

use anyhow::bail;

use self::model::Verdict;
use crate::test::surroundings::{self, Required, Surroundings};
use crate::{link_stub, process};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run no test: hash the files of the bundle in this folder, check its signature, compute its results, statuses
    /// and pages again from what the test runners wrote, and name what doesn't add up.
    #[arg(long, value_name = "DIR")]
    verify: Option<PathBuf>,
    /// Check the signature with this public key, and not with the one in the bundle, which has to be the same.
    #[arg(long, value_name = "FILE", requires = "verify")]
    key: Option<PathBuf>,
    /// What was found, as JSON on standard output.
    #[arg(long, requires = "verify")]
    json: bool,
    #[command(flatten)]
    making: Making,
    #[command(flatten)]
    required: Required,
}

/// How a bundle is made.
#[derive(clap::Args, Default)]
pub(crate) struct Making {
    /// Run the tests of this package only; may be given several times. The bundle says that it is a part.
    #[arg(
        long = "package",
        short = 'p',
        value_name = "PACKAGE",
        conflicts_with = "verify"
    )]
    packages: Vec<String>,
    /// The folder that the bundle's own folder is made in. By default proof-bundle.
    #[arg(long, value_name = "DIR", conflicts_with = "verify")]
    out: Option<PathBuf>,
    /// Don't measure which lines the tests go through.
    #[arg(long, conflicts_with = "verify")]
    no_coverage: bool,
    /// Merge a run on a GPU elsewhere: a folder that `cargo xtask gpu collect` made.
    #[arg(long, value_name = "DIR", conflicts_with = "verify")]
    gpu_results: Option<PathBuf>,
    /// Take in a report that was made before, by `cargo xtask planted-breaks`, `mutants`, `faults`, `fuzz` or
    /// `timing`; may be given several times.
    #[arg(long, value_name = "FILE", conflicts_with = "verify")]
    report: Vec<PathBuf>,
    /// Take in a run and reports of another commit too; every page says so.
    #[arg(long, conflicts_with = "verify")]
    allow_other_commit: bool,
    /// Do what there is no report of: planted breaks, mutation testing, the fault campaign, fuzzing, the timing of
    /// comparisons, and the benchmark. It takes hours.
    #[arg(long, conflicts_with = "verify")]
    full: bool,
    /// With --full, how long each fuzzer runs.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    fuzz_seconds: u32,
    /// Sign with this key, in PKCS#8 PEM form. Without one, a key is made for the run and not kept.
    #[arg(long, value_name = "FILE", conflicts_with = "verify")]
    signing_key: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if let Some(folder) = &options.verify {
        return verify::run(folder, options.key.as_deref(), options.json);
    }
    let surroundings = Surroundings {
        stub: link_stub::generate()?,
        model: surroundings::model_or_reason(options.required)?,
        python: surroundings::python_or_reason(options.required)?,
    };
    make(&options.making, &surroundings)
}

/// The bundle of `cargo xtask test --bundle`: every test, once, without coverage.
pub(crate) fn of_tests(surroundings: &Surroundings) -> anyhow::Result<()> {
    let making = Making {
        no_coverage: true,
        ..Making::default()
    };
    make(&making, surroundings)
}

/// Makes a bundle, and checks it as anyone would.
fn make(making: &Making, surroundings: &Surroundings) -> anyhow::Result<()> {
    let (folder, verdict) = run::run(making, surroundings)?;
    verify::run(&folder, None, false)?;
    process::report(&format!("proof bundle: {}", run::shown(&folder)));
    if verdict == Verdict::Failed {
        bail!(
            "tests failed or are missing: {} says which",
            run::shown(&folder.join(files::SPEC_COVERAGE))
        );
    }
    Ok(())
}
