//! `cargo xtask models`: the budget and the manager's stop under interleavings of threads.
//!
//! The models are tests of vram-alloc and vram-residency (`tests/models`). With `--cfg shuttle` what threads share in
//! the two is Shuttle's, which runs a model again and again and decides each time who goes on. Beside them lie planted
//! bugs: `--planted` puts each into a copy of the sources, and the model that it names must find it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process;
use crate::source_copy::Copy;
use crate::suites;
use crate::summary::{LeftOut, Summary};

const PACKAGES: [&str; 2] = ["vram-alloc", "vram-residency"];

const LEFT_OUT: [LeftOut; 3] = [
    LeftOut {
        what: "schedules beyond those that are tried",
        why: "there are too many for all of them: PCT chooses, the same in every run of as many. --schedules asks for \
              more, SHUTTLE_RANDOM_SEED for others",
    },
    LeftOut {
        what: "orderings of memory that are weaker than sequential consistency",
        why: "Shuttle models none; cargo xtask tsan looks for races",
    },
    LeftOut {
        what: "the threads of the simulated driver, of rayon and of the audit trail",
        why: "they run as they are, beneath what is modelled, and hold nothing that a modelled thread waits for",
    },
];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Schedules of each model. The default is each model's own.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    schedules: Option<u32>,
    /// Plant the bugs that the models are to find, one at a time in a copy of the sources. Takes minutes.
    #[arg(long)]
    planted: bool,
    /// Print what was done as JSON on standard output.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let mut summary = Summary::new("shuttle", version()?, &LEFT_OUT);
    if options.planted {
        planted(options, &mut summary)?;
    } else {
        let mut command = tests(&process::workspace(), options);
        summary.add(&PACKAGES.join(" and "), suites::run(&mut command)?);
    }
    summary.finish(options.json)
}

/// The version that the lock file names.
fn version() -> anyhow::Result<String> {
    let lock = fs::read_to_string(process::workspace().join("Cargo.lock"))?;
    let (_, after) = lock
        .split_once("name = \"shuttle\"\nversion = \"")
        .context("Cargo.lock names no shuttle")?;
    let version = after.split('"').next().unwrap_or_default();
    Ok(version.to_owned())
}

/// The tests that are models, built apart: everything is compiled with another flag.
fn tests(sources: &Path, options: &Options) -> Command {
    let mut command = process::cargo();
    command
        .args(["test", "--locked", "--test", "models", "--no-fail-fast"])
        .args(PACKAGES.iter().flat_map(|package| ["--package", package]))
        .arg("--target-dir")
        .arg(process::scratch().join("models"))
        .env("RUSTFLAGS", "--cfg shuttle")
        .current_dir(sources);
    if let Some(schedules) = options.schedules {
        command.env("VRAM_MODEL_SCHEDULES", schedules.to_string());
    }
    command
}

/// A bug that a model must find.
#[derive(Debug, PartialEq, Eq)]
struct Planted {
    name: String,
    what: String,
    /// The test that must fail.
    found_by: String,
}

impl Planted {
    /// A patch says first what it breaks, then who finds it.
    fn read(name: &str, patch: &str) -> anyhow::Result<Self> {
        let mut lines = patch.lines();
        let what = lines.next().unwrap_or_default().to_owned();
        let found_by = lines
            .next()
            .and_then(|line| line.strip_prefix("Found by: "));
        let found_by = found_by
            .with_context(|| format!("the second line of {name} is not `Found by: <test>`"))?;
        Ok(Self {
            name: name.to_owned(),
            what,
            found_by: found_by.to_owned(),
        })
    }
}

fn planted(options: &Options, summary: &mut Summary) -> anyhow::Result<()> {
    let copy = Copy::make("models-planted")?;
    for package in PACKAGES {
        let folder = Path::new("crates")
            .join(package)
            .join("tests/models/planted");
        let mut patches: Vec<_> = fs::read_dir(process::workspace().join(&folder))?
            .map(|entry| Ok(entry?.path()))
            .collect::<anyhow::Result<_>>()?;
        patches.sort();
        if patches.is_empty() {
            bail!("{} holds no patch", folder.display());
        }
        for path in patches {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let bug = Planted::read(&name, &fs::read_to_string(&path)?)?;
            process::report(&format!("{package}: {}: {}", bug.name, bug.what));
            copy.restore()?;
            if let Err(why) = copy.apply(&path)? {
                bail!("the code has changed under {name}, so make the patch anew: {why}");
            }
            let outcome = find(copy.folder(), &bug, options);
            copy.restore()?;
            summary.add(&format!("{package}: {}", bug.name), outcome?);
        }
    }
    Ok(())
}

/// Whether the model fails that should.
fn find(copy: &Path, bug: &Planted, options: &Options) -> anyhow::Result<Result<String, String>> {
    process::run(tests(copy, options).arg("--no-run"))
        .context("with the planted bug it does not compile, which no model is to find")?;
    let output = tests(copy, options)
        .args(["--", "--exact", &bug.found_by])
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = said.contains(&format!("test {} ... FAILED", bug.found_by));
    Ok(if failed && !output.status.success() {
        Ok(format!("found by {}", bug.found_by))
    } else {
        Err(format!("{} does not find it", bug.found_by))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_copy;

    #[test]
    fn a_patch_says_what_it_breaks_and_who_finds_it() {
        let patch = "The lock is let go.\nFound by: a::b\n\ndiff --git a/x b/x\n";
        let read = Planted::read("lock", patch).unwrap();
        assert_eq!(read.what, "The lock is let go.");
        assert_eq!(read.found_by, "a::b");
        assert!(Planted::read("lock", "diff --git a/x b/x\n").is_err());
    }

    #[test]
    fn every_planted_bug_fits_the_code_and_names_a_model_that_there_is() {
        for package in PACKAGES {
            let models = process::workspace()
                .join("crates")
                .join(package)
                .join("tests/models");
            for entry in fs::read_dir(models.join("planted")).unwrap() {
                let path = entry.unwrap().path();
                let bug = Planted::read("", &fs::read_to_string(&path).unwrap()).unwrap();
                let (module, test) = bug.found_by.split_once("::").unwrap();
                let source = fs::read_to_string(models.join(format!("{module}.rs"))).unwrap();
                let shown = path.display();
                assert!(source.contains(&format!("fn {test}()")), "{shown}");
                let root = process::workspace();
                let fits = source_copy::apply(&root, &path, &["--check"]).unwrap();
                assert_eq!(fits, Ok(()), "{shown}");
            }
        }
    }
}
