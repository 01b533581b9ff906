//! `cargo xtask proof-bundle --verify DIR`: whether a bundle is whole, and what its pages say follows from its data.
//!
//! It needs nothing but the bundle and a public key. The files are hashed and compared with the manifest, the
//! signature of the manifest is checked, the results are taken again from what the test runners wrote, the
//! statuses from the results, and the pages are written again and compared byte for byte. Where the source was
//! unchanged and this checkout has the commit, the bundle's copies of source files are compared with it.
//!
//! No test is run. What the runners wrote, and what is said of the stages, the machine, coverage, benchmarks and
//! campaigns, is the word of whoever signed.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Serialize;
use vram_seal::VerifyingKey;

use super::files::{
    self, CAMPAIGNS, ENVIRONMENT, Files, LOCK, MANIFEST, NEXTEST, PROPTEST, REQUIREMENTS, RESULTS,
    RUN, SBOM, SIGNATURE, SIGNER,
};
use super::manifest::Manifest;
use super::model::{Bundle, Run, StageOutcome, Verdict};
use super::{campaigns, pages, read, results, sign, source, stages};
use crate::{gpu, process};

/// What was found, for people and for programs.
#[derive(Debug, Serialize)]
pub(super) struct Verified {
    /// Whether everything adds up. It says nothing about what the tests came to.
    adds_up: bool,
    run: Option<String>,
    commit: Option<String>,
    /// What the tests came to.
    verdict: Option<Verdict>,
    /// The key that it was checked with.
    key: Option<String>,
    /// Whether that key was given, and not taken from the bundle.
    key_given: bool,
    /// Whether its copies of the catalogue, the scenarios, the lock file and nextest's settings were compared with
    /// its commit.
    compared_with_commit: bool,
    files: usize,
    problems: Vec<String>,
}

pub(super) fn run(folder: &Path, key: Option<&Path>, json: bool) -> anyhow::Result<()> {
    let key = key.map(read_key).transpose()?;
    let verified = verify(folder, key.as_ref());
    if json {
        print(&String::from_utf8(files::json(&verified)?)?);
    } else {
        verified.report(folder);
    }
    if !verified.adds_up {
        bail!(
            "{}: {} things don't add up",
            folder.display(),
            verified.problems.len()
        );
    }
    Ok(())
}

fn read_key(path: &Path) -> anyhow::Result<VerifyingKey> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).with_context(|| format!("the key {shown} can't be read"))?;
    VerifyingKey::from_spki_pem(&text)
        .with_context(|| format!("{shown} is no public key in PEM form"))
}

/// Checks a bundle. Without a key, the one in it is used.
pub(super) fn verify(folder: &Path, given: Option<&VerifyingKey>) -> Verified {
    let mut verified = Verified {
        adds_up: false,
        run: None,
        commit: None,
        verdict: None,
        key: None,
        key_given: given.is_some(),
        compared_with_commit: false,
        files: 0,
        problems: Vec::new(),
    };
    match Files::read(folder) {
        Ok(files) => verified.check(&files, given),
        Err(error) => verified.problems.push(format!("{error:#}")),
    }
    verified.adds_up = verified.problems.is_empty();
    verified
}

impl Verified {
    fn check(&mut self, files: &Files, given: Option<&VerifyingKey>) {
        self.files = files.iter().count();
        let manifest = self.manifest(files);
        let empty = files.empty_folders();
        self.problems
            .extend(empty.map(|folder| format!("{folder}: it was added, and holds no file")));
        self.problems.extend(missing(files));
        self.problems.extend(campaigns::problems(files));
        self.problems.extend(derived(files));
        let bundle = read::read(files);
        match &bundle {
            Ok(bundle) => {
                self.run = Some(bundle.run.id.clone());
                self.commit = Some(bundle.run.commit.clone());
                self.verdict = Some(bundle.conclusion.verdict);
                self.problems.extend(pages_again(bundle, files));
                if !bundle.run.dirty {
                    let root = process::workspace();
                    let found = source::differences(&root, &bundle.run.commit, files);
                    self.compared_with_commit = found.is_some();
                    self.problems.extend(found.into_iter().flatten());
                }
                if let Some(manifest) = manifest {
                    let expected = Manifest::of(files, &bundle.run);
                    if (&manifest.run, &manifest.commit, manifest.dirty)
                        != (&expected.run, &expected.commit, expected.dirty)
                    {
                        self.problems
                            .push(format!("{MANIFEST}: it is of another run than {RUN}"));
                    }
                }
            }
            Err(error) => self
                .problems
                .push(format!("its pages can't be computed: {error:#}")),
        }
        self.signature(files, given, bundle.ok().as_ref());
    }

