//! `vram digest --check`: are files what a list of digests says?

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};

use anyhow::Context as _;
use vram_seal::{Digest, HashPlan, Salt};

use super::{Sha256sumOptions, complain, input, line};
use crate::exit::Exit;
use crate::output::{self, Output};
use crate::shown::shown;

/// The longest line that is read, in bytes: a digest and the longest path, each byte escaped.
const LONGEST_LINE: u64 = 16_384;

/// What came of the lines of a list.
#[derive(Debug, Default)]
struct Tally {
    verified: u64,
    mismatched: u64,
    unreadable: u64,
    malformed: u64,
}

/// Checks every list, and says how it ended.
pub(super) fn run(options: &Sha256sumOptions, lists: &[OsString]) -> anyhow::Result<Exit> {
    let mut output = Output::default();
    let mut worst = Exit::Good;
    for name in lists {
        let exit = match check(options, name, &mut output)? {
            Ok(tally) => conclude(options, name, &tally),
            Err(error) => {
                complain(name, &error);
                Exit::Error
            }
        };
        // A mismatch outweighs what could not be checked.
        if worst != Exit::Integrity && exit != Exit::Good {
            worst = exit;
        }
    }
    Ok(worst)
}

/// Reads one list. The inner error is the list's, the outer one stdout's.
fn check(
    options: &Sha256sumOptions,
    name: &OsStr,
    output: &mut Output,
) -> anyhow::Result<io::Result<Tally>> {
    let mut reader: Box<dyn io::BufRead> = if name == "-" {
        Box::new(io::stdin().lock())
    } else {
        match File::open(name) {
            Ok(file) => Box::new(BufReader::new(file)),
            Err(error) => return Ok(Err(error)),
        }
    };
    let mut tally = Tally::default();
    let mut text = Vec::new();
    for number in 1_u64.. {
        text.clear();
        let mut bounded = io::Read::take(&mut reader, LONGEST_LINE);
        match bounded.read_until(b'\n', &mut text) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
        let line = text.strip_suffix(b"\n").unwrap_or(&text);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        match line::parse(line) {
            Some((expected, file)) => check_file(options, &expected, &file, &mut tally, output)?,
            None => {
                tally.malformed = tally.malformed.saturating_add(1);
                if options.warn {
                    let list = shown(&name.to_string_lossy());
                    output::note(&format!(
                        "{list}: {number}: improperly formatted SHA256 line"
                    ));
                }
            }
        }
    }
    Ok(Ok(tally))
}

fn check_file(
    options: &Sha256sumOptions,
    expected: &Digest,
    name: &OsStr,
    tally: &mut Tally,
    output: &mut Output,
) -> anyhow::Result<()> {
    let (count, verdict) = match input::hash(name, HashPlan::CONTENT, &Salt::none()) {
        Ok(digests) if digests.content.as_ref() == Some(expected) => (&mut tally.verified, "OK"),
        Ok(_) => (&mut tally.mismatched, "FAILED"),
        Err(error) if error.kind() == io::ErrorKind::NotFound && options.ignore_missing => {
            return Ok(());
        }
        Err(error) => {
            complain(&name.to_owned(), &error);
            (&mut tally.unreadable, "FAILED open or read")
        }
    };
    *count = count.saturating_add(1);
    if options.status || (options.quiet && verdict == "OK") {
        return Ok(());
    }
    let bytes = name.as_encoded_bytes();
    // As sha256sum does: a name with a line break is escaped, so that it stays one line.
    let escaped = bytes
        .contains(&b'\n')
        .then(|| line::escape(bytes))
        .flatten();
    let line = match &escaped {
        Some(escaped) => [br"\", escaped.as_slice(), b": ", verdict.as_bytes(), b"\n"].concat(),
        None => [bytes, b": ", verdict.as_bytes(), b"\n"].concat(),
    };
    output.bytes(&line).context("the verdict can't be told")
}

/// Says what there is to warn of, and how the list ended.
fn conclude(options: &Sha256sumOptions, name: &OsStr, tally: &Tally) -> Exit {
    let list = shown(&name.to_string_lossy());
    let Tally {
        verified,
        mismatched,
        unreadable,
        malformed,
    } = *tally;
    let listed = verified
        .saturating_add(mismatched)
        .saturating_add(unreadable);
    if listed == 0 && !(options.ignore_missing && malformed == 0) {
        output::note(&format!(
            "{list}: no properly formatted checksum lines found"
        ));
        return Exit::Error;
    }
    if !options.status {
        warn(malformed, "line is", "lines are", "improperly formatted");
        warn(
            unreadable,
            "listed file",
            "listed files",
            "could not be read",
        );
        warn(
            mismatched,
            "computed checksum",
            "computed checksums",
            "did NOT match",
        );
    }
    if options.ignore_missing && verified == 0 {
        output::note(&format!("{list}: no file was verified"));
    }
    if mismatched > 0 {
        Exit::Integrity
    } else if unreadable > 0 || (options.strict && malformed > 0) || verified == 0 {
        Exit::Error
    } else {
        Exit::Good
    }
}

fn warn(count: u64, one: &str, several: &str, what: &str) {
    match count {
        0 => {}
        1 => output::note(&format!("WARNING: 1 {one} {what}")),
        count => output::note(&format!("WARNING: {count} {several} {what}")),
    }
}
