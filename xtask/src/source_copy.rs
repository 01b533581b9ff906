//! A copy of the source to break on purpose, beside a target folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process;

/// The copy. What is not broken in it keeps its time of change, so that cargo builds only what was.
#[derive(Debug)]
pub(crate) struct Copy {
    folder: PathBuf,
}

impl Copy {
    /// Copies every file of the source, committed or not, as it is now.
    pub(crate) fn make(name: &str) -> anyhow::Result<Self> {
        let copy = Self {
            folder: process::scratch().join(name).join("tree"),
        };
        copy.restore()?;
        Ok(copy)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where cargo builds the broken code.
    pub(crate) fn target(&self) -> PathBuf {
        self.folder.with_file_name("target")
    }

    /// Takes back every break.
    pub(crate) fn restore(&self) -> anyhow::Result<()> {
        let root = process::workspace();
        let output = Command::new("git")
            .args([
                "ls-files",
                "--cached",
                "--others",
                "--exclude-standard",
                "-z",
            ])
            .current_dir(&root)
            .output()
            .context("could not start git")?;
        if !output.status.success() {
            bail!("git ls-files ended with {}", output.status);
        }
        let names = String::from_utf8(output.stdout)?;
        for name in names.split_terminator('\0') {
            self.restore_file(&root.join(name), &self.folder.join(name))?;
        }
        Ok(())
    }

    fn restore_file(&self, from: &Path, to: &Path) -> anyhow::Result<()> {
        let shown = || from.display().to_string();
        // Deleted, and not committed yet.
        if !from.is_file() {
            return Ok(());
        }
        let content = fs::read(from).with_context(shown)?;
        if fs::read(to).is_ok_and(|copied| copied == content) {
            return Ok(());
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).with_context(shown)?;
        }
        fs::write(to, content).with_context(|| to.display().to_string())?;
        fs::set_permissions(to, fs::metadata(from)?.permissions()).with_context(shown)
    }

    /// Whether a patch fits, or why not.
    pub(crate) fn check(&self, patch: &Path) -> anyhow::Result<Result<(), String>> {
        apply(&self.folder, patch, &["--check"])
    }

    /// Breaks the copy.
    pub(crate) fn apply(&self, patch: &Path) -> anyhow::Result<Result<(), String>> {
        apply(&self.folder, patch, &[])
    }
}

/// Applies a patch to a tree, or says why git refuses.
pub(crate) fn apply(
    tree: &Path,
    patch: &Path,
    more: &[&str],
) -> anyhow::Result<Result<(), String>> {
    let parent = tree.parent().unwrap_or(tree);
    let output = Command::new("git")
        .args(["apply", "--whitespace=nowarn"])
        .args(more)
        .arg(patch)
        .current_dir(tree)
        // A copy lies within a repository, and is no part of it.
        .env("GIT_CEILING_DIRECTORIES", parent)
        .output()
        .context("could not start git")?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(Err(said))
}
