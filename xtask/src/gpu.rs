//! `cargo xtask gpu`: what is measured and tested on a GPU host, which needs no Rust and no network.
//!
//! `archive` packs it here, `run.sh` in the archive runs it there, `collect` turns what came back into a
//! page under `docs/benchmarks`, and `headline` shows the newest page's figures in the README.

pub(crate) mod archive;
pub(crate) mod bench;
mod collect;
mod contents;
mod doctor;
mod elf;
mod headline;
pub(crate) mod page;
mod plots;
mod profile;
pub(crate) mod redact;
pub(crate) mod results;
pub(crate) mod run_folder;
mod sanitizer;
mod sections;
pub(crate) mod suite;

pub(crate) use archive::{Checkout, checkout};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Builds and packs what runs on a GPU host: the command, tests, benchmarks and `run.sh`.
    Archive(archive::Options),
    /// Makes a page with plots of what `run.sh` wrote, and renews the README's figures.
    Collect(collect::Options),
    /// Shows the newest run's figures in the README.
    Headline(headline::Options),
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    match &options.task {
        Task::Archive(options) => archive::run(options),
        Task::Collect(options) => collect::run(options),
        Task::Headline(options) => headline::run(options),
    }
}
