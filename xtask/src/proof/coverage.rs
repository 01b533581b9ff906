//! How much of the source the tests went through, by crate and by top module.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::model::{CrateCoverage, LineCoverage, Lines, ModuleCoverage};

/// `coverage.json`: lines by file, of which everything else is computed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) tool: String,
    /// In the order of their paths.
    pub(super) files: Vec<File>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    /// Within the workspace.
    pub(super) path: String,
    pub(super) package: String,
    pub(super) lines: Lines,
}

/// The part of llvm-cov's own document that is used.
#[derive(Deserialize)]
struct Export {
    data: Vec<ExportData>,
}

#[derive(Deserialize)]
struct ExportData {
    files: Vec<ExportFile>,
}

#[derive(Deserialize)]
struct ExportFile {
    filename: String,
    summary: Summary,
}

#[derive(Deserialize)]
struct Summary {
    lines: SummaryLines,
}

#[derive(Deserialize)]
struct SummaryLines {
    count: u64,
    covered: u64,
}

impl Measured {
    /// Reads `cargo llvm-cov report --json --summary-only`. Packages are given with their folders.
    pub(super) fn from_export(
        export: &[u8],
        tool: &str,
        root: &Path,
        packages: &BTreeMap<String, String>,
    ) -> anyhow::Result<Self> {
        let export: Export =
            serde_json::from_slice(export).context("what llvm-cov wrote can't be read")?;
        let mut files = Vec::new();
        for file in export.data.into_iter().flat_map(|data| data.files) {
            let Ok(path) = Path::new(&file.filename).strip_prefix(root) else {
                continue;
            };
            let path = path.to_string_lossy().into_owned();
            let package = packages
                .iter()
                .find(|(folder, _)| path.starts_with(&format!("{folder}/src/")));
            if let Some((_, package)) = package {
                files.push(File {
                    package: package.clone(),
                    path,
                    lines: Lines {
                        all: file.summary.lines.count,
                        covered: file.summary.lines.covered,
                    },
                });
            }
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self {
            tool: tool.to_owned(),
            files,
        })
    }

    pub(super) fn by_crate(&self) -> LineCoverage {
        let mut crates: BTreeMap<&str, BTreeMap<&str, Lines>> = BTreeMap::new();
        for file in &self.files {
            let modules = crates.entry(&file.package).or_default();
            modules
                .entry(module(&file.path))
                .or_default()
                .add(file.lines);
        }
        let crates: Vec<_> = crates
            .into_iter()
            .map(|(name, modules)| CrateCoverage {
                name: name.to_owned(),
                lines: total(modules.values()),
                modules: modules
                    .into_iter()
                    .map(|(name, lines)| ModuleCoverage {
                        name: name.to_owned(),
                        lines,
                    })
                    .collect(),
            })
            .collect();
        LineCoverage {
            tool: self.tool.clone(),
            lines: total(crates.iter().map(|one| &one.lines)),
            crates,
        }
    }
}

fn total<'l>(all: impl IntoIterator<Item = &'l Lines>) -> Lines {
    let mut total = Lines::default();
    for lines in all {
        total.add(*lines);
    }
    total
}

/// The top module that a file belongs to: `signing` of `crates/vram-seal/src/signing/pem.rs`.
fn module(path: &str) -> &str {
    let within = path.split_once("/src/").map_or(path, |(_, within)| within);
    let first = within.split('/').next().unwrap_or(within);
    first.strip_suffix(".rs").unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        let file = |name: &str, count: u64, covered: u64| serde_json::json!({"filename": name, "summary": {"lines": {"count": count, "covered": covered, "percent": 0.0}, "regions": {}}});
        let export = serde_json::json!({"type": "llvm.coverage.json.export", "version": "2.0.1", "data": [{"files": [
            file("/w/crates/vram-seal/src/signing/pem.rs", 10, 9),
            file("/w/crates/vram-seal/src/signing.rs", 5, 5),
            file("/w/crates/vram-seal/src/lib.rs", 1, 1),
            file("/w/crates/vram-seal/tests/suite/main.rs", 50, 50),
            file("/registry/other/src/lib.rs", 100, 1),
            file("/w/xtask/src/main.rs", 4, 0),
        ], "totals": {}}]});
        let packages = [("crates/vram-seal", "vram-seal"), ("xtask", "xtask")];
        let packages = packages.map(|(folder, name)| (folder.to_owned(), name.to_owned()));
        Measured::from_export(
            &serde_json::to_vec(&export).unwrap(),
            "tool 1",
            Path::new("/w"),
            &packages.into(),
        )
        .unwrap()
    }

    #[test]
    fn lines_are_summed_by_module_and_crate() {
        let coverage = measured().by_crate();

        let seal = &coverage.crates[0];
        assert_eq!(
            (seal.name.as_str(), seal.lines),
            (
                "vram-seal",
                Lines {
                    all: 16,
                    covered: 15
                }
            )
        );
        let modules: Vec<_> = seal
            .modules
            .iter()
            .map(|module| (module.name.as_str(), module.lines.all))
            .collect();
        assert_eq!(modules, [("lib", 1), ("signing", 15)]);
        assert_eq!(
            coverage.lines,
            Lines {
                all: 20,
                covered: 15
            }
        );
    }

    #[test]
    fn only_the_workspaces_own_source_counts_and_no_path_outside_is_kept() {
        let paths: Vec<_> = measured().files.into_iter().map(|file| file.path).collect();

        assert_eq!(
            paths,
            [
                "crates/vram-seal/src/lib.rs",
                "crates/vram-seal/src/signing.rs",
                "crates/vram-seal/src/signing/pem.rs",
                "xtask/src/main.rs"
            ]
        );
    }
}
