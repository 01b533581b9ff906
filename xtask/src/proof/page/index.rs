//! What one part of the page looks up in another.

use std::collections::BTreeMap;

use crate::proof::model::{Bundle, Driver, TestRecord};

type Key<'a> = (&'a str, Driver, &'a str);

pub(super) struct Index<'a> {
    results: BTreeMap<Key<'a>, (usize, &'a TestRecord)>,
    /// The rows that a test claims.
    claims: BTreeMap<&'a str, Vec<&'a str>>,
    /// A specification or the list of vulnerabilities has this row.
    rows: std::collections::BTreeSet<&'a str>,
}

impl<'a> Index<'a> {
    pub(super) fn new(bundle: &'a Bundle) -> Self {
        let results = bundle.tests.iter().enumerate().map(|(at, test)| {
            let key = (test.id.as_str(), test.driver, test.machine.as_str());
            (key, (at, test))
        });
        let of_specifications = bundle
            .specifications
            .iter()
            .flat_map(|specification| &specification.sections)
            .flat_map(|section| &section.rows);
        let mut claims: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut rows = std::collections::BTreeSet::new();
        for row in of_specifications.chain(&bundle.vulnerabilities) {
            rows.insert(row.id.as_str());
            for test in &row.tests {
                claims.entry(&test.id).or_default().push(&row.id);
            }
        }
        Self {
            results: results.collect(),
            claims,
            rows,
        }
    }

    /// A result with its place on the page.
    pub(super) fn result(
        &self,
        id: &'a str,
        driver: Driver,
        machine: &'a str,
    ) -> Option<(usize, &'a TestRecord)> {
        self.results.get(&(id, driver, machine)).copied()
    }

    pub(super) fn claims(&self, test: &str) -> &[&'a str] {
        self.claims.get(test).map_or(&[], Vec::as_slice)
    }

    pub(super) fn has_row(&self, id: &str) -> bool {
        self.rows.contains(id)
    }
}

/// The anchor of a result.
pub(super) fn anchor(at: usize) -> String {
    format!("t{at}")
}
