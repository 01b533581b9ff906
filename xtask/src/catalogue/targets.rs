//! What tests are built from: the targets of the workspace's packages, as cargo knows them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::process;

/// One thing that cargo builds tests of.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// How nextest calls its test binary.
    pub(super) binary_id: String,
    /// The source file that its modules are reached from.
    pub(super) root: PathBuf,
    /// Whether its tests stand beside the code that they test.
    pub(super) beside_the_code: bool,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    targets: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    kind: Vec<String>,
    name: String,
    src_path: PathBuf,
    test: bool,
}

impl Described {
    fn is(&self, kind: &str) -> bool {
        self.kind.iter().any(|one| one == kind)
    }

    /// Nextest's rule: a library has its package's name, all else is below it.
    fn binary_id(&self, package: &str) -> Option<String> {
        let name = &self.name;
        if ["lib", "rlib", "dylib", "cdylib", "staticlib"]
            .iter()
            .any(|kind| self.is(kind))
        {
            Some(package.to_owned())
        } else if self.is("test") {
            Some(format!("{package}::{name}"))
        } else if self.is("bin") {
            Some(format!("{package}::bin/{name}"))
        } else {
            None
        }
    }
}

/// The targets of the workspace at `root` that have tests.
pub(super) fn of_workspace(root: &Path) -> anyhow::Result<Vec<Target>> {
    let output = process::cargo()
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("could not start cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata ended with {} in {}",
            output.status,
            root.display()
        );
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .context("cargo metadata wrote what is no such JSON")?;
    let packages = metadata.packages.iter();
    let targets = packages.flat_map(|package| {
        let tested = package.targets.iter().filter(|target| target.test);
        tested.filter_map(|target| {
            Some(Target {
                binary_id: target.binary_id(&package.name)?,
                root: target.src_path.clone(),
                beside_the_code: !target.is("test"),
            })
        })
    });
    Ok(targets.collect())
}
