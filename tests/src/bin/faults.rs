//! Flips random bits of sealed shards, and shows that every flip is found where it is.
//!
//! `cargo xtask faults` builds it and runs it; on a GPU host it comes with the archive.
#![forbid(unsafe_code)]

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use vram_tests::faults::{Campaign, Commit, Driver};

/// Flip random bits of sealed scratch data where it lies, and show that verification finds each flip and
/// names its block.
///
/// Ends with 0 if it did so every time, with 1 if it didn't, or if a control of the campaign didn't fail as
/// it must.
#[derive(Debug, Parser)]
#[command(name = "faults")]
struct Options {
    /// How many flips, each of one bit or several.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    flips: u64,
    /// What everything random comes from: the same number makes the same campaign. By default a new one.
    #[arg(long)]
    seed: Option<u64>,
    /// The driver to run on.
    #[arg(long, default_value = "simulated")]
    driver: Choice,
    /// How many shards are worked on at a time, on simulated devices. By default as many as there are cores.
    #[arg(long)]
    threads: Option<usize>,
    /// Where the report goes, as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The commit that this was built from, for the report.
    #[arg(long, value_name = "ID")]
    commit: Option<String>,
    /// Whether anything differed from that commit.
    #[arg(long, requires = "commit")]
    dirty: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Choice {
    Simulated,
    Gpu,
}

fn main() -> anyhow::Result<ExitCode> {
    let passed = run(Options::parse())?;
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn run(options: Options) -> anyhow::Result<bool> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let campaign = Campaign {
        flips: options.flips,
        seed: match options.seed {
            Some(seed) => seed,
            None => OsRng
                .try_next_u64()
                .map_err(|error| anyhow::anyhow!("the system gave no random seed: {error}"))?,
        },
        driver: match options.driver {
            Choice::Simulated => Driver::Simulated,
            Choice::Gpu => Driver::Gpu,
        },
        threads: options.threads.unwrap_or_else(cores),
        commit: options.commit.map(|id| Commit {
            id,
            dirty: options.dirty,
        }),
    };
    writeln!(std::io::stderr(), "seed {}", campaign.seed)?;
    let bar = progress(campaign.flips)?;
    let report = campaign.run(&|done| bar.set_position(done))?;
    bar.finish_and_clear();

    let json = serde_json::to_string_pretty(&report)? + "\n";
    match &options.json {
        Some(path) if path.as_os_str() == "-" => std::io::stdout().write_all(json.as_bytes())?,
        Some(path) => {
            std::fs::write(path, json).with_context(|| path.display().to_string())?;
            std::io::stdout().write_all(report.to_string().as_bytes())?;
        }
        None => std::io::stdout().write_all(report.to_string().as_bytes())?,
    }
    Ok(report.passed)
}

/// On terminals only.
fn progress(flips: u64) -> anyhow::Result<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let style =
        ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} flips, {eta} left")?;
    Ok(ProgressBar::new(flips).with_style(style))
}
