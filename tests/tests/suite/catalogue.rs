//! The tests that the requirement catalogue names exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::outside::workspace;

/// The test names of `docs/spec/requirements.toml`; what is in brackets there is no test's name.
fn named() -> BTreeSet<String> {
    let catalogue = fs::read_to_string(workspace().join("docs/spec/requirements.toml")).unwrap();
    let names = catalogue
        .lines()
        .filter_map(|line| line.strip_prefix("seed_test = \""));
    let names = names.map(|name| name.trim_end_matches('"').to_owned());
    names.filter(|name| name.starts_with("test_")).collect()
}

/// The names of all functions that stand under `#[test]`, in a folder and those below.
fn tests_below(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().unwrap() != "target" {
                tests_below(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            for under_attribute in source.split("#[test]").skip(1) {
                let name = under_attribute.split("fn ").nth(1).unwrap_or_default();
                let end = name.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
                found.push(name[..end.unwrap_or(0)].to_owned());
            }
        }
    }
}

fn existing(folders: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for folder in folders {
        tests_below(&workspace().join(folder), &mut found);
    }
    found
}

#[test]
fn every_test_that_the_catalogue_names_exists() {
    let existing: BTreeSet<String> = existing(&["crates", "cuda-kernels", "tests"])
        .into_iter()
        .collect();

    let named = named();

    assert_eq!(named.len(), 29);
    let missing: Vec<_> = named.difference(&existing).collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
}

#[test]
fn there_are_at_least_87_unit_tests() {
    let count = existing(&[
        "crates/vram-sys/src",
        "crates/vram-sim/src",
        "crates/vram-alloc/src",
        "crates/vram-seal/src",
        "crates/vram-policy/src",
        "crates/vram-residency/src",
        "crates/vram-cli/src",
        "cuda-kernels/src",
    ])
    .len();

    assert!(count >= 87, "{count}");
}
