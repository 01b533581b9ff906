//! `vram audit`: checks and shows audit trails. It needs no GPU.

mod head;
pub(crate) mod key;
mod show;
mod verify;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use vram_audit::{Source, files_of};

use crate::cli::Format;
use crate::exit::Exit;

/// Check audit trails, and show what they hold.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(verify::Options),
    Show(show::Options),
}

impl Options {
    pub(crate) const fn name(&self) -> &'static str {
        match &self.command {
            Command::Verify(_) => "audit verify",
            Command::Show(_) => "audit show",
        }
    }

    pub(crate) const fn format(&self) -> Format {
        match &self.command {
            Command::Verify(options) => options.format,
            Command::Show(options) => options.format,
        }
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<Exit> {
    match &options.command {
        Command::Verify(options) => verify::run(options),
        Command::Show(options) => show::run(options),
    }
}

/// The files of the trail that is meant: those given, in their order, or the one given and those that follow
/// it by its name.
fn files(given: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    match given {
        [first] if first.is_file() => Ok(with_later(first)?),
        given => Ok(given.to_vec()),
    }
}

fn with_later(first: &Path) -> vram_audit::Result<Vec<PathBuf>> {
    let files = files_of(first)?;
    Ok(if files.is_empty() {
        vec![first.to_owned()]
    } else {
        files
    })
}

fn sources(files: &[PathBuf]) -> impl Iterator<Item = Source<'_>> {
    files.iter().map(Source::file)
}
