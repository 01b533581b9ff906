//! `cargo xtask gpu collect`: a run's files become a page with plots under `docs/benchmarks`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::results::{self, Results};
use super::run_folder::RunFolder;
use super::{archive, headline, page, plots};
use crate::process;

/// What a file may have to be published as it is, in bytes.
const RAW_LIMIT: usize = 256 << 10;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder that `run.sh` wrote into.
    run: PathBuf,
    /// Take a run of another commit than the one checked out; the page says so.
    #[arg(long)]
    allow_other_commit: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let head = archive::head()?;
    let benchmarks = process::workspace().join(headline::BENCHMARKS);
    let page = collect(&options.run, &benchmarks, &head, options.allow_other_commit)?;
    process::report(&format!("{}: written", page.display()));
    headline::run(&headline::Options { check: false })
}

/// Reads the run and writes its page below `benchmarks`; returns the page's folder.
fn collect(
    run: &Path,
    benchmarks: &Path,
    head: &str,
    allow_other_commit: bool,
) -> anyhow::Result<PathBuf> {
    let mut run = RunFolder::read(run)?;
    let (commit, _) = run.commit()?;
    if commit != head && !allow_other_commit {
        bail!(
            "the run is of commit {commit}, and {head} is checked out: check that one out, or let \
             the page say so with --allow-other-commit"
        );
    }
    let mut raw = std::mem::take(&mut run.raw);
    raw.retain(|name, text| {
        let kept = text.len() <= RAW_LIMIT;
        if !kept {
            process::report(&format!("left out: {name}, which is large"));
        }
        kept
    });
    let results = Results::new(run, head)?;

    let folder = benchmarks.join(results.folder_name());
    if folder.join(results::FILE).is_file() {
        // An earlier run of that day: nothing of it stays beside this one.
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let plots = plots::draw(&results)?;
    let files: Vec<&str> = raw.keys().copied().collect();
    let written = [
        (
            results::FILE,
            serde_json::to_string_pretty(&results)? + "\n",
        ),
        ("README.md", page::write(&results, &plots, &files)),
    ];
    let drawn = plots.iter().map(|plot| (plot.file, plot.svg.clone()));
    for (name, text) in written.into_iter().chain(drawn).chain(raw) {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(folder)
}

#[cfg(test)]
pub(crate) mod tests;
