//! Reports of the work that looks for what tests miss. Each says of which commit it is, and a proof bundle takes it in.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::gpu::{self, Checkout};

/// One kind of such work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The name of its file in a bundle, without the ending.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// What the field `schema` of its report says, by which a report is recognized.
    pub(crate) schema: &'static str,
    /// The task that makes the report.
    pub(crate) task: &'static str,
}

pub(crate) const FAULTS: Kind = Kind {
    id: "faults",
    title: "Fault campaign",
    schema: "vram-faults/1",
    task: "cargo xtask faults",
};
pub(crate) const PLANTED_BREAKS: Kind = Kind {
    id: "planted-breaks",
    title: "Planted breaks",
    schema: "vram-planted-breaks/1",
    task: "cargo xtask planted-breaks",
};
pub(crate) const MUTATION: Kind = Kind {
    id: "mutation",
    title: "Mutation testing",
    schema: "vram-mutants/1",
    task: "cargo xtask mutants",
};
pub(crate) const FUZZING: Kind = Kind {
    id: "fuzzing",
    title: "Fuzzing",
    schema: "vram-fuzzing/1",
    task: "cargo xtask fuzz",
};
pub(crate) const TIMING: Kind = Kind {
    id: "timing",
    title: "Timing of comparisons",
    schema: "vram-timing/1",
    task: "cargo xtask timing",
};

/// In the order in which a bundle shows them.
pub(crate) const KINDS: [&Kind; 5] = [&PLANTED_BREAKS, &MUTATION, &FAULTS, &FUZZING, &TIMING];

/// How every report begins.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) schema: String,
    pub(crate) passed: bool,
    /// None where it is not known.
    pub(crate) commit: Option<Commit>,
    /// What whoever reads that it passed has to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reservations: Vec<String>,
}

/// What was tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commit {
    pub(crate) id: String,
    /// Whether anything differed from that commit.
    pub(crate) dirty: bool,
}

impl From<Checkout> for Commit {
    fn from(Checkout { commit, dirty }: Checkout) -> Self {
        Self { id: commit, dirty }
    }
}

#[derive(Serialize)]
struct Report<'a, T> {
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    found: &'a T,
}

/// Writes what was found, from a checkout as it was when the work began, as a report. Where it is another one now, it
/// isn't known what was tested, and nothing passes.
pub(crate) fn finish<T: Serialize>(
    kind: &Kind,
    begun: Checkout,
    passed: bool,
    mut reservations: Vec<String>,
    found: &T,
    path: &Path,
) -> anyhow::Result<()> {
    let now = gpu::checkout()?;
    let same = now.commit == begun.commit;
    if !same {
        reservations.push(format!(
            "another commit, {}, was checked out meanwhile",
            now.commit
        ));
    }
    let commit = Commit {
        dirty: begun.dirty || now.dirty,
        id: begun.commit,
    };
    write(
        kind,
        Some(commit),
        passed && same,
        reservations,
        found,
        path,
    )
}

/// Writes what was found as a report.
pub(crate) fn write<T: Serialize>(
    kind: &Kind,
    commit: Option<Commit>,
    passed: bool,
    reservations: Vec<String>,
    found: &T,
    path: &Path,
) -> anyhow::Result<()> {
    let head = Head {
        schema: kind.schema.to_owned(),
        passed,
        commit,
        reservations,
    };
    let shown = || path.display().to_string();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(shown)?;
    }
    let text = serde_json::to_string_pretty(&Report { head, found })? + "\n";
    fs::write(path, text).with_context(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_begins_with_what_it_is_and_of_which_commit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("report.json");
        let commit = Commit::from(Checkout {
            commit: "abc".to_owned(),
            dirty: true,
        });

        let found = serde_json::json!({"flips": 7});
        write(&FAULTS, Some(commit), false, Vec::new(), &found, &path).unwrap();

        let text = fs::read_to_string(&path).unwrap();
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            report,
            serde_json::json!({
                "schema": "vram-faults/1", "passed": false, "commit": {"id": "abc", "dirty": true}, "flips": 7
            })
        );
        assert!(text.starts_with("{\n  \"schema\""));
    }

    #[test]
    fn kinds_are_told_apart() {
        for (number, kind) in KINDS.iter().enumerate() {
            for other in &KINDS[..number] {
                assert!(
                    kind.id != other.id && kind.schema != other.schema,
                    "{kind:?}"
                );
            }
        }
    }
}
