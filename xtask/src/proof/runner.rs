//! Runs the tests, and takes what the runners wrote.

use std::fs::{self, File};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::files::{COVERAGE, DOC_TESTS, Files, JUNIT, JUNIT_GPU};
use super::sbom::CargoMetadata;
use super::{coverage, doc_tests, environment, junit};
use crate::gpu::redact::redact;
use crate::process;
use crate::test::surroundings::Surroundings;

/// nextest's profile, in `.config/nextest.toml`.
const PROFILE: &str = "proof";
/// Makes the suites that run over a driver use the GPU.
const DRIVER: (&str, &str) = ("VRAM_TEST_DRIVER", "gpu");

/// What would change what tests do or how they are counted, and isn't shown in a bundle.
const UNSEEN: [&str; 4] = [
    "VRAM_BLESS",
    "VRAM_MODEL_SCHEDULES",
    "VRAM_TEST_CHILD",
    "VRAM_TEST_DRIVER",
];
const UNSEEN_FAMILIES: [&str; 2] = ["NEXTEST_", "PROPTEST_"];

/// Cargo, without what the caller's environment would change of the tests unseen.
fn cargo() -> Command {
    let mut cargo = process::cargo();
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_unseen) {
            cargo.env_remove(&name);
        }
    }
    cargo
}

fn is_unseen(variable: &str) -> bool {
    let of_family = |family: &&str| variable.starts_with(*family);
    UNSEEN.contains(&variable) || UNSEEN_FAMILIES.iter().any(of_family)
}

/// How the tests are run.
pub(super) struct Runner<'r> {
    pub(super) surroundings: &'r Surroundings,
    /// Only these packages, or all.
    pub(super) packages: &'r [String],
    /// Whether they are built to count the lines that they go through.
    pub(super) instrumented: bool,
}

