//! From nothing to a bundle: the stages, in their order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::files::{
    CAMPAIGNS, ENVIRONMENT, Files, JUNIT, LOCK, MANIFEST, RESULTS, RUN, SBOM, SIGNATURE, SIGNER,
};
use super::manifest::Manifest;
use super::model::{Run, Signer, Verdict};
use super::runner::Runner;
use super::sbom::CargoMetadata;
use super::stages::{CATALOGUE, COMPLETE, COVERED, EXAMPLES, ON_GPU, SOURCE, Stages, TESTS};
use super::{
    Making, campaigns, environment, full, gpu_run, junit, pages, read, results, sbom, sign, source,
};
use crate::test::surroundings::Surroundings;
use crate::{catalogue, process};

/// Runs everything and writes the bundle; returns its folder and what the tests came to.
///
/// What can be refused is refused before the first test runs. From then on a bundle is written, whatever fails.
pub(super) fn run(
    options: &Making,
    surroundings: &Surroundings,
) -> anyhow::Result<(PathBuf, Verdict)> {
    let root = process::workspace();
    let started = jiff::Timestamp::now();
    let (commit, dirty) = source::commit(&root)?;
    let id = read::id(started, &commit);
    let folder = options
        .out
        .clone()
        .unwrap_or_else(|| root.join("proof-bundle"))
        .join(&id);
    if folder.exists() {
        bail!(
            "{} exists: a bundle is never written over",
            folder.display()
        );
    }
    let tools = tools(options)?;
    let key = sign::key(options.signing_key.as_deref())?;
    let metadata = metadata()?;
    let mut files = Files::default();
    source::gather(&root, &mut files)?;
    read::check_source(&files)?;
    if let Some(folder) = &options.gpu_results {
        gpu_run::merge(folder, &commit, options.allow_other_commit, &mut files)?;
        campaigns::merge_gpu_faults(folder, &commit, options.allow_other_commit, &mut files)?;
    }
    let given = campaigns::given(&options.report, &commit, options.allow_other_commit)?;
    let environment = environment::observe(tools);
    files.insert_json(ENVIRONMENT, &environment)?;
    let date = started.strftime(read::DATE).to_string();
    let lock = files.text(LOCK)?.unwrap_or_default();
    let sbom = sbom::write(&metadata, lock, env!("CARGO_PKG_VERSION"), &date)?;
    files.insert(SBOM, sbom);

    let mut stages = Stages::default();
    let mut coverage_not_measured = Some("it was left out with --no-coverage".to_owned());
    let runner = Runner {
        surroundings,
        packages: &options.packages,
        instrumented: !options.no_coverage,
    };
    // What the rows say of their tests is what the tests say.
    stages.run(CATALOGUE, || {
        catalogue::run(&catalogue::Options::of_sources())
    });
    stages.run(TESTS, || runner.tests(&mut files));
    if options.packages.is_empty() {
        stages.run(COMPLETE, || every_test_ran(&root, &files));
    } else {
        stages.skip(COMPLETE, "only the tests of some packages were asked for");
    }
    if runner.instrumented {
        let measured = stages.run(COVERED, || runner.coverage(&root, &metadata, &mut files));
        coverage_not_measured = measured
            .is_none()
            .then(|| "the stage \"coverage\" failed".to_owned());
    }
    stages.run(EXAMPLES, || runner.doc_tests(&mut files));
    if environment.gpu.is_some() {
        let features = root.join("tests/tests/features").is_dir();
        stages.run(ON_GPU, || runner.tests_on_gpu(features, &mut files));
    } else {
        stages.skip(ON_GPU, "there is no GPU here");
    }
    let gpu = environment.gpu.is_some();
    let attempts = full::campaigns(options, gpu, given, &mut stages, &mut files)?;
    files.insert_json(CAMPAIGNS, &attempts)?;
    let changed = stages.run(SOURCE, || {
        let (now, changed) = source::commit(&root)?;
        if now != commit {
            bail!("{commit} was tested from, and {now} is checked out at the end");
        }
        Ok(changed)
    });

    let run = Run {
        schema: read::SCHEMA.to_owned(),
        id,
        date,
        commit,
        dirty: dirty || changed.unwrap_or(true),
        packages: options.packages.clone(),
        stages: stages.into_done(),
        signer: Signer {
            key_id: key.verifying_key().id().to_string(),
            given: options.signing_key.is_some(),
        },
        coverage_not_measured,
        other_commit_allowed: options.allow_other_commit,
    };
    let verdict = finish(&mut files, &run, &key)?;
    files.write(&folder)?;
    Ok((folder, verdict))
}

/// Refuses tests that the sources have and of which the runner wrote nothing: those that are ignored or filtered out.
fn every_test_ran(root: &Path, files: &Files) -> anyhow::Result<()> {
    let report = files.text(JUNIT)?.context("the tests left no report")?;
    let results = junit::read(report)?.into_iter();
    let results = results.map(|test| test.id).collect();
    let without = catalogue::without_result(root, &results)?;
    if !without.is_empty() {
        bail!(
            "nothing came of {} tests: {}",
            without.len(),
            without.join(", ")
        );
    }
    Ok(())
}

/// Computes the results and pages of the data files, lists all of them and signs the list.
pub(super) fn finish(
    files: &mut Files,
    run: &Run,
    key: &vram_seal::SigningKey,
) -> anyhow::Result<Verdict> {
    files.insert_json(RUN, run)?;
    files.insert(SIGNER, key.verifying_key().to_spki_pem()?);
    let records = results::derive(files)?;
    files.insert(RESULTS, results::to_ndjson(&records)?);
    // From the files, as whoever checks them reads them.
    let bundle = read::read(files)?;
    for (name, text) in pages::write(&bundle)? {
        files.insert(name, text);
    }
    files.insert_json(MANIFEST, &Manifest::of(files, &bundle.run))?;
    let statement = sign::statement(&bundle, files)?;
    files.insert(SIGNATURE, sign::sign(&statement, key)?);
    Ok(bundle.conclusion.verdict)
}

/// The versions of the programs that are needed; one that is missing is named with what installs it.
fn tools(options: &Making) -> anyhow::Result<BTreeMap<String, String>> {
    let mut tools = BTreeMap::new();
    let mut need = |name: &str, argument: &str| {
        let said = environment::said(process::cargo().args([argument, "--version"]));
        let said = said.with_context(|| {
            format!("this task needs `cargo install {name} --locked`, and without it runs nothing")
        })?;
        let first = said.lines().next().unwrap_or_default();
        tools.insert(
            name.to_owned(),
            first.split_whitespace().nth(1).unwrap_or(first).to_owned(),
        );
        anyhow::Ok(())
    };
    need("cargo-nextest", "nextest")?;
    if !options.no_coverage {
        need("cargo-llvm-cov", "llvm-cov")?;
    }
    Ok(tools)
}

fn metadata() -> anyhow::Result<CargoMetadata> {
    let output = process::cargo()
        .args([
            "metadata",
            "--format-version",
            "1",
            "--all-features",
            "--locked",
        ])
        .current_dir(process::workspace())
        .output()
        .context("could not start cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The folder's last part as a person would type it from the workspace's root.
pub(super) fn shown(folder: &Path) -> String {
    let root = process::workspace();
    folder
        .strip_prefix(root)
        .unwrap_or(folder)
        .display()
        .to_string()
}
