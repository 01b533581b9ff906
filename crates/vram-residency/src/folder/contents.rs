//! What lies in a folder, as a manifest names it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::FileType;
use std::path::{Path, PathBuf};

use vram_provenance::{Layout, Manifest};

use super::difference::FolderDifference;
use crate::Result;
use crate::source::failed;

/// The files of a folder and of the folders within, compared with a manifest by their names alone.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The listed files that are there, and where.
    pub(crate) files: BTreeMap<String, PathBuf>,
    /// Paths that are there and that nobody stands for: ignored ones, and empty files where the layout has none.
    pub(crate) uncovered: Vec<String>,
    pub(crate) differences: Vec<FolderDifference>,
}

/// How a folder is looked through.
pub(crate) struct Rules<'a> {
    pub(crate) manifest: &'a Manifest,
    /// Whether a link to a file is as good as the file.
    pub(crate) follow_links: bool,
    /// The signature itself, where it lies in the folder.
    pub(crate) signature: Option<String>,
}

impl Contents {
    /// Looks through a folder. Of a file nothing is read.
    pub(crate) fn of(folder: &Path, rules: &Rules<'_>) -> Result<Self> {
        let mut contents = Self::default();
        let mut folders = vec![(folder.to_owned(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let listing = |source| failed(&folder, "listing it", source);
            for entry in std::fs::read_dir(&folder).map_err(listing)? {
                let entry = entry.map_err(listing)?;
                let name = entry.file_name();
                let Some(name) = name.to_str() else {
                    // No manifest can name it.
                    let shown = format!("{prefix}{}", name.to_string_lossy());
                    contents.differs(FolderDifference::Unlisted(shown));
                    continue;
                };
                let (listed, path) = (format!("{prefix}{name}"), entry.path());
                let looking = |source| failed(&path, "looking at it", source);
                if rules.passes_over(&listed) {
                    contents.uncovered.push(listed);
                    continue;
                }
                let kind = entry.file_type().map_err(looking)?;
                if kind.is_dir() {
                    folders.push((path, format!("{listed}/")));
                } else {
                    contents.add(rules, listed, path, kind)?;
                }
            }
        }
        let told: BTreeSet<_> = contents
            .differences
            .iter()
            .map(FolderDifference::path)
            .collect();
        let there = |listed: &str| contents.files.contains_key(listed) || told.contains(listed);
        let listed = rules.manifest.files().map(|(listed, _)| listed);
        let missing: Vec<_> = listed
            .filter(|listed| !there(listed))
            .map(|listed| FolderDifference::Missing(listed.to_owned()))
            .collect();
        contents.differences.extend(missing);
        contents.uncovered.sort();
        Ok(contents)
    }

    /// Something other than a folder.
    fn add(
        &mut self,
        rules: &Rules<'_>,
        listed: String,
        path: PathBuf,
        kind: FileType,
    ) -> Result<()> {
        let looking = |source| failed(&path, "looking at it", source);
        if kind.is_symlink() && !rules.follow_links {
            self.differs(FolderDifference::Link(listed));
            return Ok(());
        }
        let found = std::fs::metadata(&path).map_err(looking)?;
        if found.is_dir() {
            // What lies behind it was not signed.
            self.differs(FolderDifference::Link(listed));
        } else if !found.is_file() {
            self.differs(FolderDifference::Special(listed));
        } else if rules.manifest.digest_of(&listed).is_some() {
            self.files.insert(listed, path);
        } else if rules.leaves_out_empty() && found.len() == 0 {
            self.uncovered.push(listed);
        } else {
            self.differs(FolderDifference::Unlisted(listed));
        }
        Ok(())
    }

    pub(crate) fn differs(&mut self, difference: FolderDifference) {
        self.differences.push(difference);
    }
}

impl Rules<'_> {
    fn passes_over(&self, listed: &str) -> bool {
        self.manifest.is_ignored(listed) || self.signature.as_deref() == Some(listed)
    }

    /// An empty file has no piece, so that no manifest of pieces lists one.
    fn leaves_out_empty(&self) -> bool {
        matches!(self.manifest.layout(), Layout::Pieces { .. })
    }
}
