//! What must hold between the rows, the specification pages and the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::rows::{Catalogue, Row, by_row};
use super::source::{Kind, Test};

/// The specification pages, by the name that rows have in `doc`.
const PAGES: [&str; 4] = [
    "00_vram-residency",
    "10_expectations",
    "20_security",
    "40_testing",
];
/// The tests that run on a GPU where there is one.
const ON_DEVICES: [&str; 2] = [DRIVERS, "vram-tests::features "];
const DRIVERS: &str = "vram-tests::drivers ";
/// How many rows there must be at least, so that none is dropped.
const REQUIREMENTS: usize = 55;
const VULNERABILITIES: usize = 7;

/// Everything that is wrong, each in one line.
pub(super) fn problems(root: &Path, catalogue: &Catalogue, tests: &[Test]) -> Vec<String> {
    let mut problems = of_rows(catalogue);
    problems.extend(of_claims(catalogue, tests));
    problems.extend(of_pages(root, catalogue));
    problems.extend(of_kinds(root, catalogue, tests));
    problems
}

/// Rows that are missing, there twice, or not filled in.
fn of_rows(catalogue: &Catalogue) -> Vec<String> {
    let mut problems = Vec::new();
    let counts = [
        ("requirements", catalogue.requirements.len(), REQUIREMENTS),
        (
            "vulnerabilities",
            catalogue.vulnerabilities.len(),
            VULNERABILITIES,
        ),
    ];
    for (kind, there, least) in counts {
        if there < least {
            problems.push(format!(
                "there are {there} {kind} of {least}: rows are never dropped"
            ));
        }
    }
    let mut seen = BTreeSet::new();
    for row in catalogue.rows() {
        let id = &row.id;
        if !super::claims::is_row_id(id) {
            problems.push(format!(
                "{id}: an id is two capital letters, a hyphen and a number"
            ));
        }
        if !seen.insert(id) {
            problems.push(format!("{id} is there twice"));
        }
        if row.title.is_empty() || row.section.is_empty() || !row.means.ends_with('.') {
            problems.push(format!(
                "{id}: its title, section or meaning is not filled in"
            ));
        }
    }
    for row in &catalogue.vulnerabilities {
        if row.severity.is_none() || row.mitigation.is_none() {
            problems.push(format!(
                "{}: a vulnerability has a severity and a mitigation",
                row.id
            ));
        }
    }
    problems
}

/// Claims without a row, rows without tests of their own, and lists that differ from the claims.
fn of_claims(catalogue: &Catalogue, tests: &[Test]) -> Vec<String> {
    let known: BTreeSet<&str> = catalogue.rows().map(|row| row.id.as_str()).collect();
    let claims = tests
        .iter()
        .flat_map(|test| test.claims.iter().map(move |row| (test, row)));
    let unknown = claims.filter(|(_, row)| !known.contains(row.as_str()));
    let unknown =
        unknown.map(|(test, row)| format!("{}: it claims {row}, which is no row", test.id));
    let mut problems: Vec<String> = unknown.collect();

    let by_row = by_row(tests);
    let tests: BTreeMap<&str, &Test> = tests.iter().map(|test| (test.id.as_str(), test)).collect();
    let nothing = BTreeSet::new();
    for row in catalogue.rows() {
        let claiming = by_row.get(row.id.as_str()).unwrap_or(&nothing);
        problems.extend(of_row(row, claiming, &tests));
    }
    problems
}

