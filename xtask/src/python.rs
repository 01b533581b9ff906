//! `cargo xtask python`: the Python packages that tests compare with, in a virtual environment of their own.
//!
//! `tests/python/requirements.txt` pins them, and all that they need, by version and hash.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use ring::digest;

use crate::{process, wheels};

/// Tells the tests which Python has the packages. Where it is not set, the tests that need them skip themselves, unless
/// they are required by a variable of their own.
pub(crate) const VARIABLE: &str = "VRAM_PYTHON";

#[derive(clap::Args)]
pub(crate) struct Options {}

pub(crate) fn run(_: &Options) -> anyhow::Result<()> {
    print(&install()?);
    Ok(())
}

/// Returns the path of a Python that has the packages, installed if they are not here yet.
pub(crate) fn install() -> anyhow::Result<PathBuf> {
    let requirements = process::workspace().join("tests/python/requirements.txt");
    let pins = std::fs::read(&requirements).with_context(|| requirements.display().to_string())?;
    let environment = environment(&pins);
    let python = environment.join("bin/python");
    let complete = environment.join("complete");
    if !complete.is_file() {
        if environment.exists() {
            std::fs::remove_dir_all(&environment)?;
        }
        process::report("installing the Python packages that tests compare with");
        process::run(
            Command::new(wheels::python()?)
                .args(["-m", "venv"])
                .arg(&environment),
        )?;
        process::run(
            Command::new(&python)
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ])
                .args(["--require-hashes", "--no-deps", "--only-binary=:all:", "-r"])
                .arg(&requirements),
        )?;
        std::fs::write(&complete, "")?;
    }
    Ok(python)
}

/// One for each list of pins: another list is another environment.
fn environment(pins: &[u8]) -> PathBuf {
    let key = hex::encode(digest::digest(&digest::SHA256, pins));
    let folder = process::scratch().join("python");
    folder.join(key.get(..16).unwrap_or(&key))
}

/// The path alone on standard output, so that `"$(cargo xtask python)" -m model_signing` works.
#[expect(clippy::print_stdout, reason = "the path is what the task is run for")]
fn print(python: &Path) {
    println!("{}", python.display());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_has_its_own_environment() {
        let (one, other) = (environment(b"a==1"), environment(b"a==2"));

        assert_ne!(one, other);
        assert_eq!(one, environment(b"a==1"));
        assert!(one.starts_with(process::scratch()));
    }
}
