//! The mutants that no test has to notice, each with a reason: `xtask/mutants.toml`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

/// Where the list is, below the workspace.
const FILE: &str = "xtask/mutants.toml";
/// A reason shorter than this explains nothing.
const SHORTEST_REASON: usize = 30;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Excepted {
    #[serde(default)]
    missed: Vec<Exception>,
}

/// A mutant that may pass every test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exception {
    /// Its name without line and column, which change when other code does.
    pub(super) mutant: String,
    /// Why nothing that anyone could see comes of it.
    pub(super) reason: String,
    /// How many of this name there are: the same operator may stand in a function twice.
    #[serde(default = "once")]
    pub(super) times: usize,
}

const fn once() -> usize {
    1
}

impl Excepted {
    pub(super) fn load(root: &Path) -> anyhow::Result<Self> {
        let path = root.join(FILE);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Self::parse(&text).with_context(|| FILE.to_owned())
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let excepted: Self = toml_edit::de::from_str(text)?;
        let mut known = BTreeSet::new();
        for Exception {
            mutant,
            reason,
            times,
        } in &excepted.missed
        {
            ensure!(known.insert(mutant), "{mutant} is listed twice");
            ensure!(*times > 0, "{mutant} is listed as nothing");
            ensure!(
                reason.len() >= SHORTEST_REASON,
                "{mutant} is listed without a reason to speak of"
            );
            ensure!(
                mutant == &without_place(mutant) && mutant.contains(": "),
                "{mutant} must be named as cargo-mutants does, without line and column"
            );
        }
        Ok(excepted)
    }

    /// Those of the files below a folder.
    pub(super) fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a Exception> {
        let missed = self.missed.iter();
        missed.filter(move |exception| exception.mutant.starts_with(folder))
    }

    #[cfg(test)]
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        let files = self
            .missed
            .iter()
            .map(|exception| exception.mutant.split_once(": "));
        files.map(|split| split.map_or("", |(file, _)| file))
    }
}

/// `a.rs:7:5: replace f with ()` without `:7:5`.
pub(super) fn without_place(name: &str) -> String {
    let Some((place, change)) = name.split_once(": ") else {
        return name.to_owned();
    };
    let file = place.split(':').next().unwrap_or(place);
    format!("{file}: {change}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_loses_its_line_and_column_and_nothing_else() {
        assert_eq!(
            without_place("crates/a/src/b.rs:118:9: replace <impl X for Y>::f -> u8 with 0"),
            "crates/a/src/b.rs: replace <impl X for Y>::f -> u8 with 0"
        );
        assert_eq!(
            without_place("b.rs: replace f with 1"),
            "b.rs: replace f with 1"
        );
    }

    #[test]
    fn an_exception_needs_a_name_a_reason_and_no_twin() {
        let one = |mutant: &str, reason: &str| {
            format!("[[missed]]\nmutant = \"{mutant}\"\nreason = \"{reason}\"\n")
        };
        let reason = "the buffer is only a hint, and nothing reads its size";
        let good = one("crates/a/src/b.rs: replace f with 1", reason);

        assert_eq!(Excepted::parse(&good).unwrap().missed.len(), 1);
        for bad in [
            format!("{good}{good}"),
            one("crates/a/src/b.rs: replace f with 1", "equivalent"),
            one("crates/a/src/b.rs:7:5: replace f with 1", reason),
            one("f", reason),
            format!("{good}times = 0\n"),
            format!("{good}why = \"no such field\"\n"),
        ] {
            assert!(Excepted::parse(&bad).is_err(), "{bad}");
        }
    }
}
