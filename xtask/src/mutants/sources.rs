//! What a mutant's fate depends on: of the committed files, those of its package, of the packages that this stands on,
//! and of those whose tests are asked. What was tried over the same files needs no trying again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use ring::digest::{Context, SHA256};
use serde::Deserialize;

use crate::process;

/// What no test of the packages reads.
const BESIDE: &[&str] = &[
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "docs/benchmarks/",
    "docs/kernel-notes.md",
    "docs/proof/",
    "docs/public-api/",
    "fuzz/",
    "xtask/",
];

/// What of that decides all the same how mutants are built and tested.
const COUNTED: &[&str] = &["xtask/src/mutants.rs", "xtask/src/link_stub.rs"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Of one in the workspace.
    path: Option<String>,
}

/// The workspace's packages and its committed files.
pub(super) struct Sources {
    packages: BTreeMap<String, Member>,
    /// A line of `git ls-tree` each: mode, type, hash and path; and what tries the mutants.
    files: Vec<String>,
}

struct Member {
    /// Its folder, with a slash at the end.
    folder: String,
    /// The packages of the workspace that it stands on.
    below: Vec<String>,
}

impl Sources {
    pub(super) fn load() -> anyhow::Result<Self> {
        let root = process::workspace();
        let metadata = process::output(process::cargo().current_dir(&root).args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--locked",
        ]))?;
        let files = process::output(Command::new("git").current_dir(&root).args([
            "ls-tree",
            "-r",
            "--full-tree",
            "HEAD",
        ]))?;
        let mut sources = Self::parse(&root, &metadata, &files)?;
        let tool = process::output(process::cargo().args(["mutants", "--version"]));
        sources
            .files
            .extend(tool.ok().map(|said| said.trim().to_owned()));
        Ok(sources)
    }

    fn parse(root: &Path, metadata: &str, files: &str) -> anyhow::Result<Self> {
        let metadata: Metadata = serde_json::from_str(metadata)?;
        let member = |package: Package| {
            let manifest = Path::new(&package.manifest_path);
            let folder = manifest
                .strip_prefix(root)
                .ok()
                .and_then(Path::parent)
                .with_context(|| format!("{} lies elsewhere", package.name))?;
            let inside = package.dependencies.into_iter();
            let inside = inside.filter(|dependency| dependency.path.is_some());
            let member = Member {
                folder: format!("{}/", folder.display()),
                below: inside.map(|dependency| dependency.name).collect(),
            };
            Ok((package.name, member))
        };
        Ok(Self {
            packages: metadata
                .packages
                .into_iter()
                .map(member)
                .collect::<anyhow::Result<_>>()?,
            files: files.lines().map(str::to_owned).collect(),
        })
    }

    /// Names what the fate of mutants depends on whose packages' tests these are.
    pub(super) fn name_of(&self, packages: &[&str]) -> String {
        let mut context = Context::new(&SHA256);
        for line in self.lines(packages) {
            context.update(line.as_bytes());
            context.update(b"\n");
        }
        let digest = hex::encode(context.finish());
        digest.get(..16).unwrap_or(&digest).to_owned()
    }

    fn lines(&self, packages: &[&str]) -> impl Iterator<Item = &str> {
        let counted = self.closure(packages);
        let counted: BTreeSet<String> = counted.into_iter().map(str::to_owned).collect();
        self.files.iter().map(String::as_str).filter(move |line| {
            let path = line.split_once('\t').map_or(*line, |(_, path)| path);
            let of_others = self
                .package_of(path)
                .is_some_and(|package| !counted.contains(package));
            let left_out = of_others || BESIDE.iter().any(|beside| path.starts_with(beside));
            COUNTED.contains(&path) || !left_out
        })
    }

    /// The package that a file is of. One stands in another's folder.
    fn package_of(&self, path: &str) -> Option<&str> {
        let mut packages: Vec<_> = self.packages.iter().collect();
        packages.retain(|(_, member)| path.starts_with(&member.folder));
        let innermost = packages
            .into_iter()
            .max_by_key(|(_, member)| member.folder.len());
        innermost.map(|(name, _)| name.as_str())
    }

    /// These packages and all that they stand on.
    fn closure<'a>(&'a self, packages: &[&'a str]) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut left = packages.to_vec();
        while let Some(name) = left.pop() {
            let Some(member) = self.packages.get(name) else {
                continue;
            };
            if found.insert(name) {
                left.extend(member.below.iter().map(String::as_str));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &str = "100644 blob 11\tCargo.lock
100644 blob 22\tREADME.md
100644 blob 33\tcrates/a/src/lib.rs
100644 blob 44\tcrates/ab/src/lib.rs
100644 blob 55\tcrates/c/tests/t.rs
100644 blob 66\tdocs/spec/40_testing.md
100644 blob 88\txtask/src/main.rs
100644 blob 99\txtask/src/mutants.rs";

    fn sources(files: &str) -> Sources {
        let package = |name: &str, below: &[&str]| {
            let below = below
                .iter()
                .map(|name| serde_json::json!({"name": name, "path": "/w/x"}))
                .chain([serde_json::json!({"name": "serde", "path": null})]);
            serde_json::json!({
                "name": name,
                "manifest_path": format!("/w/crates/{name}/Cargo.toml"),
                "dependencies": below.collect::<Vec<_>>(),
            })
        };
        // ab stands on nothing, a on ab, c on a.
        let packages = [
            package("a", &["ab"]),
            package("ab", &[]),
            package("c", &["a"]),
        ];
        let metadata = serde_json::json!({"packages": packages}).to_string();
        Sources::parse(Path::new("/w"), &metadata, files).unwrap()
    }

    #[test]
    fn a_package_stands_on_others_and_on_what_is_nobodys() {
        let sources = sources(FILES);
        let paths = |packages: &[&str]| -> Vec<_> {
            let lines = sources.lines(packages);
            lines.map(|line| line.split_once('\t').unwrap().1).collect()
        };
        assert_eq!(
            paths(&["ab"]),
            [
                "Cargo.lock",
                "crates/ab/src/lib.rs",
                "docs/spec/40_testing.md",
                "xtask/src/mutants.rs"
            ]
        );
        assert_eq!(
            paths(&["a"]),
            [
                "Cargo.lock",
                "crates/a/src/lib.rs",
                "crates/ab/src/lib.rs",
                "docs/spec/40_testing.md",
                "xtask/src/mutants.rs"
            ]
        );
        assert_eq!(paths(&["ab", "c"]).len(), 6);
    }

    #[test]
    fn the_name_changes_with_what_counts_and_with_nothing_else() {
        let name = |files: &str, packages: &[&str]| sources(files).name_of(packages);
        let changed = |from: &str| FILES.replace(from, "77");

        assert_eq!(name(FILES, &["a"]).len(), 16);
        for counts in ["11", "33", "44", "66", "99"] {
            assert_ne!(
                name(&changed(counts), &["a"]),
                name(FILES, &["a"]),
                "{counts}"
            );
        }
        for beside in ["22", "55", "88"] {
            assert_eq!(
                name(&changed(beside), &["a"]),
                name(FILES, &["a"]),
                "{beside}"
            );
        }
        assert_ne!(name(FILES, &["a"]), name(FILES, &["a", "c"]));
    }

    #[test]
    fn a_package_in_anothers_folder_has_its_own_files() {
        let package = |name: &str, folder: &str| {
            serde_json::json!({
                "name": name,
                "manifest_path": format!("/w/{folder}/Cargo.toml"),
                "dependencies": [],
            })
        };
        let packages = [package("suites", "tests"), package("raw", "tests/raw")];
        let metadata = serde_json::json!({"packages": packages}).to_string();
        let files = "1\ttests/src/lib.rs\n2\ttests/raw/src/lib.rs\n3\ttests/rawer.rs";
        let sources = Sources::parse(Path::new("/w"), &metadata, files).unwrap();
        let of = |package| sources.lines(&[package]).collect::<Vec<_>>();

        assert_eq!(of("raw"), ["2\ttests/raw/src/lib.rs"]);
        assert_eq!(of("suites"), ["1\ttests/src/lib.rs", "3\ttests/rawer.rs"]);
    }

    #[test]
    fn every_mutated_package_has_files_of_its_own() {
        let sources = Sources::load().unwrap();
        for (package, dependents) in super::super::MUTATED {
            let own = sources.lines(&[package]).count();
            let all = [&[*package], *dependents].concat();
            assert!(own > 20 && sources.lines(&all).count() > own, "{package}");
        }
    }
}