impl Runner<'_> {
    /// Unit, integration, property and feature tests, each in a process of its own.
    pub(super) fn tests(&self, files: &mut Files) -> anyhow::Result<()> {
        let mut command = cargo();
        if self.instrumented {
            // What earlier runs went through is no coverage of this one.
            process::run(process::cargo().args(["llvm-cov", "clean", "--profraw-only"]))?;
            command.args(["llvm-cov", "nextest", "--no-report", "--no-cfg-coverage"]);
        } else {
            command.args(["nextest", "run"]);
        }
        self.choose(&mut command);
        self.nextest(command, JUNIT, files)
    }

    /// The suites that run over a driver, on the GPU that is here.
    pub(super) fn tests_on_gpu(&self, features: bool, files: &mut Files) -> anyhow::Result<()> {
        let mut command = cargo();
        command.args([
            "nextest",
            "run",
            "--package",
            "vram-tests",
            "--test",
            "drivers",
        ]);
        if features {
            command.args(["--test", "features"]);
        }
        command.args(["--all-features", "--locked", "--test-threads", "1"]);
        command.env(DRIVER.0, DRIVER.1);
        let plain = Self {
            instrumented: false,
            ..*self
        };
        plain.nextest(command, JUNIT_GPU, files)
    }

    fn nextest(&self, mut command: Command, name: &str, files: &mut Files) -> anyhow::Result<()> {
        command.args(["--profile", PROFILE, "--no-tests", "pass"]);
        if !std::io::stderr().is_terminal() {
            command.args(["--show-progress", "none", "--status-level", "fail"]);
            command.args([
                "--final-status-level",
                "none",
                "--failure-output",
                "immediate",
                "--cargo-quiet",
            ]);
        }
        let report = Self::report();
        if report.exists() {
            fs::remove_file(&report).with_context(|| report.display().to_string())?;
        }
        let ran = process::run(self.surroundings.given_to(&mut command));
        match fs::read_to_string(&report) {
            Ok(text) => {
                let text = without_paths(&text);
                // What can't be read is no result, and fails this stage instead of the bundle.
                junit::read(&text)?;
                files.insert(
                    name,
                    if name == JUNIT_GPU {
                        redact(&text)?
                    } else {
                        text
                    },
                );
            }
            Err(error) if ran.is_ok() => return Err(error).context("the tests left no report"),
            Err(_) => {}
        }
        ran
    }

    /// Where nextest leaves its report, instrumented or not.
    fn report() -> PathBuf {
        // Its store lies below the workspace, wherever cargo builds.
        let nextest = process::workspace().join("target").join("nextest");
        nextest.join(PROFILE).join("junit.xml")
    }

    /// The examples in the documentation.
    pub(super) fn doc_tests(&self, files: &mut Files) -> anyhow::Result<()> {
        let path = process::scratch().join(DOC_TESTS);
        fs::create_dir_all(process::scratch())?;
        let output = File::create(&path).with_context(|| path.display().to_string())?;
        let mut command = cargo();
        command.args(["test", "--doc", "--no-fail-fast", "--color", "never"]);
        self.choose(&mut command);
        // One file for both: cargo names the crate on standard error, and its tests follow on standard output.
        command.stdout(output.try_clone()?).stderr(output);
        let ran = process::run(self.surroundings.given_to(&mut command));
        let text = without_paths(&String::from_utf8_lossy(&fs::read(&path)?));
        doc_tests::read(&text)?;
        if let Err(error) = ran {
            let no_library = !self.packages.is_empty()
                && text.contains("no library targets found")
                && !text.contains("Doc-tests ");
            if !no_library {
                process::report(&text);
                files.insert(DOC_TESTS, text);
                return Err(error);
            }
        }
        files.insert(DOC_TESTS, text);
        Ok(())
    }

    /// Sums up what the instrumented tests went through.
    pub(super) fn coverage(
        &self,
        root: &Path,
        metadata: &CargoMetadata,
        files: &mut Files,
    ) -> anyhow::Result<()> {
        let path = process::scratch().join("llvm-cov.json");
        let mut command = process::cargo();
        command
            .args([
                "llvm-cov",
                "report",
                "--json",
                "--summary-only",
                // A process that a test lets write no more to any file leaves a profile that ends too early. It
                // is left out, and the lines that only it went through count as not covered.
                "--failure-mode",
                "all",
                "--output-path",
            ])
            .arg(&path);
        process::run(&mut command)?;
        let export = fs::read(&path).with_context(|| path.display().to_string())?;
        let tool = environment::said(process::cargo().args(["llvm-cov", "--version"]));
        let tool = tool.unwrap_or_else(|| "cargo-llvm-cov".to_owned());
        let measured =
            coverage::Measured::from_export(&export, &tool, root, &metadata.folders(root))?;
        if measured.files.is_empty() {
            bail!("no line of the workspace was counted");
        }
        files.insert_json(COVERAGE, &measured)
    }

    fn choose(&self, command: &mut Command) {
        command.args(["--all-features", "--locked"]);
        if self.packages.is_empty() {
            command.arg("--workspace");
        }
        for package in self.packages {
            command.args(["--package", package]);
        }
    }
}

/// Text without the folders of whoever ran it.
fn without_paths(text: &str) -> String {
    let root = process::workspace();
    let mut text = text.replace(&*root.to_string_lossy(), "/workspace");
    let homes = [
        ("CARGO_HOME", "/cargo"),
        ("RUSTUP_HOME", "/rustup"),
        ("HOME", "/home"),
    ];
    for (variable, instead) in homes {
        if let Ok(folder) = std::env::var(variable)
            && folder.len() > 1
        {
            text = text.replace(&folder, instead);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_tests_unseen_is_known_by_name() {
        for unseen in ["PROPTEST_CASES", "NEXTEST_RETRIES", "VRAM_BLESS"] {
            assert!(is_unseen(unseen), "{unseen}");
        }
        for seen in ["VRAM_TEST_MODEL", "VRAM_REQUIRE_MODEL", "PATH"] {
            assert!(!is_unseen(seen), "{seen}");
        }
    }

    #[test]
    fn what_is_kept_names_no_folder_of_whoever_ran_it() {
        let root = process::workspace();
        let said = format!("panicked at {}/crates/a.rs:7", root.display());

        assert_eq!(without_paths(&said), "panicked at /workspace/crates/a.rs:7");
    }
}