    fn manifest(&mut self, files: &Files) -> Option<Manifest> {
        match files.required::<Manifest>(MANIFEST) {
            Ok(manifest) => {
                self.problems.extend(manifest.differences(files));
                if files::json(&manifest).ok().as_deref() != files.get(MANIFEST) {
                    self.problems
                        .push(format!("{MANIFEST}: it is not as it was written"));
                }
                Some(manifest)
            }
            Err(error) => {
                self.problems.push(format!("{error:#}"));
                None
            }
        }
    }

    fn signature(&mut self, files: &Files, given: Option<&VerifyingKey>, bundle: Option<&Bundle>) {
        let own = match own_key(files) {
            Ok(own) => own,
            Err(error) => {
                self.problems.push(format!("{error:#}"));
                return;
            }
        };
        if let Some(bundle) = bundle
            && bundle.run.signer.key_id != own.id().to_string()
        {
            self.problems.push(format!(
                "{SIGNER}: it is not the key {} that {RUN} names",
                bundle.run.signer.key_id
            ));
        }
        let key = given.unwrap_or(&own);
        // The pages name the bundle's own key as the one that signed.
        if key.id() != own.id() {
            self.problems.push(format!(
                "{SIGNER}: it is not the key {} that was given",
                key.id()
            ));
        }
        self.key = Some(key.id().to_string());
        let Some(document) = files.get(SIGNATURE) else {
            self.problems.push(format!("there is no {SIGNATURE}"));
            return;
        };
        let expected = bundle
            .context("the bundle can't be read")
            .and_then(|bundle| sign::statement(bundle, files));
        let problems = sign::problems(document, key, expected);
        self.problems.extend(
            problems
                .into_iter()
                .map(|problem| format!("{SIGNATURE}: {problem}")),
        );
    }

    fn report(&self, folder: &Path) {
        let shown = folder.display();
        for problem in &self.problems {
            process::report(&format!("proof bundle: {problem}"));
        }
        if !self.adds_up {
            if let (Some(commit), Ok(here)) = (
                &self.commit,
                gpu::checkout().map(|checkout| checkout.commit),
            ) && *commit != here
            {
                process::report(&format!(
                    "this task is of commit {here}, and may write pages in another way: see what it says at {commit}"
                ));
            }
            return;
        }
        process::report(&format!(
            "{shown}: {} files, all as they were signed; results, statuses and pages are what its data comes to",
            self.files
        ));
        process::report(if self.compared_with_commit {
            "the catalogue, the scenarios, the lock file and nextest's settings are those of its commit"
        } else {
            "the catalogue, the scenarios, the lock file and nextest's settings were not compared with its commit: \
             either it is of changed source, or this checkout doesn't have the commit"
        });
        if let (Some(key), false) = (&self.key, self.key_given) {
            process::report(&format!(
                "signed by the key {key}, which is in the bundle itself: nothing was changed since that key signed. \
                 Whose key it is, only --key shows, with a public key that you have from elsewhere"
            ));
        }
        if let Some(verdict) = self.verdict {
            process::report(&format!("what the tests came to: {}", verdict.shown()));
        }
    }
}

