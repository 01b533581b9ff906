//! `vram audit show`: what a trail holds.

use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use comfy_table::{ContentArrangement, LineStyle, Table, presets};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use vram_audit::{Filter, Kind, Record, Records, Verdict, Verifier};

use super::{files, key, sources};
use crate::cli::Format;
use crate::exit::Exit;
use crate::output::{self, BAD, CAUTION, Document, Output};
use crate::shown::shown;

/// Show the records of an audit trail.
///
/// Without a key nothing is verified, and what is shown may be anything; with --key the trail is verified as it is
/// read, and nothing of one that isn't intact is shown. Records that no signature covers yet are marked with `?`:
/// whoever may write to the file could have replaced them. Given one file, those that follow it by name are shown
/// with it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The trail's files, in their order; or the first alone.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Verify the trail, with this public key of its writer, as PEM; may be given several times.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Only events of this name, such as `verification_failed`; may be given several times.
    #[arg(long, value_name = "NAME", help_heading = "Which records")]
    event: Vec<String>,
    /// Only what is about this shard.
    #[arg(long, value_name = "ID", help_heading = "Which records")]
    shard: Option<String>,
    /// Only what happened then or later, by the writer's clock; as 2026-01-31T08:00:00Z.
    #[arg(long, value_name = "TIME", help_heading = "Which records")]
    since: Option<Timestamp>,
    /// Only what happened before.
    #[arg(long, value_name = "TIME", help_heading = "Which records")]
    until: Option<Timestamp>,
    /// Only what was on disk before the call that recorded it returned.
    #[arg(long, help_heading = "Which records")]
    critical: bool,
    /// The trail's own records too: openings, continuations, checkpoints.
    #[arg(long, help_heading = "Which records")]
    all: bool,
    /// Show so many at most, 100000 at the highest: the last ones.
    #[arg(
        long,
        value_name = "N",
        default_value = "1000",
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        help_heading = "Which records"
    )]
    last: u32,
    #[command(flatten)]
    pub(crate) format: Format,
}

#[derive(Serialize)]
struct ShowDocument<'a> {
    /// Whether the trail was verified, which it is with a key only. How far that reaches, the next member says.
    verified: bool,
    /// The last record that a signature vouches for; null where none does, or nothing was verified. Whoever may
    /// write to the file could have replaced those after it.
    signed_through: Option<u64>,
    /// How many records answer to what was asked, shown or not.
    matching: u64,
    records: &'a VecDeque<Record>,
}

pub(super) fn run(options: &Options) -> anyhow::Result<Exit> {
    let files = files(&options.files)?;
    let mut wanted = Wanted::new(options)?;
    let mut signed = None;
    if options.key.is_empty() {
        for record in Records::new(sources(&files)) {
            wanted.take(record.context("the trail can't be read further")?);
        }
    } else {
        let keys = options.key.iter().map(|path| key::public(path));
        let verifier = Verifier::new(keys.collect::<anyhow::Result<Vec<_>>>()?).from_continuation();
        // What is shown is what was verified: the files are read once, and could change before a second time.
        match verifier.verify_each(sources(&files), |record| wanted.take(record))? {
            Verdict::Intact(summary) => signed = Some(Signed(summary.signed_through)),
            Verdict::Broken { fault, .. } => {
                let fault = shown(&fault.to_string());
                output::note(&format!("{BAD}not intact:{BAD:#} {fault}"));
                output::note(
                    "nothing of it is shown; `vram audit show` without a key shows it as it is",
                );
                return Ok(Exit::Integrity);
            }
        }
    }
    if options.format.json {
        let body = ShowDocument {
            verified: signed.is_some(),
            signed_through: signed.and_then(|Signed(through)| through),
            matching: wanted.matching,
            records: &wanted.last,
        };
        Output::default().json(&Document::new("audit show", body))?;
    } else {
        wanted.show(signed)?;
    }
    Ok(Exit::Good)
}

