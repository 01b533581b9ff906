//! `cargo xtask catalogue`: what the project promises, and which tests say so.
//!
//! `docs/spec/requirements.toml` holds the rows. A test claims the rows that it covers by the last line of
//! its doc comment, `/// Covers: FN-2.1, EX-1.1.`, and a scenario by its tags. This task reads the claims
//! from the sources, compares them with the rows, the specification pages and the tests that there are, and
//! keeps the lists of tests in the catalogue up to date.

mod check;
mod claims;
mod conditions;
mod listed;
mod property;
#[cfg(test)]
mod reached;
mod rows;
mod scenarios;
mod source;
mod targets;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::bail;

pub(crate) use rows::{Catalogue, Row, load};
use source::{Kind, Test};

use crate::{link_stub, process};

#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Write the lists of tests into docs/spec/requirements.toml as the tests claim them.
    #[arg(long)]
    write: bool,
    /// Compare with this output of `cargo nextest list --message-format json` instead of running it.
    #[arg(long, value_name = "FILE")]
    nextest_list: Option<PathBuf>,
    /// Compare with the sources alone: nothing is built.
    #[arg(long, conflicts_with = "nextest_list")]
    sources_only: bool,
}

impl Options {
    /// Compares with the sources alone, which builds nothing.
    pub(crate) const fn of_sources() -> Self {
        Self {
            write: false,
            nextest_list: None,
            sources_only: true,
        }
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let root = process::workspace();
    let mut catalogue = load(&root)?;
    let claimed = claimed(&root)?;
    if options.write {
        rows::write_tests(&root, &claimed.tests)?;
        catalogue = load(&root)?;
    }
    let listed = listed(options)?;

    let mut problems = claimed.problems;
    problems.extend(check::problems(&root, &catalogue, &claimed.tests));
    if let Some(listed) = &listed {
        problems.extend(check::unlisted(&claimed.tests, listed));
    }
    for problem in &problems {
        process::report(&format!("catalogue: {problem}"));
    }
    if !problems.is_empty() {
        bail!(
            "the catalogue and the tests differ in {} ways",
            problems.len()
        );
    }
    process::report(&summary(
        &root,
        &catalogue,
        &claimed.tests,
        listed.is_some(),
    )?);
    Ok(())
}

/// The tests of the workspace that are property tests: random cases are made for them.
pub(crate) fn property_tests(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let tests = claimed(root)?.tests.into_iter();
    let properties = tests.filter(|test| test.kind == Kind::Property);
    Ok(properties.map(|test| test.id).collect())
}

/// The tests that the sources have and that are not among these, and those that are ignored: nothing came of them.
pub(crate) fn without_result(
    root: &Path,
    results: &BTreeSet<String>,
) -> anyhow::Result<Vec<String>> {
    let tests = claimed(root)?.tests.into_iter();
    let without = tests.filter(|test| !results.contains(&test.id));
    Ok(without.map(|test| test.id).collect())
}

/// Every test of the workspace with what it claims, and the claims that can't be counted.
fn claimed(root: &Path) -> anyhow::Result<source::Claimed> {
    let mut claimed = source::Claimed::default();
    for target in targets::of_workspace(root)? {
        claimed.extend(source::read(root, &target)?);
    }
    claimed.extend(scenarios::read(root)?);
    Ok(claimed)
}

/// The ids of all tests as nextest knows them. Without nextest, none are known, and that is said.
fn listed(options: &Options) -> anyhow::Result<Option<BTreeSet<String>>> {
    if options.sources_only {
        return Ok(None);
    }
    if let Some(file) = &options.nextest_list {
        return listed::from_file(file).map(Some);
    }
    if !listed::is_installed() {
        process::report(
            "catalogue: cargo-nextest is not installed, so ids are compared with the sources alone",
        );
        return Ok(None);
    }
    listed::from_nextest(&link_stub::generate()?).map(Some)
}

fn summary(
    root: &Path,
    catalogue: &Catalogue,
    tests: &[Test],
    listed: bool,
) -> anyhow::Result<String> {
    let claiming = tests.iter().filter(|test| !test.claims.is_empty()).count();
    let against = if listed {
        "each of them known to nextest"
    } else {
        "not compared with nextest"
    };
    let about_devices = |row: &&Row| row.device;
    Ok(format!(
        "{} requirements and {} vulnerabilities ({} of them about the device), claimed by {claiming} of {} tests ({} of them property \
         tests), {against}",
        catalogue.requirements.len(),
        catalogue.vulnerabilities.len(),
        catalogue.rows().filter(about_devices).count(),
        tests.len(),
        property_tests(root)?.len(),
    ))
}
