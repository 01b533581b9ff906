//! What is said of sets: the position of a single file, and the root of a folder.

use std::path::Path;

use clap::Args;
use serde::Serialize;
use vram_residency::{Error, set_root};
use vram_seal::{SetPosition, SetRefusal, SetRoot};

use super::Sealed;
use super::position::Position;
use crate::exit::Misused;
use crate::output::row;
use crate::shown::shown;

#[derive(Debug, Args)]
pub(super) struct SetOptions {
    /// Seal a single file as one of a set, such as one part for each device: its number, counted
    /// from 1, and how many there are; as 1/4.
    #[arg(long, value_name = "I/N")]
    position: Option<Position>,
    /// Seal a single folder only if its files are the set of this root: all of them, in order, as
    /// they were when the root was shown ("Set root"). It is compared once all are sealed, which
    /// takes reading them; if it is another, all are wiped and given back.
    #[arg(long, value_name = "HEX")]
    expect_set_root: Option<SetRoot>,
}

impl SetOptions {
    /// Refuses what makes no sense for a single folder, a single file, or neither.
    pub(super) fn require_sense(&self, folder: bool, file: bool) -> anyhow::Result<()> {
        let refused = |what: &str| Err(Misused(what.to_owned()).into());
        if self.position.is_some() && !file {
            return refused("--position is about a single file; the files of a folder have theirs");
        }
        if self.expect_set_root.is_some() && !folder {
            return refused("--expect-set-root is about a single folder; give one folder");
        }
        Ok(())
    }

    /// The position of a single file.
    pub(super) fn position(&self) -> Option<SetPosition> {
        self.position.map(|Position(position)| position)
    }

    /// A folder that has been sealed, if it is the set expected.
    pub(super) fn sealed(&self, folder: &Path, sealed: &[Sealed]) -> Result<Set, Error> {
        let found = set_root(sealed.iter().map(|sealed| &sealed.shard))?;
        if let Some(expected) = self.expect_set_root.filter(|expected| *expected != found) {
            let refusal = SetRefusal::OtherRoot { found, expected };
            return Err(vram_seal::Error::from(refusal).into());
        }
        Ok(Set {
            path: folder.to_string_lossy().into_owned(),
            shards: sealed.len(),
            set_root: found,
        })
    }
}

/// A folder that was sealed as one set.
#[derive(Debug, Serialize)]
pub(super) struct Set {
    /// The folder; bytes of its path that are no UTF-8 are replaced.
    path: String,
    shards: usize,
    set_root: SetRoot,
}

impl Set {
    pub(super) fn show(&self, text: &mut String) {
        row(text, "Set", &shown(&self.path));
        let root = format!("{}, of {} shards in order", self.set_root, self.shards);
        row(text, "Set root", &root);
    }
}
