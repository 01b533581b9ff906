//! `cargo xtask mutants`: changes the code in every small way that cargo-mutants knows, and requires that a test
//! notices each change.
//!
//! Each package's mutants are first shown to its own tests. Those that pass there are shown to the tests of the
//! packages that stand on it. What still passes must be listed in `xtask/mutants.toml` with a reason; a listed
//! mutant that a test does notice fails the task too. A campaign takes hours, so it can be made bit by bit: what was
//! tried is kept below `target` for as long as no file changes that could change it, and the verdict is over all of it.

mod excepted;
mod outcomes;
mod report;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use self::excepted::Excepted;
use self::outcomes::{Noticed, Tried};
use self::report::{Package, Report};
use self::sources::Sources;
use crate::{campaign, gpu, link_stub, process};

/// The packages whose every line a test has to answer for, each with those that stand on it.
const MUTATED: &[(&str, &[&str])] = &[
    ("vram-seal", &["vram-residency"]),
    ("vram-policy", &["vram-residency"]),
    ("vram-alloc", &["vram-residency", "vram-tests"]),
    ("vram-residency", &["vram-cli", "vram-tests"]),
];

/// How many mutants are named in one argument, which may have 128 KiB.
const AT_ONCE: usize = 100;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Mutate this package only; may be given several times.
    #[arg(long, short = 'p', value_name = "PACKAGE")]
    package: Vec<String>,
    /// Try no more than so many of each package, of those that were not tried yet.
    #[arg(long, value_name = "COUNT")]
    at_most: Option<usize>,
    /// Try none: judge by those that were tried before, over the same sources.
    #[arg(long, conflicts_with = "at_most")]
    judge: bool,
    /// How many mutants are built and tested at once.
    #[arg(long, default_value_t = 2)]
    jobs: u32,
    /// Where the report goes, as JSON. By default into the folder for what tasks build.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let checkout = gpu::checkout()?;
    ensure!(
        !checkout.dirty,
        "mutants are tried of what is committed: commit first"
    );
    let names: Vec<&str> = MUTATED.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = (options.package.iter()).find(|name| !names.contains(&name.as_str())) {
        bail!("{unknown} is not mutated; {} are", names.join(", "));
    }
    ensure!(
        process::works(process::cargo().args(["mutants", "--version"])),
        "cargo-mutants is not installed: `cargo install cargo-mutants --locked`"
    );
    let excepted = Excepted::load(&process::workspace())?;
    let sources = Sources::load()?;
    let folder = process::scratch().join("mutants");
    let asked =
        |name: &str| options.package.is_empty() || options.package.iter().any(|one| one == name);

    let mut report = Report::default();
    for (name, dependents) in MUTATED.iter().filter(|(name, _)| asked(name)) {
        let folder = folder.join(name);
        let all = [&[*name], *dependents].concat();
        let campaign = Campaign {
            package: name,
            dependents,
            own: folder.join(format!("own-{}", sources.name_of(&[name]))),
            above: folder.join(format!("above-{}", sources.name_of(&all))),
        };
        let listed = campaign.list()?;
        if !options.judge {
            campaign.own_tests(&listed, options)?;
            campaign.tests_above(options.jobs)?;
        }
        let package = Package::judge(name, &listed, &campaign.tried()?, &excepted);
        process::report(&package.line());
        report.add(package);
    }
    let json = options
        .json
        .clone()
        .unwrap_or_else(|| process::scratch().join("mutants.json"));
    // A part of the packages says too little to pass.
    let passed = report.passed() && options.package.is_empty();
    campaign::finish(
        &campaign::MUTATION,
        checkout,
        passed,
        Vec::new(),
        &report,
        &json,
    )?;
    process::report(&format!("the same for programs: {}", json.display()));
    if !report.passed() {
        bail!("not every mutant was noticed, or tried");
    }
    Ok(())
}

/// The mutants of one package, and where what became of them is kept.
struct Campaign<'a> {
    package: &'a str,
    dependents: &'a [&'a str],
    /// What the package's own tests said.
    own: PathBuf,
    /// What the tests of those that stand on it said.
    above: PathBuf,
}

