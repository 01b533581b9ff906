//! The list of a bundle's files, each with its size and hash.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::files::{Files, MANIFEST, SIGNATURE, is_within};
use super::model::Run;

/// `manifest.json`: what is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) run: String,
    pub(super) commit: String,
    /// Whether the source differed from that commit.
    pub(super) dirty: bool,
    /// Every file but the manifest and its signature.
    pub(super) files: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Manifest {
    pub(super) fn of(files: &Files, run: &Run) -> Self {
        let listed = files
            .iter()
            .filter(|(name, _)| ![MANIFEST, SIGNATURE].contains(name));
        Self {
            run: run.id.clone(),
            commit: run.commit.clone(),
            dirty: run.dirty,
            files: listed
                .map(|(name, content)| (name.to_owned(), Entry::of(content)))
                .collect(),
        }
    }

    /// Where the files differ from the list, each difference in one line.
    pub(super) fn differences(&self, files: &Files) -> Vec<String> {
        let mut differences = Vec::new();
        for (name, entry) in &self.files {
            let Some(content) = files.get(name) else {
                let outside = if is_within(name) {
                    ""
                } else {
                    ", and it names a place outside"
                };
                differences.push(format!("{name}: it is missing{outside}"));
                continue;
            };
            let found = Entry::of(content);
            if found.bytes != entry.bytes {
                differences.push(format!(
                    "{name}: it was changed, from {} to {} bytes",
                    entry.bytes, found.bytes
                ));
            } else if found.sha256 != entry.sha256 {
                differences.push(format!(
                    "{name}: it was changed, its SHA-256 is {} and not {}",
                    found.sha256, entry.sha256
                ));
            }
        }
        for (name, _) in files.iter() {
            if !self.files.contains_key(name) && ![MANIFEST, SIGNATURE].contains(&name) {
                differences.push(format!(
                    "{name}: it was added, the manifest doesn't list it"
                ));
            }
        }
        differences
    }
}

impl Entry {
    fn of(content: &[u8]) -> Self {
        Self {
            bytes: u64::try_from(content.len()).unwrap_or(u64::MAX),
            sha256: sha256(content),
        }
    }
}

pub(super) fn sha256(content: &[u8]) -> String {
    hex::encode(digest(&SHA256, content))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn files() -> (Files, Manifest) {
        let mut files = Files::default();
        files.insert("a.txt", "A");
        files.insert("b/c.txt", "C");
        let manifest = Manifest::of(&files, &fixture::bundle().run);
        files.insert_json(MANIFEST, &manifest).unwrap();
        (files, manifest)
    }

    #[test]
    fn files_as_they_were_listed_do_not_differ() {
        let (files, manifest) = files();

        assert!(manifest.differences(&files).is_empty());
        assert_eq!(
            manifest.files["a.txt"].sha256,
            "559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd"
        );
    }

    #[test]
    fn each_file_that_differs_is_named() {
        let (mut files, mut manifest) = files();
        files.insert("a.txt", "B");
        files.insert("b/c.txt", "CC");
        files.insert("d.txt", "");
        manifest.files.insert("../e".to_owned(), Entry::of(b""));

        let differences = manifest.differences(&files);

        assert_eq!(differences.len(), 4, "{differences:?}");
        assert!(
            differences[0].starts_with("../e: it is missing, and it names a place outside"),
            "{differences:?}"
        );
        assert!(
            differences[1].starts_with("a.txt: it was changed, its SHA-256"),
            "{differences:?}"
        );
        assert!(
            differences[2].starts_with("b/c.txt: it was changed, from 1 to 2 bytes"),
            "{differences:?}"
        );
        assert!(
            differences[3].starts_with("d.txt: it was added"),
            "{differences:?}"
        );
    }
}
