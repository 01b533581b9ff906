//! The tests that there are, as cargo-nextest lists them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::{link_stub, process};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Listing {
    rust_suites: BTreeMap<String, Suite>,
}

#[derive(Deserialize)]
struct Suite {
    #[serde(default)]
    testcases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    ignored: bool,
}

pub(super) fn is_installed() -> bool {
    process::works(process::cargo().args(["nextest", "--version"]))
}

/// Builds the tests of the workspace and asks each binary for its own.
pub(super) fn from_nextest(stub: &Path) -> anyhow::Result<BTreeSet<String>> {
    let output = process::cargo()
        .args([
            "nextest",
            "list",
            "--workspace",
            "--all-features",
            "--locked",
        ])
        .args(["--message-format", "json"])
        .env(link_stub::VARIABLE, stub)
        .stderr(Stdio::inherit())
        .output()
        .context("could not start cargo nextest list")?;
    if !output.status.success() {
        bail!("cargo nextest list ended with {}", output.status);
    }
    ids(&output.stdout)
}

pub(super) fn from_file(file: &Path) -> anyhow::Result<BTreeSet<String>> {
    let listing =
        std::fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
    ids(&listing).with_context(|| file.display().to_string())
}

/// The ids of the tests that are not ignored.
fn ids(listing: &[u8]) -> anyhow::Result<BTreeSet<String>> {
    let listing: Listing = serde_json::from_slice(listing)
        .context("this is not what `cargo nextest list --message-format json` writes")?;
    let suites = listing.rust_suites.iter();
    let ids = suites.flat_map(|(binary, suite)| {
        let run = suite.testcases.iter().filter(|(_, case)| !case.ignored);
        run.map(move |(name, _)| format!("{binary} {name}"))
    });
    Ok(ids.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_a_listing_are_binary_and_path_without_those_ignored() {
        let listing = br#"{"rust-build-meta": {}, "rust-suites": {"a::b": {"binary-id": "a::b", "testcases": {
            "x::y": {"kind": "test", "ignored": false}, "x::z": {"kind": "test", "ignored": true}}}}}"#;

        assert_eq!(
            ids(listing).unwrap(),
            BTreeSet::from(["a::b x::y".to_owned()])
        );
    }

    #[test]
    fn what_is_no_listing_is_refused() {
        let problem = ids(b"{}").unwrap_err().to_string();

        assert!(problem.contains("cargo nextest list"), "{problem}");
    }
}
