//! `cargo xtask planted-breaks`: breaks the code on purpose, once for each row of the catalogue, and requires that a
//! test of the row notices.
//!
//! `xtask/planted-breaks/<row>.patch` is the break: lines that begin with `#` say what it is, a unified diff follows.
//! The breaks are applied one at a time to a copy of the workspace with a target folder of its own, and the tests
//! that claim the row are run there. One that turns no test red fails the task: the tests don't hold what they claim.

mod report;
mod trial;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};

use self::report::{Broken, Outcome, Report};
use crate::catalogue::{self, Row};
use crate::source_copy::Copy;
use crate::{campaign, gpu, process};

/// Where the breaks are, below the workspace.
const FOLDER: &str = "xtask/planted-breaks";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Break this row only; may be given several times.
    #[arg(long, value_name = "ID")]
    row: Vec<String>,
    /// Build and run nothing: whether every break still fits the code.
    #[arg(long)]
    check_applies: bool,
    /// Where the report goes, as JSON.
    #[arg(long, value_name = "FILE", conflicts_with = "check_applies")]
    json: Option<PathBuf>,
}

/// A break.
#[derive(Debug)]
struct Planted {
    /// The row that it breaks.
    row: String,
    patch: PathBuf,
    /// What it does, in words.
    what: String,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let root = process::workspace();
    let catalogue = catalogue::load(&root)?;
    let rows: BTreeMap<&str, &Row> = catalogue.rows().map(|row| (row.id.as_str(), row)).collect();
    let mut planted = planted()?;
    for planted in &planted {
        ensure!(
            rows.contains_key(planted.row.as_str()),
            "{} breaks a row that the catalogue has not",
            planted.patch.display()
        );
    }
    let mut without = rows.clone();
    without.retain(|id, _| planted.iter().all(|planted| planted.row != **id));
    let without: Vec<String> = without.into_keys().map(str::to_owned).collect();
    if !options.row.is_empty() {
        if let Some(missing) = without.iter().find(|id| options.row.contains(id)) {
            bail!("no break is planted for {missing}: there is no {FOLDER}/{missing}.patch");
        }
        planted.retain(|planted| options.row.contains(&planted.row));
        ensure!(!planted.is_empty(), "there are no such rows");
    }
    let checkout = gpu::checkout()?;
    let copy = Copy::make("planted-breaks")?;
    if options.check_applies {
        return check_applies(&copy, &planted);
    }

    process::report("the tests of these rows, with nothing broken");
    let tried = planted
        .iter()
        .filter_map(|planted| rows.get(planted.row.as_str()));
    let green = trial::green(&copy, tried.copied())?;
    let mut report = Report::new(without);
    for planted in &planted {
        let Some(row) = rows.get(planted.row.as_str()) else {
            continue;
        };
        process::report(&format!("{}: {}", planted.row, planted.what));
        let broken = trial::of(&copy, planted, row, &green)?;
        process::report(&broken.line());
        report.add(broken);
    }
    copy.restore()?;
    process::report(&report.text());
    if let Some(path) = &options.json {
        let passed = report.passed && options.row.is_empty();
        campaign::finish(
            &campaign::PLANTED_BREAKS,
            checkout,
            passed,
            report.reservations(),
            &report,
            path,
        )?;
    }
    if !report.passed {
        bail!("not every break was noticed");
    }
    Ok(())
}

impl Planted {
    /// The packages whose files it changes.
    fn packages(&self) -> anyhow::Result<Vec<String>> {
        let shown = || self.patch.display().to_string();
        let text = fs::read_to_string(&self.patch).with_context(shown)?;
        Ok(changed_packages(&text))
    }
}

/// Every package of the workspace stands in a folder of its name, below `crates` but for the tests and the tasks.
fn changed_packages(patch: &str) -> Vec<String> {
    let changed = patch.lines().filter_map(|line| line.strip_prefix("+++ b/"));
    let package = |path: &str| match path.split('/').collect::<Vec<_>>().as_slice() {
        ["crates", package, ..] => Some((*package).to_owned()),
        ["tests", ..] => Some("vram-tests".to_owned()),
        ["xtask", ..] => Some("xtask".to_owned()),
        _ => None,
    };
    changed.filter_map(package).collect()
}

/// The breaks that there are, by row.
fn planted() -> anyhow::Result<Vec<Planted>> {
    let folder = process::workspace().join(FOLDER);
    let mut planted = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let patch = entry?.path();
        if patch.extension().is_none_or(|ending| ending != "patch") {
            continue;
        }
        let text = fs::read_to_string(&patch).with_context(|| patch.display().to_string())?;
        let what = described(&text)
            .with_context(|| format!("{} does not say what it breaks", patch.display()))?;
        let row = patch.file_stem().unwrap_or_default().to_string_lossy();
        planted.push(Planted {
            row: row.into_owned(),
            what,
            patch,
        });
    }
    planted.sort_by(|one, other| one.row.cmp(&other.row));
    Ok(planted)
}

/// What a patch says before its diff.
fn described(patch: &str) -> Option<String> {
    let lines = patch.lines().map_while(|line| line.strip_prefix('#'));
    let words: Vec<&str> = lines.map(str::trim).collect();
    let what = words.join(" ");
    (!what.is_empty()).then_some(what)
}

fn check_applies(copy: &Copy, planted: &[Planted]) -> anyhow::Result<()> {
    let mut stale = Vec::new();
    for planted in planted {
        if let Err(why) = copy.check(&planted.patch)? {
            process::report(&format!("{}: does not apply: {why}", planted.row));
            stale.push(planted.row.as_str());
        }
    }
    if !stale.is_empty() {
        bail!(
            "the code has changed under the breaks of {}",
            stale.join(", ")
        );
    }
    process::report(&format!("{} planted breaks apply", planted.len()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_copy;

    #[test]
    fn a_patch_says_what_it_breaks_before_its_diff() {
        let patch = "# The comparison\n# sees nothing.\n--- a/x\n+++ b/x\n# not this\n";

        assert_eq!(described(patch).unwrap(), "The comparison sees nothing.");
        assert_eq!(described("--- a/x\n"), None);
    }

    #[test]
    fn a_patch_names_the_packages_that_it_breaks() {
        let patch = "# It.\n--- a/crates/vram-seal/src/a.rs\n+++ b/crates/vram-seal/src/a.rs\n\
                     --- a/Cargo.toml\n+++ b/Cargo.toml\n--- a/tests/src/b.rs\n+++ b/tests/src/b.rs\n";

        assert_eq!(changed_packages(patch), ["vram-seal", "vram-tests"]);
    }

    #[test]
    fn every_row_with_a_fixed_test_has_a_break_that_fits_the_code() {
        let root = process::workspace();
        let catalogue = catalogue::load(&root).unwrap();

        let planted = planted().unwrap();

        for row in catalogue.rows().filter(|row| !row.seed_test.is_empty()) {
            assert!(
                planted.iter().any(|planted| planted.row == row.id),
                "{}",
                row.id
            );
        }
        for planted in planted {
            let named = catalogue.rows().any(|row| row.id == planted.row);
            assert!(named, "{planted:?}");
            let fits = source_copy::apply(&root, &planted.patch, &["--check"]).unwrap();
            assert_eq!(fits, Ok(()), "{planted:?}");
        }
    }
}
