//! `cargo xtask gpu`: what is measured and tested on a GPU host, which needs no Rust and no network.
//!
//! `archive` packs it here, `run.sh` in the archive runs it there, `collect` turns what came back into a
//! page under `docs/benchmarks`, and `headline` shows the newest page's figures in the README.

mod archive;
mod contents;
mod elf;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Builds and packs what runs on a GPU host: the command, tests, benchmarks and `run.sh`.
    Archive(archive::Options),
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    match &options.task {
        Task::Archive(options) => archive::run(options),
    }
}
