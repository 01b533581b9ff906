//! A bundle's files, in memory: what is hashed is what is read, and the pages are made of nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What was run, when and on which source.
pub(super) const RUN: &str = "run.json";
pub(super) const ENVIRONMENT: &str = "environment.json";
/// One result of one test on one driver a line.
pub(super) const RESULTS: &str = "results.ndjson";
/// As cargo-nextest wrote it.
pub(super) const JUNIT: &str = "junit.xml";
/// The same, of the tests that ran again on a GPU here.
pub(super) const JUNIT_GPU: &str = "junit-gpu.xml";
/// What cargo printed.
pub(super) const DOC_TESTS: &str = "doc-tests.txt";
/// The results of a run on a GPU elsewhere.
pub(super) const GPU_RESULTS: &str = "gpu-results.json";
/// What the run on a GPU says of the bits that it flipped there.
pub(super) const GPU_FAULTS: &str = "gpu-faults.json";
pub(super) const COVERAGE: &str = "coverage.json";
pub(super) const BENCH: &str = "bench.json";
pub(super) const CAMPAIGNS: &str = "campaigns.json";
pub(super) const SBOM: &str = "sbom.cdx.json";
pub(super) const REQUIREMENTS: &str = "requirements.toml";
pub(super) const LOCK: &str = "Cargo.lock";
/// How cargo-nextest ran the tests.
pub(super) const NEXTEST: &str = "nextest.toml";
/// The folder of feature files.
pub(super) const FEATURES: &str = "features/";
/// What decides the random cases of property tests.
pub(super) const PROPTEST: &str = "proptest/config.json";
pub(super) const SIGNER: &str = "signer.pub.pem";
pub(super) const SPEC_COVERAGE: &str = "spec_coverage.md";
pub(super) const TEST_REPORT: &str = "test_report.md";
pub(super) const PAGE: &str = "index.html";
pub(super) const MANIFEST: &str = "manifest.json";
/// The signature of the manifest.
pub(super) const SIGNATURE: &str = "manifest.dsse.json";

/// The largest file that is read, in bytes: more is no bundle.
const LARGEST: u64 = 256 << 20;

/// Files by their path within the bundle, with `/` between folders.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<String, Vec<u8>>,
    /// Folders that were read and hold nothing, with `/` at the end.
    empty_folders: Vec<String>,
}

impl Files {
    /// Reads a folder. What is no plain file and no folder is refused: it could be another thing when it is looked at next.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut files = Self::default();
        files.read_below(folder, "")?;
        Ok(files)
    }

    fn read_below(&mut self, folder: &Path, prefix: &str) -> anyhow::Result<()> {
        let entries = fs::read_dir(folder)
            .with_context(|| format!("could not look through {}", folder.display()))?;
        let mut is_empty = true;
        for entry in entries {
            is_empty = false;
            let entry = entry?;
            let path = entry.path();
            let Ok(name) = entry.file_name().into_string() else {
                bail!("{}: its name is no UTF-8", path.display());
            };
            let name = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.read_below(&path, &format!("{name}/"))?;
            } else if kind.is_file() {
                let bytes = entry.metadata()?.len();
                if bytes > LARGEST {
                    bail!("{name} has {bytes} bytes: a bundle's files have at most {LARGEST}");
                }
                let content = fs::read(&path).with_context(|| path.display().to_string())?;
                self.files.insert(name, content);
            } else {
                bail!("{name} is neither a file nor a folder: a bundle holds nothing else");
            }
        }
        if is_empty && !prefix.is_empty() {
            self.empty_folders.push(prefix.to_owned());
        }
        Ok(())
    }

    /// Writes them into a folder that does not exist yet; it gets its name when all of it is there.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        if folder.exists() {
            bail!(
                "{} exists: a bundle is never written over",
                folder.display()
            );
        }
        let unfinished = folder.with_extension("unfinished");
        for (name, content) in &self.files {
            let path = unfinished.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
            }
            fs::write(&path, content).with_context(|| path.display().to_string())?;
        }
        fs::rename(&unfinished, folder).with_context(|| folder.display().to_string())
    }

    pub(super) fn insert(&mut self, name: &str, content: impl Into<Vec<u8>>) {
        self.files.insert(name.to_owned(), content.into());
    }

    /// A document, in the one form that is compared byte for byte.
    pub(super) fn insert_json(
        &mut self,
        name: &str,
        document: &impl Serialize,
    ) -> anyhow::Result<()> {
        self.insert(name, json(document)?);
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .map(|(name, content)| (name.as_str(), content.as_slice()))
    }

    /// Folders that were read and hold nothing: no manifest lists them, and no bundle is written with one.
    pub(super) fn empty_folders(&self) -> impl Iterator<Item = &str> {
        self.empty_folders.iter().map(String::as_str)
    }

    /// The text of a file; `None` where there is no such file.
    pub(super) fn text(&self, name: &str) -> anyhow::Result<Option<&str>> {
        let text = self.get(name).map(std::str::from_utf8).transpose();
        text.with_context(|| format!("{name} is no UTF-8"))
    }

    /// A document that every bundle has.
    pub(super) fn required<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<T> {
        self.document(name)?
            .with_context(|| format!("there is no {name}"))
    }

    /// A document; `None` where there is no such file.
    pub(super) fn document<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<Option<T>> {
        let Some(content) = self.get(name) else {
            return Ok(None);
        };
        let document = serde_json::from_slice(content);
        document
            .map(Some)
            .with_context(|| format!("{name} can't be read"))
    }
}

pub(super) fn json(document: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(document)?;
    text.push(b'\n');
    Ok(text)
}

/// Whether a path stays within the folder that it is joined to.
pub(super) fn is_within(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    !path.is_empty()
        && !path.contains('\\')
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_with_its_folders() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::default();
        files.insert("a.txt", "A");
        files.insert("b/c.txt", "C");

        files.write(&folder.path().join("bundle")).unwrap();

        let read = Files::read(&folder.path().join("bundle")).unwrap();
        let names: Vec<_> = read.iter().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["a.txt", "b/c.txt"]);
        assert_eq!(read.get("b/c.txt").unwrap(), b"C");
    }

    #[test]
    fn a_bundle_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();

        let refusal = Files::default().write(folder.path()).unwrap_err();

        assert!(
            refusal.to_string().contains("never written over"),
            "{refusal}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_a_bundle_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("a.txt")).unwrap();

        let refusal = Files::read(folder.path()).unwrap_err();

        assert!(
            refusal.to_string().contains("a.txt is neither"),
            "{refusal}"
        );
    }

    #[test]
    fn a_path_that_leaves_the_bundle_is_known() {
        for path in ["", "/etc/passwd", "../x", "a/../../x", "a\\b", "./a"] {
            assert!(!is_within(path), "{path}");
        }
        assert!(is_within("a/b.txt"));
    }
}
