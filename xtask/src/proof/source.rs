//! What of the source goes into a bundle: the commit, the catalogue, the features, and what decides the cases of
//! property tests.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use super::files::{FEATURES, Files, LOCK, NEXTEST, PROPTEST, REQUIREMENTS};
use super::results::Proptest;
use crate::catalogue;

/// How many cases proptest runs where nobody says otherwise. Its variables are not passed on to the tests.
const DEFAULT_CASES: u64 = 256;

/// The commit that is checked out, and whether the source differs from it.
pub(super) fn commit(root: &Path) -> anyhow::Result<(String, bool)> {
    let head = git(root, &["rev-parse", "HEAD"])?;
    let changes = git(root, &["status", "--porcelain", "--untracked-files=all"])?;
    Ok((head.trim().to_owned(), !changes.trim().is_empty()))
}

fn git(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(root)
        .output()
        .context("could not start git")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "a bundle says which commit it is of, and needs a git checkout: {}",
            said.trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Files of the source that a bundle has copies of, by their names there.
const COPIED: [(&str, &str); 3] = [
    (REQUIREMENTS, "docs/spec/requirements.toml"),
    (LOCK, "Cargo.lock"),
    (NEXTEST, ".config/nextest.toml"),
];
const FEATURE_FOLDER: &str = "tests/features/";

/// What of a bundle's copies is not as it is in the commit; nothing, where this checkout doesn't have the commit.
pub(super) fn differences(root: &Path, commit: &str, files: &Files) -> Option<Vec<String>> {
    let listed = [
        "ls-tree",
        "-r",
        "--name-only",
        "-z",
        "--end-of-options",
        commit,
        FEATURE_FOLDER,
    ];
    let listed = git(root, &listed).ok()?;
    let features = listed.split_terminator('\0').filter_map(|path| {
        let name = path.strip_prefix(FEATURE_FOLDER)?;
        let name = format!("{FEATURES}{name}");
        path.ends_with(".feature").then(|| (name, path.to_owned()))
    });
    let copied = COPIED.map(|(name, path)| (name.to_owned(), path.to_owned()));
    let expected: BTreeMap<String, String> = copied.into_iter().chain(features).collect();
    let mut problems = Vec::new();
    for (name, path) in &expected {
        let committed = git(
            root,
            &["show", "--end-of-options", &format!("{commit}:{path}")],
        )
        .ok();
        if committed.as_deref().map(str::as_bytes) != files.get(name) {
            problems.push(format!("{name}: it is not {path} of the commit"));
        }
    }
    let of_features = files.iter().map(|(name, _)| name);
    let added =
        of_features.filter(|name| name.starts_with(FEATURES) && !expected.contains_key(*name));
    problems.extend(added.map(|name| format!("{name}: the commit doesn't have it")));
    Some(problems)
}

/// Copies what the statuses are computed from, beside the results.
pub(super) fn gather(root: &Path, files: &mut Files) -> anyhow::Result<()> {
    for (name, path) in COPIED {
        let content = std::fs::read(root.join(path)).with_context(|| path.to_owned())?;
        files.insert(name, content);
    }
    let listed = git(
        root,
        &["ls-files", "--cached", "--others", "--exclude-standard"],
    )?;
    let mut proptest = Proptest {
        default_cases: Some(DEFAULT_CASES),
        tests: catalogue::property_tests(root)?,
        ..Proptest::default()
    };
    // A file that was deleted and not committed is still listed.
    for path in listed.lines().filter(|path| root.join(path).is_file()) {
        let is_regression = path.ends_with(".txt") && path.contains("proptest-regressions");
        let feature = path
            .strip_prefix(FEATURE_FOLDER)
            .filter(|name| name.ends_with(".feature"));
        if is_regression {
            files.insert(&format!("proptest/{path}"), std::fs::read(root.join(path))?);
            proptest.regressions.push(path.to_owned());
        } else if let Some(name) = feature {
            files.insert(
                &format!("{FEATURES}{name}"),
                std::fs::read(root.join(path))?,
            );
        } else if path.ends_with(".rs") {
            let source =
                std::fs::read_to_string(root.join(path)).with_context(|| path.to_owned())?;
            proptest.configured.extend(configured(path, &source));
        }
    }
    files.insert_json(PROPTEST, &proptest)
}

/// What a source file says of how many cases it runs: each attribute from its first line to its last.
fn configured(path: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = source.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if !line.trim_start().starts_with("#![proptest_config(") {
            continue;
        }
        let mut attribute = line.trim().to_owned();
        while !attribute.ends_with(")]") {
            let Some((_, more)) = lines.next() else {
                break;
            };
            attribute = format!("{attribute} {}", more.trim());
        }
        found.push(format!("{path}:{}: {attribute}", at.saturating_add(1)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_compared_with_the_commit_that_they_are_of() {
        let root = crate::process::workspace();
        let (commit, _) = commit(&root).unwrap();
        let mut files = Files::default();
        for (name, path) in COPIED {
            let committed = git(
                &root,
                &["show", "--end-of-options", &format!("{commit}:{path}")],
            )
            .unwrap();
            files.insert(name, committed);
        }

        let without_features = differences(&root, &commit, &files).unwrap();
        files.insert(REQUIREMENTS, "");
        files.insert("features/more.feature", "");
        let changed = differences(&root, &commit, &files).unwrap();

        assert!(!without_features.is_empty());
        assert!(without_features.iter().all(|one| one.starts_with(FEATURES)));
        let more = changed.len() - without_features.len();
        assert_eq!(more, 2, "{changed:?}");
        assert!(changed.iter().any(|one| one.starts_with(REQUIREMENTS)));
        assert_eq!(differences(&root, &"0".repeat(40), &files), None);
    }

    #[test]
    fn where_a_test_says_how_many_cases_it_runs_is_kept() {
        let source = "proptest! {\n    #![proptest_config(ProptestConfig::with_cases(40))]\n}\n\
            proptest! {\n    #![proptest_config(Config {\n        cases: 9,\n    })]\n}\n#![proptest_config(";

        assert_eq!(
            configured("a.rs", source),
            [
                "a.rs:2: #![proptest_config(ProptestConfig::with_cases(40))]",
                "a.rs:5: #![proptest_config(Config { cases: 9, })]",
                "a.rs:9: #![proptest_config(",
            ]
        );
    }

    #[test]
    fn the_catalogue_and_the_property_tests_of_this_source_are_gathered() {
        let mut files = Files::default();

        gather(&crate::process::workspace(), &mut files).unwrap();

        let proptest: Proptest = files.required(PROPTEST).unwrap();
        assert!(proptest.tests.len() > 20, "{:?}", proptest.tests);
        assert!(
            files
                .text(REQUIREMENTS)
                .unwrap()
                .unwrap()
                .contains("FN-2.1")
        );
    }
}