impl Campaign<'_> {
    /// cargo-mutants, on this package.
    fn cargo(&self) -> anyhow::Result<Command> {
        let mut cargo = process::cargo();
        cargo
            .current_dir(process::workspace())
            .args(["mutants", "--package", self.package, "--all-features"])
            .env(link_stub::VARIABLE, link_stub::generate()?)
            // A change that shows shows in a few cases, and thousands of builds are tested.
            .env("PROPTEST_CASES", "16")
            // Nobody debugs a mutant, and without it each is built in half the time.
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_PROFILE_TEST_DEBUG", "0");
        Ok(cargo)
    }

    /// The names of all that there are.
    fn list(&self) -> anyhow::Result<Vec<String>> {
        outcomes::listed(&process::output(self.cargo()?.args(["--list", "--json"]))?)
    }

    /// Shows those that were not tried yet to the package's own tests.
    fn own_tests(&self, listed: &[String], options: &Options) -> anyhow::Result<()> {
        let tried = tried(&[&self.own])?;
        let new = listed.iter().filter(|name| tried.get(name).is_none());
        let new: Vec<&str> = new
            .map(String::as_str)
            .take(options.at_most.unwrap_or(usize::MAX))
            .collect();
        self.mutate(self.cargo()?, &new, &self.own, options.jobs)
    }

    /// Shows those that the package's own tests passed over to the tests of other packages.
    fn tests_above(&self, jobs: u32) -> anyhow::Result<()> {
        let (own, above) = (tried(&[&self.own])?, tried(&[&self.above])?);
        let mut missed = own.names(Noticed::Missed);
        missed.retain(|name| above.get(name).is_none());
        let mut cargo = self.cargo()?;
        cargo.arg(format!("--test-package={}", self.dependents.join(",")));
        self.mutate(cargo, &missed, &self.above, jobs)
    }

    fn mutate(
        &self,
        mut cargo: Command,
        names: &[&str],
        folder: &Path,
        jobs: u32,
    ) -> anyhow::Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let folder = (0_u32..)
            .map(|number| folder.join(number.to_string()))
            .find(|folder| !folder.exists())
            .context("there are too many runs already")?;
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        for names in names.chunks(AT_ONCE) {
            let names: Vec<_> = names.iter().map(|name| literally(name)).collect();
            cargo.args(["--re", &format!("^(?:{})$", names.join("|"))]);
        }
        cargo
            .args(["--test-tool", "nextest", "--no-shuffle", "--jobs"])
            .arg(jobs.to_string())
            .arg("--output")
            .arg(&folder);
        let status = cargo.status().context("could not start cargo")?;
        // 2: a mutant was missed. 3: one timed out. Both are judged from what it wrote.
        match status.code() {
            Some(0 | 2 | 3) => Ok(()),
            _ => bail!("cargo mutants on {} ended with {status}", self.package),
        }
    }

    /// What became of those that were tried.
    fn tried(&self) -> anyhow::Result<Tried> {
        tried(&[&self.own, &self.above])
    }
}

/// What became of mutants, by all runs that are kept in these folders. One that was cut off counts as far as it came.
fn tried(folders: &[&Path]) -> anyhow::Result<Tried> {
    let mut tried = Tried::default();
    for folder in folders {
        for file in outcome_files(folder)? {
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            // A run that was killed may have left half a document: what it tried was not tried then.
            if let Err(error) = tried.add(&text) {
                process::report(&format!("not counted: {}: {error:#}", file.display()));
            }
        }
    }
    Ok(tried)
}

fn outcome_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let file = entry?.path().join("mutants.out").join("outcomes.json");
        if file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// A regular expression for this text.
fn literally(text: &str) -> String {
    let mut pattern = String::new();
    for character in text.chars() {
        // Not every punctuation: `\<` and `\>` are where a word begins and ends.
        if r"\.+*?()|[]{}^$".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_asked_for_to_the_letter() {
        assert_eq!(
            literally("a/b.rs:7:5: replace <T as From<U>>::f -> u8 with (0)"),
            r"a/b\.rs:7:5: replace <T as From<U>>::f -> u8 with \(0\)"
        );
    }

    #[test]
    fn results_are_read_from_every_part_that_was_tried() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("0").join("mutants.out");
        fs::create_dir_all(&part).unwrap();
        fs::write(part.join("outcomes.json"), "{}").unwrap();
        fs::create_dir_all(folder.path().join("1")).unwrap();

        assert_eq!(
            outcome_files(folder.path()).unwrap(),
            [part.join("outcomes.json")]
        );
        assert!(
            outcome_files(&folder.path().join("none"))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn what_is_excepted_stands_in_the_packages_that_are_mutated() {
        let excepted = Excepted::load(&process::workspace()).unwrap();

        for file in excepted.files() {
            assert!(
                MUTATED
                    .iter()
                    .any(|(name, _)| file.starts_with(&format!("crates/{name}/"))),
                "{file}"
            );
        }
    }
}
