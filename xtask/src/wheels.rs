//! Python wheels as a source of tools: NVIDIA publishes the CUDA compiler and headers that way, so
//! nobody needs an installed toolkit, and the versions are pinned.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process;

/// A wheel's name and exact version.
pub(crate) type Pin = (&'static str, &'static str);

/// Installs the pinned wheels, once, into a virtual environment of their own, and returns its
/// `site-packages`.
pub(crate) fn site(pins: &[Pin]) -> anyhow::Result<PathBuf> {
    let name = pins
        .iter()
        .map(|(name, version)| format!("{name}-{version}"))
        .collect::<Vec<_>>();
    let key = hex::encode(ring::digest::digest(
        &ring::digest::SHA256,
        name.join(" ").as_bytes(),
    ));
    let environment = process::scratch()
        .join("wheels")
        .join(key.get(..16).unwrap_or(&key));
    let complete = environment.join("complete");
    if !complete.is_file() {
        if environment.exists() {
            std::fs::remove_dir_all(&environment)?;
        }
        process::report(&format!("installing {}", name.join(", ")));
        process::run(
            Command::new(python()?)
                .args(["-m", "venv"])
                .arg(&environment),
        )?;
        let requirements = pins
            .iter()
            .map(|(name, version)| format!("{name}=={version}"));
        process::run(
            Command::new(environment.join("bin/python"))
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--no-deps",
                    "--only-binary=:all:",
                ])
                .args(requirements),
        )?;
        std::fs::write(&complete, "")?;
    }
    site_packages(&environment)
}

/// The machine's Python 3, if it has one that can make virtual environments.
pub(crate) fn python() -> anyhow::Result<&'static str> {
    for candidate in ["python3", "python"] {
        if process::works(Command::new(candidate).args(["-c", "import venv, ensurepip"])) {
            return Ok(candidate);
        }
    }
    bail!("this task needs Python 3 with venv and pip (Debian: apt install python3-venv)")
}

fn site_packages(environment: &Path) -> anyhow::Result<PathBuf> {
    let lib = environment.join("lib");
    for entry in std::fs::read_dir(&lib).with_context(|| lib.display().to_string())? {
        let site = entry?.path().join("site-packages");
        if site.is_dir() {
            return Ok(site);
        }
    }
    bail!(
        "{} has no site-packages; remove the folder and run again",
        environment.display()
    )
}