fn own_key(files: &Files) -> anyhow::Result<VerifyingKey> {
    let text = files
        .text(SIGNER)?
        .with_context(|| format!("there is no {SIGNER}"))?;
    VerifyingKey::from_spki_pem(text).with_context(|| format!("{SIGNER} is no public key"))
}

/// What every bundle has, and this one hasn't.
fn missing(files: &Files) -> Vec<String> {
    const ALWAYS: [&str; 7] = [
        ENVIRONMENT,
        CAMPAIGNS,
        PROPTEST,
        SBOM,
        LOCK,
        NEXTEST,
        REQUIREMENTS,
    ];
    let mut needed = ALWAYS.to_vec();
    // A stage that failed may have left nothing.
    let run: Option<Run> = files.document(RUN).unwrap_or_default();
    for (stage, file) in stages::WITH_FILES {
        let passed = |run: &Run| {
            let mut stages = run.stages.iter().filter(|one| one.name == stage);
            stages.any(|one| one.outcome == StageOutcome::Passed)
        };
        if run.as_ref().is_some_and(passed) {
            needed.push(file);
        }
    }
    let missing = needed.into_iter().filter(|name| files.get(name).is_none());
    let missing = missing.map(|name| format!("{name}: it is missing"));
    let done = run.as_ref().map_or(&[][..], |run| &run.stages);
    let not_run = stages::ALWAYS
        .into_iter()
        .filter(|name| done.iter().all(|stage| stage.name != **name));
    let not_run = not_run.map(|name| format!("{RUN}: there is no stage \"{name}\""));
    missing.chain(not_run).collect()
}

/// The results, taken again from what the test runners wrote.
fn derived(files: &Files) -> Vec<String> {
    let again = results::derive(files).and_then(|records| results::to_ndjson(&records));
    match again {
        Ok(again) if Some(again.as_slice()) == files.get(RESULTS) => Vec::new(),
        Ok(again) => vec![format!(
            "{RESULTS}: it is not what the test runners' own files say{}",
            first_difference(&again, files.get(RESULTS).unwrap_or_default())
        )],
        Err(error) => vec![format!("{RESULTS}: it can't be computed again: {error:#}")],
    }
}

/// The pages, written again.
fn pages_again(bundle: &Bundle, files: &Files) -> Vec<String> {
    let pages = match pages::write(bundle) {
        Ok(pages) => pages,
        Err(error) => return vec![format!("its pages can't be written again: {error:#}")],
    };
    let differing = pages.into_iter().filter_map(|(name, text)| {
        let Some(found) = files.get(name) else {
            return Some(format!("{name}: it is missing"));
        };
        (text.as_bytes() != found).then(|| {
            let difference = first_difference(text.as_bytes(), found);
            format!("{name}: it is not what the data comes to{difference}")
        })
    });
    differing.collect()
}

/// The number of the first line that differs, with both.
fn first_difference(expected: &[u8], found: &[u8]) -> String {
    let expected = String::from_utf8_lossy(expected);
    let found = String::from_utf8_lossy(found);
    let mut expected = expected.lines();
    let mut found = found.lines();
    let mut number = 0_u64;
    loop {
        number = number.saturating_add(1);
        match (expected.next(), found.next()) {
            (None, None) => return String::new(),
            (one, other) if one == other => {}
            (one, other) => {
                return format!(
                    ": line {number} is {} and should be {}",
                    line(other),
                    line(one)
                );
            }
        }
    }
}

fn line(line: Option<&str>) -> String {
    const SHOWN: usize = 120;
    match line {
        Some(line) if line.chars().count() > SHOWN => {
            format!("`{}…`", line.chars().take(SHOWN).collect::<String>())
        }
        Some(line) => format!("`{line}`"),
        None => "not there".to_owned(),
    }
}

/// For programs that read what was found.
#[expect(
    clippy::print_stdout,
    reason = "the document is what the task is run for"
)]
fn print(text: &str) {
    print!("{text}");
}

#[cfg(test)]
mod tests;
