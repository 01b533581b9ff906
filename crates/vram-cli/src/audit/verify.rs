//! `vram audit verify`: is a trail what its writer wrote?

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use vram_audit::{Ending, Fault, Head, Summary, TrailId, Verdict, Verifier};

use super::head::parse_head;
use super::{files, key, sources};
use crate::cli::Format;
use crate::exit::Exit;
use crate::output::{BAD, CAUTION, Document, GOOD, Output, row};
use crate::shown::shown;

/// Check that an audit trail is what its writer wrote.
///
/// Every record names the hash of the one before it, and checkpoints sign the chain. The first record that is not
/// what was written is named, and why: edited, removed, reordered, repeated, inserted, truncated, or signed by
/// another. A last line that a crash tore is told apart from that, and is no fault, nor are zeros that a loss of power
/// left in its place. Given one file, those that
/// follow it by name are checked with it.
///
/// Ends with 0 if the trail is intact, with 3 if it is not.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The trail's files, in their order; or the first alone.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The public key of the trail's writer, as PEM; may be given several times, where the key was changed.
    /// Get it from the writer, on another way than the trail.
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// Expect this record, which was noted when the trail was closed: shows that the end is there.
    #[arg(long, value_name = "SEQ:HASH", value_parser = parse_head)]
    expect_head: Option<Head>,
    /// Expect the trail with this identity.
    #[arg(long, value_name = "HEX")]
    expect_trail: Option<TrailId>,
    /// Accept files that begin in the middle of a trail, because the ones before are archived elsewhere.
    #[arg(long)]
    from_continuation: bool,
    #[command(flatten)]
    pub(crate) format: Format,
}

#[derive(Serialize)]
struct VerifyDocument<'a> {
    intact: bool,
    files: Vec<String>,
    /// What was found, up to the fault if there is one.
    summary: &'a Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a Fault>,
}

pub(super) fn run(options: &Options) -> anyhow::Result<Exit> {
    let files = files(&options.files)?;
    let verifier = options.verifier()?;
    let verdict = verifier.verify(sources(&files))?;
    let (intact, summary) = (verdict.is_intact(), verdict.summary());
    let fault = match &verdict {
        Verdict::Intact(_) => None,
        Verdict::Broken { fault, .. } => Some(&**fault),
    };
    let mut output = Output::default();
    if options.format.json {
        let files = files.iter().map(|file| file.to_string_lossy().into_owned());
        let body = VerifyDocument {
            intact,
            files: files.collect(),
            summary,
            fault,
        };
        output.json(&Document::new("audit verify", body))?;
    } else {
        output.text(&text(summary, fault))?;
    }
    Ok(if intact { Exit::Good } else { Exit::Integrity })
}

impl Options {
    fn verifier(&self) -> anyhow::Result<Verifier> {
        let keys = self.key.iter().map(|path| key::public(path));
        let mut verifier = Verifier::new(keys.collect::<anyhow::Result<Vec<_>>>()?);
        if let Some(head) = self.expect_head {
            verifier = verifier.expect_head(head);
        }
        if let Some(id) = self.expect_trail {
            verifier = verifier.expect_trail(id);
        }
        if self.from_continuation {
            verifier = verifier.from_continuation();
        }
        Ok(verifier)
    }
}

fn text(summary: &Summary, fault: Option<&Fault>) -> String {
    let mut text = String::new();
    if let (Some(trail), Some(id)) = (&summary.trail, &summary.id) {
        row(&mut text, "Trail", &format!("{} ({id})", shown(trail)));
    }
    let records = format!("{}, {} of them critical", summary.records, summary.critical);
    let label = if fault.is_some() { "Before" } else { "Records" };
    row(&mut text, label, &records);
    if summary.dropped > 0 {
        let dropped = format!("{CAUTION}{}{CAUTION:#} routine events", summary.dropped);
        row(&mut text, "Dropped", &dropped);
    }
    if summary.crashes > 0 {
        let crashes = format!(
            "opened {} times without having been closed",
            summary.crashes
        );
        row(&mut text, "Crashes", &crashes);
    }
    if let Some(head) = summary.head {
        row(&mut text, "Head", &format!("{}:{}", head.seq, head.hash));
    }
    row(&mut text, "Signed", &signed(summary));
    match fault {
        None => {
            row(&mut text, "End", &ending(summary.ending));
            text.push_str(&format!("\n{GOOD}Intact.{GOOD:#}\n"));
        }
        Some(fault) => {
            let fault = shown(&fault.to_string());
            text.push_str(&format!("\n{BAD}Not intact:{BAD:#} {fault}\n"));
        }
    }
    text
}

/// How far a signature vouches for the trail.
fn signed(summary: &Summary) -> String {
    let last = summary.head.map(|head| head.seq);
    match summary.signed_through {
        None => format!("{CAUTION}nothing{CAUTION:#} of it is vouched for by a signature"),
        Some(through) if Some(through) == last => "all of it".to_owned(),
        Some(through) => format!("up to record {through}; what follows is linked, and not signed"),
    }
}

fn ending(ending: Ending) -> String {
    match ending {
        Ending::Closed => "closed in order".to_owned(),
        Ending::Overrun => {
            format!("{CAUTION}stopped{CAUTION:#}: its disk did not keep up")
        }
        Ending::Rotated => "goes on in a file that was not given".to_owned(),
        Ending::Torn { bytes } => format!(
            "{CAUTION}a torn last line{CAUTION:#} of {bytes} bytes: its writer is at it, or was killed; nothing \
             that was acknowledged is in it"
        ),
        Ending::Zeroed { bytes } => format!(
            "{CAUTION}{bytes} bytes that were never written{CAUTION:#}, zeros: the power was lost, or the system \
             crashed; no critical event that was acknowledged is in them"
        ),
        _ => "not closed: it is in use, or its writer was killed".to_owned(),
    }
}
