//! `vram digest`: what `sha256sum` and `fsverity digest` print.

mod check;
mod input;
mod line;

use std::ffi::OsString;
use std::io;

use clap::Args;
use serde::Serialize;
use vram_seal::{Digest, HashPlan, Salt, VerityDigest};

use self::line::Style;
use crate::cli::Format;
use crate::exit::Exit;
use crate::output::{self, Document, Output};
use crate::shown::shown;

/// Print digests of files, as sha256sum and `fsverity digest` do.
///
/// Takes sha256sum's options and prints its lines, so that it can stand in for it in scripts. One
/// thing differs: with --check, a digest that does not match ends with 3, and only what can't be read
/// or understood with 1.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Files to hash; - is standard input, as is no file at all.
    #[arg(value_name = "FILE")]
    files: Vec<OsString>,
    /// Print what `fsverity digest` prints: fs-verity's digest with SHA-256 and blocks of 4096
    /// bytes.
    #[arg(long)]
    verity: bool,
    /// With --verity: the salt, up to 32 bytes in hexadecimal digits.
    #[arg(long, value_name = "HEX", requires = "verity")]
    salt: Option<Salt>,
    /// With --verity: print the hexadecimal digits alone.
    #[arg(long, requires = "verity")]
    compact: bool,
    #[command(flatten)]
    pub(crate) format: Format,
    #[command(flatten)]
    sha256sum: Sha256sumOptions,
}

/// Options that mean what they mean to sha256sum.
#[derive(Debug, Args)]
#[command(next_help_heading = "As sha256sum has them")]
struct Sha256sumOptions {
    /// Read digests from the files and check them.
    #[arg(short, long, conflicts_with_all = ["verity", "json", "tag", "zero", "binary", "text"])]
    check: bool,
    /// Mark names as read in binary mode, which makes no difference.
    #[arg(short, long, overrides_with = "text")]
    binary: bool,
    /// Mark names as read in text mode; the default.
    #[arg(short, long)]
    text: bool,
    /// Print BSD-style lines: SHA256 (NAME) = HEX.
    #[arg(long, conflicts_with = "verity")]
    tag: bool,
    /// End lines with NUL and leave names as they are.
    #[arg(short, long)]
    zero: bool,
    /// With --check: pass over files that are missing.
    #[arg(long, requires = "check")]
    ignore_missing: bool,
    /// With --check: print nothing for files that match.
    #[arg(long, requires = "check")]
    quiet: bool,
    /// With --check: print nothing at all; the exit code tells.
    #[arg(long, requires = "check")]
    status: bool,
    /// With --check: fail for lines that are no digest's.
    #[arg(long, requires = "check")]
    strict: bool,
    /// With --check: name each line that is no digest's.
    #[arg(short, long, requires = "check")]
    warn: bool,
}

impl Options {
    const fn style(&self) -> Style {
        if self.compact {
            Style::Compact
        } else if self.verity {
            Style::Verity
        } else if self.sha256sum.tag {
            Style::Tagged
        } else {
            Style::Sum {
                binary: self.sha256sum.binary,
            }
        }
    }
}

/// One file, as a document has it.
#[derive(Serialize)]
struct FileDocument {
    /// The name as given; bytes that are no UTF-8 are replaced.
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fsverity: Option<VerityDigest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct FilesDocument {
    files: Vec<FileDocument>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<Exit> {
    let stdin = [OsString::from("-")];
    let files = match options.files.as_slice() {
        [] => stdin.as_slice(),
        files => files,
    };
    if options.sha256sum.check {
        return check::run(&options.sha256sum, files);
    }
    let failed = if options.format.json {
        document(options, files)?
    } else {
        lines(options, files)?
    };
    Ok(if failed { Exit::Error } else { Exit::Good })
}

/// Prints a line for each file that can be read. Whether any can't.
fn lines(options: &Options, files: &[OsString]) -> anyhow::Result<bool> {
    let plan = if options.verity {
        HashPlan::VERITY
    } else {
        HashPlan::CONTENT
    };
    let mut output = Output::default();
    let mut failed = false;
    for name in files {
        match input::hash(name, plan, &options.salt.unwrap_or_default()) {
            Ok(digests) => {
                let content = digests.content.map(|digest| digest.to_string());
                let verity = digests.verity.map(|tree| tree.digest().to_string());
                let hex = content.or(verity).unwrap_or_default();
                let line = options.style().line(&hex, name, options.sha256sum.zero);
                output.bytes(&line)?;
            }
            Err(error) => {
                failed = true;
                complain(name, &error);
            }
        }
        if output.is_closed() {
            break;
        }
    }
    Ok(failed)
}

/// Prints all files' digests, of both kinds, in one document.
fn document(options: &Options, files: &[OsString]) -> anyhow::Result<bool> {
    let salt = options.salt.unwrap_or_default();
    let files: Vec<_> = files.iter().map(|name| describe(name, &salt)).collect();
    let failed = files.iter().any(|file| file.error.is_some());
    let document = Document::new("digest", FilesDocument { files });
    Output::default().json(&document)?;
    Ok(failed)
}

fn describe(name: &OsString, salt: &Salt) -> FileDocument {
    let text = name.to_string_lossy().into_owned();
    let mut file = FileDocument {
        name: text,
        size: None,
        sha256: None,
        fsverity: None,
        error: None,
    };
    match input::hash(name, HashPlan::BOTH, salt) {
        Ok(digests) => {
            file.size = Some(digests.size);
            file.sha256 = digests.content;
            file.fsverity = digests.verity.map(|tree| tree.digest());
        }
        Err(error) => {
            complain(name, &error);
            file.error = Some(error.to_string());
        }
    }
    file
}

/// Says why a file could not be hashed, and that is all that happens to it.
fn complain(name: &OsString, error: &io::Error) {
    output::note(&shown(&format!("{}: {error}", name.display())));
}
