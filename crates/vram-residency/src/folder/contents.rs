//! What lies in a folder, as a manifest names it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use vram_provenance::{Layout, Manifest};

use super::difference::FolderDifference;
use crate::model::FormatHint;
use crate::source::failed;
use crate::{Error, Result};

/// How many files and folders a folder may have, those within included: what a manifest can list.
pub(crate) const MAX_ENTRIES: usize = Manifest::MAX_ENTRIES;
/// How many folders may lie within one another.
pub(crate) const MAX_DEPTH: usize = 64;

/// The files of a folder and of the folders within, compared with a manifest by their names alone.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The listed files that are there, and where.
    pub(crate) files: BTreeMap<String, Found>,
    /// Paths that are there and that nobody stands for: ignored ones, and empty files where the layout has none.
    pub(crate) uncovered: Vec<String>,
    pub(crate) differences: Vec<FolderDifference>,
}

/// A listed file, as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
}

/// How a folder is looked through.
pub(crate) struct Rules<'a> {
    pub(crate) manifest: &'a Manifest,
    /// Whether a link to a file is as good as the file.
    pub(crate) follow_links: bool,
    /// The signature itself, where it lies in the folder.
    pub(crate) signature: Option<String>,
    /// The greatest number of entries.
    pub(crate) most: usize,
}

/// A folder to be looked through.
struct Within {
    path: PathBuf,
    /// What stands in front of the names of its files.
    prefix: String,
    /// Whether nobody stands for what lies in it.
    passed_over: bool,
    depth: usize,
}

impl Contents {
    /// Looks through a folder. Of a file nothing is read. What is passed over is looked through too, as it may hold neither
    /// links nor special files.
    pub(crate) fn of(folder: &Path, rules: &Rules<'_>) -> Result<Self> {
        let mut contents = Self::default();
        let mut folders = vec![Within {
            path: folder.to_owned(),
            prefix: String::new(),
            passed_over: false,
            depth: 0,
        }];
        let mut number = 0_usize;
        while let Some(within) = folders.pop() {
            require_at_most(
                folder,
                within.depth,
                "folders within one another",
                MAX_DEPTH,
            )?;
            let listing = |source| failed(&within.path, "listing it", source);
            for entry in std::fs::read_dir(&within.path).map_err(listing)? {
                number = number.saturating_add(1);
                require_at_most(folder, number, "entries", rules.most)?;
                let entry = entry.map_err(listing)?;
                folders.extend(contents.add(rules, &within, &entry)?);
            }
        }
        contents.find_missing(rules);
        contents.uncovered.sort();
        Ok(contents)
    }

    /// Something in a folder; if that is one itself, it is to be looked through next.
    fn add(
        &mut self,
        rules: &Rules<'_>,
        within: &Within,
        entry: &DirEntry,
    ) -> Result<Option<Within>> {
        let (name, path) = (entry.file_name(), entry.path());
        let listed = format!("{}{}", within.prefix, name.to_string_lossy());
        let looking = |source| failed(&path, "looking at it", source);
        // What it is comes first: what is passed over has to be a file or a folder too.
        let kind = entry.file_type().map_err(looking)?;
        if kind.is_symlink() && !rules.follow_links {
            self.differs(FolderDifference::Link(listed));
            return Ok(None);
        }
        let found = std::fs::metadata(&path).map_err(looking)?;
        if !found.is_dir() && !found.is_file() {
            self.differs(FolderDifference::Special(listed));
            return Ok(None);
        }
        let named = name.to_str().is_some();
        let passed_over = within.passed_over || (named && rules.passes_over(&listed));
        if passed_over && !within.passed_over {
            self.leaves_out(listed.clone(), found.is_file());
        }
        if kind.is_dir() && (named || passed_over) {
            return Ok(Some(Within {
                path,
                prefix: format!("{listed}/"),
                passed_over,
                depth: within.depth.saturating_add(1),
            }));
        }
        if passed_over {
            return Ok(None);
        }
        if !named {
            // No manifest can name it.
            self.differs(FolderDifference::Unlisted(listed));
        } else if found.is_dir() {
            // What lies behind it was not signed.
            self.differs(FolderDifference::Link(listed));
        } else if rules.manifest.digest_of(&listed).is_some() {
            let size = found.len();
            self.files.insert(listed, Found { path, size });
        } else if rules.leaves_out_empty() && found.len() == 0 {
            self.leaves_out(listed, true);
        } else {
            self.differs(FolderDifference::Unlisted(listed));
        }
        Ok(None)
    }

    /// Something that nobody stands for: not a file that would be sealed.
    fn leaves_out(&mut self, listed: String, file: bool) {
        if file && is_model(&listed) {
            self.differs(FolderDifference::Ignored(listed.clone()));
        }
        self.uncovered.push(listed);
    }

    /// What is listed and neither there nor told of already.
    fn find_missing(&mut self, rules: &Rules<'_>) {
        let told: BTreeSet<_> = self
            .differences
            .iter()
            .map(FolderDifference::path)
            .collect();
        let there = |listed: &str| self.files.contains_key(listed) || told.contains(listed);
        let listed = rules.manifest.files().map(|(listed, _)| listed);
        let missing: Vec<_> = listed
            .filter(|listed| !there(listed))
            .map(|listed| FolderDifference::Missing(listed.to_owned()))
            .collect();
        self.differences.extend(missing);
    }

    fn differs(&mut self, difference: FolderDifference) {
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

/// Whether a file of this path is one to be sealed: a model file of the folder itself.
pub(crate) fn is_model(listed: &str) -> bool {
    !listed.contains('/') && FormatHint::from_path(Path::new(listed)) != FormatHint::Unknown
}

/// Refuses a folder that has more than this of something.
pub(crate) fn require_at_most(
    folder: &Path,
    found: usize,
    what: &'static str,
    limit: usize,
) -> Result<()> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::FolderTooLarge {
        path: folder.to_owned(),
        what,
        limit,
    })
}
