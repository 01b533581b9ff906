//! The rows of the catalogue, as `docs/spec/requirements.toml` holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Value};

use super::source::Test;
use crate::process;

/// What the project promises.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Catalogue {
    #[serde(rename = "requirement", default)]
    pub(crate) requirements: Vec<Row>,
    #[serde(rename = "vulnerability", default)]
    pub(crate) vulnerabilities: Vec<Row>,
}

impl Catalogue {
    /// Requirements first, then vulnerabilities, each in the catalogue's order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.requirements.iter().chain(&self.vulnerabilities)
    }
}

/// One promise.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) id: String,
    /// The specification page that it belongs to.
    pub(crate) doc: String,
    /// The group of rows that it stands in on that page.
    pub(crate) section: String,
    pub(crate) title: String,
    pub(crate) means: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) severity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mitigation: Option<String>,
    /// The fixed name of one of its tests, or in brackets what kind of tests there must be. May be empty.
    #[serde(default)]
    pub(crate) seed_test: String,
    /// Whether it is about the GPU or its driver, so that passing on the simulated one alone says too little.
    #[serde(default)]
    pub(crate) device: bool,
    /// The ids of the tests that claim it.
    #[serde(default)]
    pub(crate) tests: Vec<String>,
}

impl Row {
    /// The fixed name of one of its tests, where it names a function.
    pub(crate) fn fixed_name(&self) -> Option<&str> {
        Some(self.seed_test.as_str()).filter(|name| !name.is_empty() && !name.starts_with('('))
    }
}

/// Where the catalogue is.
pub(crate) fn path(root: &Path) -> PathBuf {
    root.join("docs/spec/requirements.toml")
}

/// Reads the catalogue of a workspace.
pub(crate) fn load(root: &Path) -> anyhow::Result<Catalogue> {
    let path = path(root);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("could not read {}", path.display()))?;
    toml_edit::de::from_str(&text).with_context(|| format!("{} is no catalogue", path.display()))
}

/// The ids of the tests that claim each row.
pub(crate) fn by_row(tests: &[Test]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut by_row = BTreeMap::<&str, BTreeSet<&str>>::new();
    for test in tests {
        for row in test.counted() {
            by_row.entry(row).or_default().insert(&test.id);
        }
    }
    by_row
}

/// Writes each row's list of tests as the tests claim it. All else stays as it is, comments too.
pub(super) fn write_tests(root: &Path, tests: &[Test]) -> anyhow::Result<()> {
    let path = path(root);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("could not read {}", path.display()))?;
    let renewed = with_tests(&text, tests)?;
    process::write_or_check(&path, &renewed, false, "cargo xtask catalogue --write")
}

fn with_tests(text: &str, tests: &[Test]) -> anyhow::Result<String> {
    let mut document: DocumentMut = text.parse()?;
    let by_row = by_row(tests);
    for kind in ["requirement", "vulnerability"] {
        let rows = document
            .get_mut(kind)
            .and_then(Item::as_array_of_tables_mut);
        for row in rows.into_iter().flat_map(ArrayOfTables::iter_mut) {
            let id = row.get("id").and_then(Item::as_str).unwrap_or_default();
            let ids = by_row.get(id).into_iter().flatten().copied();
            row.insert("tests", Item::Value(Value::Array(lines(ids))));
        }
    }
    Ok(document.to_string())
}

/// An array with a line for each of its values.
fn lines<'i>(values: impl Iterator<Item = &'i str>) -> Array {
    let mut array = Array::new();
    for value in values {
        array.push_formatted(Value::from(value).decorated("\n    ", ""));
    }
    if !array.is_empty() {
        array.set_trailing_comma(true);
        array.set_trailing("\n");
    }
    array
}

#[cfg(test)]
mod tests {
    use super::super::source::Kind;
    use super::*;

    fn test(id: &str, claims: &[&str], ignored: bool) -> Test {
        Test {
            id: id.to_owned(),
            kind: Kind::Unit,
            ignored,
            claims: claims.iter().map(|claim| (*claim).to_owned()).collect(),
        }
    }

    #[test]
    fn lists_are_renewed_and_all_else_is_kept() {
        let text = "# Head.\n\n[[requirement]]\nid = \"FN-1\" # why\ntests = [\"old\"]\n\n# Next.\n[[requirement]]\nid = \"FN-2\"\n";
        let tests = [
            test("b x", &["FN-1"], false),
            test("a y", &["FN-1"], false),
            test("a z", &["FN-1"], true),
        ];

        let renewed = with_tests(text, &tests).unwrap();

        assert_eq!(
            renewed,
            "# Head.\n\n[[requirement]]\nid = \"FN-1\" # why\ntests = [\n    \"a y\",\n    \"b x\",\n]\n\n# Next.\n[[requirement]]\nid = \"FN-2\"\ntests = []\n"
        );
        assert_eq!(with_tests(&renewed, &tests).unwrap(), renewed);
    }

    #[test]
    fn a_row_with_a_field_that_nobody_knows_is_refused() {
        let row = "[[requirement]]\nid = \"A\"\ndoc = \"d\"\nsection = \"s\"\ntitle = \"t\"\nmeans = \"m\"\n";

        let known = toml_edit::de::from_str::<Catalogue>(row);
        let unknown = toml_edit::de::from_str::<Catalogue>(&format!("{row}weight = 3\n"));

        assert_eq!(known.unwrap().requirements[0].id, "A");
        assert!(unknown.unwrap_err().to_string().contains("weight"));
    }
}
