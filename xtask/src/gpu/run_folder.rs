//! What `run.sh` wrote, read and checked. What identifies a card or a machine is taken out on the way in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::archive::Provenance;
use super::bench::{self, Bench};
use super::doctor::Doctor;
use super::profile::Profile;
use super::redact::redact;
use super::sanitizer::Sanitizer;
use super::sections::sections;
use super::suite::Suite;

/// Files that are published as they are, if they aren't large.
pub(crate) const RAW: &[&str] = &[
    "bench.json",
    "bench.txt",
    "doctor.json",
    "doctor.txt",
    "evidence.txt",
    "faults.json",
    "faults.txt",
    "host-hashing.txt",
    "sanitizer.txt",
    "stages.json",
    "tests.txt",
];

/// A run's files.
#[derive(Debug)]
pub(crate) struct RunFolder {
    pub(crate) environment: Environment,
    pub(crate) stages: Vec<Stage>,
    pub(crate) suites: Vec<Suite>,
    pub(crate) sanitizers: Vec<Sanitizer>,
    pub(crate) profile: Option<Profile>,
    pub(crate) bench: Bench,
    /// What `vram doctor` found, where it was run.
    pub(crate) doctor: Option<Doctor>,
    /// What there is of [`RAW`], by name.
    pub(crate) raw: BTreeMap<&'static str, String>,
}

/// The host and its GPU: `environment.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Environment {
    /// When the run began, in UTC.
    pub(crate) date: String,
    pub(crate) kernel: Option<String>,
    pub(crate) system: Option<String>,
    pub(crate) glibc: Option<String>,
    pub(crate) cpu: Option<String>,
    pub(crate) cores: Option<u64>,
    #[serde(default)]
    pub(crate) sha_instructions: bool,
    /// In bytes.
    pub(crate) memory: Option<u64>,
    #[serde(default)]
    pub(crate) lscpu: BTreeMap<String, Option<String>>,
    pub(crate) gpus: Option<u64>,
    /// Properties of the first GPU, by the names that nvidia-smi gives them.
    pub(crate) gpu: Option<BTreeMap<String, Option<String>>>,
    #[serde(default)]
    pub(crate) tools: BTreeMap<String, Option<String>>,
    /// The archive that was run.
    pub(crate) archive: Option<Provenance>,
}

impl Environment {
    pub(crate) fn gpu_property(&self, name: &str) -> Option<&str> {
        self.gpu.as_ref()?.get(name)?.as_deref()
    }

    /// The day of the run, `2026-01-31`.
    pub(crate) fn day(&self) -> anyhow::Result<&str> {
        let day = self.date.split('T').next().unwrap_or_default();
        day.parse::<jiff::civil::Date>()
            .with_context(|| format!("environment.json: {} is no date", self.date))?;
        Ok(day)
    }
}

/// A stage of `run.sh`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) outcome: String,
    pub(crate) status: i32,
    pub(crate) seconds: u64,
    pub(crate) why: Option<String>,
}

#[derive(Deserialize)]
struct Stages {
    stages: Vec<Stage>,
}

impl RunFolder {
    /// Reads a folder, and refuses what is no run on a GPU.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let environment: Environment = json(folder, "environment.json")?;
        environment.day()?;
        if environment.gpu_property("name").is_none() {
            bail!("environment.json names no GPU: the run was on a host without one");
        }
        let bench: Bench = json(folder, "bench.json")?;
        if bench.schema != bench::SCHEMA {
            let (found, known) = (&bench.schema, bench::SCHEMA);
            bail!("bench.json is of form {found}; this task knows {known}");
        }
        if bench.simulated {
            bail!("bench.json is of a simulated device, which says nothing about a GPU");
        }
        let stages: Stages = json(folder, "stages.json")?;
        let tests = text(folder, "tests.txt")?.unwrap_or_default();
        let sanitizer = text(folder, "sanitizer.txt")?.unwrap_or_default();
        let profile = text(folder, "ncu.csv")?.unwrap_or_default();
        let doctor = text(folder, Doctor::FILE)?.filter(|text| !text.trim().is_empty());
        let doctor = doctor.as_deref().map(Doctor::parse).transpose()?;
        let mut raw = BTreeMap::new();
        for name in RAW {
            if let Some(text) = text(folder, name)?.filter(|text| !text.trim().is_empty()) {
                raw.insert(*name, text);
            }
        }
        Ok(Self {
            environment,
            stages: stages.stages,
            suites: sections(&tests).iter().map(Suite::parse).collect(),
            sanitizers: sections(&sanitizer).iter().map(Sanitizer::parse).collect(),
            profile: Profile::parse(&profile),
            bench,
            doctor,
            raw,
        })
    }

    /// The archive's commit, and whether there was more to it.
    pub(crate) fn commit(&self) -> anyhow::Result<(&str, bool)> {
        let archive = self.environment.archive.as_ref();
        let archive = archive.context("environment.json doesn't say which archive was run")?;
        Ok((&archive.commit, archive.dirty))
    }
}

/// A file's text without identifiers; `None` if there is no such file.
fn text(folder: &Path, name: &str) -> anyhow::Result<Option<String>> {
    let path: PathBuf = folder.join(name);
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
    Ok(Some(redact(&String::from_utf8_lossy(&bytes))?))
}

fn json<T: DeserializeOwned>(folder: &Path, name: &str) -> anyhow::Result<T> {
    let shown = folder.display();
    let text = text(folder, name)?.with_context(|| format!("{shown} has no {name}"))?;
    serde_json::from_str(&text).with_context(|| format!("{name} of {shown} can't be read"))
}
