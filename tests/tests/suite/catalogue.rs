//! The requirement catalogue is whole, and the tests that it names exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use crate::outside::workspace;

/// A catalogue's rows of one kind.
fn rows<'c>(catalogue: &'c Table, kind: &str) -> &'c [Value] {
    catalogue[kind].as_array().unwrap()
}

fn catalogue() -> Table {
    let text = fs::read_to_string(workspace().join("docs/spec/requirements.toml")).unwrap();
    text.parse().unwrap()
}

fn field<'c>(row: &'c Value, name: &str) -> &'c str {
    let field = row.get(name).and_then(Value::as_str);
    let field = field.unwrap_or_else(|| panic!("{row:?}: no {name}"));
    assert!(!field.is_empty(), "{row:?}: {name} is empty");
    field
}

/// The functions under `#[test]` in a source file, but for those that are ignored: attributes stand
/// on lines of their own, as `rustfmt` puts them.
fn tests_in(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut attributes = Vec::new();
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") {
            attributes.push(line);
        } else if !line.starts_with("//") {
            let ignored = attributes.iter().any(|line| line.starts_with("#[ignore"));
            let name = line
                .strip_prefix("fn ")
                .and_then(|rest| rest.split('(').next());
            if let Some(name) = name.filter(|_| attributes.contains(&"#[test]") && !ignored) {
                found.push(name);
            }
            attributes.clear();
        }
    }
    found
}

/// The tests in a folder's sources, and in those below.
fn tests_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tests_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            found.extend(tests_in(&source).into_iter().map(str::to_owned));
        }
    }
    found
}

/// The tests in a folder of this name of each crate, and across the crates.
fn tests_of_crates(folders: &[&str]) -> Vec<String> {
    let crates = fs::read_dir(workspace().join("crates")).unwrap();
    let crates = crates.map(|entry| entry.unwrap().path());
    crates
        .chain([workspace().join("cuda-kernels"), workspace().join("tests")])
        .flat_map(|of_crate| folders.iter().map(move |folder| of_crate.join(folder)))
        .filter(|folder| folder.is_dir())
        .flat_map(|folder| tests_below(&folder))
        .collect()
}

#[test]
fn no_row_of_the_catalogue_is_missing_or_there_twice() {
    let catalogue = catalogue();

    let requirements = rows(&catalogue, "requirement");
    let vulnerabilities = rows(&catalogue, "vulnerability");

    assert!(requirements.len() >= 55, "{}", requirements.len());
    assert!(vulnerabilities.len() >= 7, "{}", vulnerabilities.len());
    let mut ids = BTreeSet::new();
    for row in requirements.iter().chain(vulnerabilities) {
        assert!(!field(row, "title").is_empty());
        assert!(
            ids.insert(field(row, "id")),
            "{row:?}: its id is there twice"
        );
    }
    for row in requirements {
        assert!(field(row, "means").ends_with('.'), "{row:?}");
    }
}

#[test]
fn every_test_that_the_catalogue_names_exists() {
    let catalogue = catalogue();
    let named: BTreeSet<&str> = ["requirement", "vulnerability"]
        .into_iter()
        .flat_map(|kind| rows(&catalogue, kind))
        .map(|row| field(row, "seed_test"))
        // What is in brackets says what kind of tests there must be.
        .filter(|name| !name.starts_with('('))
        .collect();
    assert_eq!(named.len(), 29, "{named:?}");

    let existing = tests_of_crates(&["src", "tests"]);

    let existing: BTreeSet<&str> = existing.iter().map(String::as_str).collect();
    let missing: Vec<_> = named.difference(&existing).collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
}

#[test]
fn there_are_at_least_87_unit_tests() {
    let beside_the_code = tests_of_crates(&["src"]).len();

    assert!(beside_the_code >= 87, "{beside_the_code}");
}

#[test]
fn a_test_is_a_function_under_its_attribute_that_is_not_ignored() {
    // The lines begin as no line of a source file does, or this file would seem to have more tests.
    let source = "
        |fn not_a_test() {}
        |#[test]
        |fn plain() {}
        |// #[test]
        |fn commented_out() {}
        |#[test]
        |#[ignore = \"slow\"]
        |fn ignored() {}
        |#[test]
        |/// Documented.
        |#[should_panic]
        |fn with_more() {}
        |fn after_one() {}
    "
    .replace('|', "");

    assert_eq!(tests_in(&source), ["plain", "with_more"]);
}
