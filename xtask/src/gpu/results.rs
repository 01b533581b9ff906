//! One document for all that a run found: `results.json` beside each page.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::bench::Bench;
use super::doctor::Doctor;
use super::profile::Profile;
use super::run_folder::{Environment, RunFolder, Stage};
use super::sanitizer::Sanitizer;
use super::suite::Suite;

const SCHEMA: &str = "vram-benchmarks/1";
pub(crate) const FILE: &str = "results.json";

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) schema: String,
    /// The day of the run.
    pub(crate) date: String,
    /// The GPU's name, as the driver gives it.
    pub(crate) gpu: String,
    pub(crate) commit: String,
    /// Whether the source differed from that commit.
    pub(crate) dirty: bool,
    /// Whether the page was made from another commit's tree.
    pub(crate) collected_elsewhere: bool,
    pub(crate) environment: Environment,
    pub(crate) stages: Vec<Stage>,
    pub(crate) suites: Vec<Suite>,
    pub(crate) sanitizers: Vec<Sanitizer>,
    pub(crate) profile: Option<Profile>,
    pub(crate) bench: Bench,
    /// What `vram doctor` found; runs of before it was there have none.
    #[serde(default)]
    pub(crate) doctor: Option<Doctor>,
}

impl Results {
    pub(crate) fn new(run: RunFolder, head: &str) -> anyhow::Result<Self> {
        let (commit, dirty) = run.commit()?;
        let gpu = run.environment.gpu_property("name");
        Ok(Self {
            schema: SCHEMA.to_owned(),
            date: run.environment.day()?.to_owned(),
            gpu: gpu.unwrap_or_default().to_owned(),
            commit: commit.to_owned(),
            dirty,
            collected_elsewhere: commit != head,
            environment: run.environment,
            stages: run.stages,
            suites: run.suites,
            sanitizers: run.sanitizers,
            profile: run.profile,
            bench: run.bench,
            doctor: run.doctor,
        })
    }

    /// The name of the page's folder: the day and the GPU.
    pub(crate) fn folder_name(&self) -> String {
        format!("{}-{}", self.date, slug(&self.gpu))
    }

    /// The newest results below a folder, with the folder that they lie in.
    pub(crate) fn newest(benchmarks: &Path) -> anyhow::Result<Option<(PathBuf, Self)>> {
        let Ok(entries) = fs::read_dir(benchmarks) else {
            return Ok(None);
        };
        let mut newest: Option<(PathBuf, Self)> = None;
        for entry in entries {
            let folder = entry?.path();
            let file = folder.join(FILE);
            if !file.is_file() {
                continue;
            }
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            let results: Self =
                serde_json::from_str(&text).with_context(|| file.display().to_string())?;
            let key = |folder: &Path, results: &Self| {
                (results.environment.date.clone(), folder.to_path_buf())
            };
            let newer = newest
                .as_ref()
                .is_none_or(|(other, old)| key(&folder, &results) > key(other, old));
            if newer {
                newest = Some((folder, results));
            }
        }
        Ok(newest)
    }
}

/// `NVIDIA H100 80GB HBM3` becomes `h100-80gb-hbm3`.
fn slug(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let words = lower
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty() && *word != "nvidia");
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_named_without_its_maker() {
        assert_eq!(slug("NVIDIA H100 80GB HBM3"), "h100-80gb-hbm3");
        assert_eq!(slug("Tesla T4 (../x)"), "tesla-t4-x");
    }
}