/// How far signatures vouch for a trail that was verified.
#[derive(Clone, Copy)]
struct Signed(Option<u64>);

impl Signed {
    fn covers(self, record: &Record) -> bool {
        self.0.is_some_and(|through| record.seq <= through)
    }
}

/// The last of the records that are wanted, and how many there are in all.
struct Wanted<'a> {
    options: &'a Options,
    most: usize,
    last: VecDeque<Record>,
    matching: u64,
}

impl<'a> Wanted<'a> {
    fn new(options: &'a Options) -> anyhow::Result<Self> {
        Ok(Self {
            options,
            most: usize::try_from(options.last)?,
            last: VecDeque::new(),
            matching: 0,
        })
    }

    fn take(&mut self, record: Record) {
        if !self.options.wants(&record) {
            return;
        }
        self.matching = self.matching.saturating_add(1);
        if self.last.len() >= self.most {
            self.last.pop_front();
        }
        self.last.push_back(record);
    }

    fn show(&self, signed: Option<Signed>) -> anyhow::Result<()> {
        if signed.is_none() {
            output::note(&format!(
                "{CAUTION}not verified{CAUTION:#}: give the writer's public key with --key"
            ));
        }
        Output::default().text(&table(&self.last, signed))?;
        let left_out = self
            .matching
            .saturating_sub(u64::try_from(self.last.len())?);
        if left_out > 0 {
            output::note(&format!(
                "{left_out} earlier records are left out: see --last"
            ));
        }
        let unsigned = |signed: Signed| {
            let records = self.last.iter().filter(|record| !signed.covers(record));
            records.count()
        };
        let unsigned = signed.map_or(0, unsigned);
        if unsigned > 0 {
            output::note(&format!(
                "{CAUTION}{unsigned} not signed{CAUTION:#} yet, marked with `?`: whoever may write to the file could \
                 have replaced them"
            ));
        }
        Ok(())
    }
}

impl Options {
    fn wants(&self, record: &Record) -> bool {
        let filter = Filter {
            event: None,
            shard: self.shard.clone(),
            since: self.since,
            until: self.until,
            critical: self.critical,
        };
        let is_named = self.event.iter().any(|name| name == record.name());
        let is_told = self.all || matches!(record.kind, Kind::Event | Kind::Gap);
        let is_right = if self.event.is_empty() {
            is_told
        } else {
            is_named
        };
        is_right && filter.wants(record)
    }
}

fn table(records: &VecDeque<Record>, signed: Option<Signed>) -> String {
    if records.is_empty() {
        return "no such record\n".to_owned();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if std::io::stdout().is_terminal() {
        let line = LineStyle::none().fill('─').junction('─');
        table
            .load_style(presets::NOTHING.header_separator(line))
            .set_content_arrangement(ContentArrangement::Dynamic);
    }
    // Elsewhere each record is one line, however long: for grep, and for pagers.
    table.set_header(["#", "Time (UTC)", "Event", "What"]);
    for record in records {
        let critical = if record.critical { " !" } else { "" };
        let is_unsigned = signed.is_some_and(|signed| !signed.covers(record));
        let unsigned = if is_unsigned { " ?" } else { "" };
        table.add_row([
            format!("{}{critical}{unsigned}", record.seq),
            format!("{:.3}", record.time),
            shown(record.name()),
            what(record),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    format!("{}\n", table.trim_fmt())
}

/// The event's members in a line, but for its name and version.
fn what(record: &Record) -> String {
    let shard = record.shard().map(shown);
    let members = record.event.iter();
    let told = members.filter(|(name, _)| {
        !matches!(
            name.as_str(),
            "event" | "schema" | "shard" | "shard_id" | "signature"
        )
    });
    let told = told.map(|(name, value)| {
        let value = match value {
            Value::String(text) => shown(text),
            value => shown(&value.to_string()),
        };
        format!("{}={value}", shown(name))
    });
    let all: Vec<_> = shard.into_iter().chain(told).collect();
    all.join(" ")
}