fn of_row(row: &Row, claiming: &BTreeSet<&str>, tests: &BTreeMap<&str, &Test>) -> Vec<String> {
    let id = &row.id;
    if claiming.is_empty() {
        return vec![format!("{id}: no test claims it")];
    }
    let mut problems = Vec::new();
    let claiming_tests = || claiming.iter().filter_map(|id| tests.get(id));
    if !claiming_tests().any(|test| test.claims.len() == 1) {
        problems.push(format!(
            "{id}: each test that claims it claims others too, and one must be its own"
        ));
    }
    if let Some(name) = row.fixed_name()
        && !claiming_tests().any(|test| test.name() == name)
    {
        problems.push(format!("{id}: no test called {name} claims it"));
    }
    if row.device
        && !claiming
            .iter()
            .any(|test| ON_DEVICES.iter().any(|on| test.starts_with(on)))
    {
        problems.push(format!(
            "{id}: it is about the device, and no test that runs on one claims it"
        ));
    }
    let listed: Vec<&str> = row.tests.iter().map(String::as_str).collect();
    if !listed.iter().eq(claiming.iter()) {
        problems.push(format!("{id}: its list of tests is not what the tests claim; `cargo xtask catalogue --write` renews it"));
    }
    problems
}

/// Rows of a page that there isn't, or that doesn't speak of them.
fn of_pages(root: &Path, catalogue: &Catalogue) -> Vec<String> {
    let pages: BTreeMap<&str, String> = PAGES
        .into_iter()
        .map(|page| {
            let text = std::fs::read_to_string(root.join(format!("docs/spec/{page}.md")));
            (page, text.unwrap_or_default())
        })
        .collect();
    let rows = catalogue
        .rows()
        .filter_map(|row| match pages.get(row.doc.as_str()) {
            None => Some(format!("{}: there is no page {}", row.id, row.doc)),
            Some(page) if !mentions(page, &row.id) => Some(format!(
                "{}: docs/spec/{}.md says nothing of it",
                row.id, row.doc
            )),
            Some(_) => None,
        });
    rows.collect()
}

/// Whether a text names an id, and not only one that begins as it does.
fn mentions(text: &str, id: &str) -> bool {
    text.match_indices(id).any(|(at, _)| {
        let after = at.saturating_add(id.len());
        let mut rest = text.get(after..).unwrap_or_default().chars();
        let next = rest.next();
        let longer = next.is_some_and(|next| next.is_ascii_digit())
            || (next == Some('.') && rest.next().is_some_and(|next| next.is_ascii_digit()));
        !longer
    })
}

/// What rows ask for in brackets: so many tests of a kind.
fn of_kinds(root: &Path, catalogue: &Catalogue, tests: &[Test]) -> Vec<String> {
    let run = || tests.iter().filter(|test| !test.ignored);
    let unit = run().filter(|test| test.kind == Kind::Unit).count();
    let on_devices = run().filter(|test| test.id.starts_with(DRIVERS)).count();
    let scenarios: Vec<&str> = run()
        .filter(|test| test.kind == Kind::Scenario)
        .filter_map(|test| test.id.rsplit_once("::").map(|(feature, _)| feature))
        .collect();
    let features: BTreeSet<&str> = scenarios.iter().copied().collect();
    let mut counts = vec![
        ("(87 unit tests)", "unit tests", unit, 87),
        ("(25 GPU tests)", "tests over both drivers", on_devices, 25),
    ];
    if root.join("tests/features").is_dir() {
        counts.push(("(7 features)", "feature files", features.len(), 7));
        counts.push(("(7 features)", "scenarios", scenarios.len(), 31));
    }
    let mut problems = Vec::new();
    for row in catalogue.rows() {
        for (name, what, there, least) in &counts {
            if row.seed_test == *name && there < least {
                problems.push(format!(
                    "{}: there are {there} {what}, and {least} are asked for",
                    row.id
                ));
            }
        }
    }
    problems
}

/// Tests that were found in the sources and that nextest doesn't know, by which an id is known to be wrong.
pub(super) fn unlisted(tests: &[Test], listed: &BTreeSet<String>) -> Vec<String> {
    let run = tests.iter().filter(|test| !test.ignored);
    let unknown = run.filter(|test| !listed.contains(&test.id));
    unknown
        .map(|test| format!("{}: nextest lists no such test", test.id))
        .collect()
}
