//! `vram attest`: seals model files, and answers a challenge about them.

mod destination;
mod report;

use std::path::PathBuf;

use clap::Args;
use vram_seal::SigningKey;
use vram_seal::evidence::Challenge;

use self::destination::Destination;
use crate::cli::Format;
use crate::exit::{Exit, Misused};
use crate::output::{Document, Output};
use crate::progress::Display;
use crate::seal::{self, Batch, Plan};
use crate::session::Session;
use crate::trail::TrailOptions;

/// Seal model files, and answer a challenge with signed evidence of where they lie.
///
/// Seals as `vram seal` does. Then, for the challenge: device and machine are judged again, every shard is verified,
/// and the device reads every byte once more with the challenge as the salt of the fs-verity tree, which gives digests
/// that nobody could know before. What was seen is signed: an in-toto statement in a DSSE envelope, which is printed,
/// or written to a file. `vram verify-evidence` checks it on any machine, and so do other tools.
///
/// Nothing is signed unless all of that is as it must be.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    seal: seal::Options,
    /// What is to be answered: 64 hexadecimal digits, from whoever wants the evidence (`vram challenge`).
    #[arg(long, value_name = "HEX", help_heading = "Evidence")]
    challenge: Challenge,
    /// Write the evidence to this file, all at once when it is there. By default it is printed.
    #[arg(short, long, value_name = "FILE", help_heading = "Evidence")]
    output: Option<PathBuf>,
    #[command(flatten)]
    trail: TrailOptions,
    #[command(flatten)]
    pub(crate) format: Format,
}

impl Options {
    /// Reads the secrets that come from descriptors.
    pub(crate) fn read_descriptors(&self) -> anyhow::Result<()> {
        self.seal.read_descriptor()?;
        self.trail.read_descriptor()
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<Exit> {
    // What can't be signed or written is found before anything is sealed.
    let Some(key) = options.trail.signing_key()? else {
        return Err(Misused("evidence is signed: give --signing-key".to_owned()).into());
    };
    let plan = Plan::new(&options.seal)?;
    let destination = options.output.as_deref().map(Destination::at);
    let destination = destination.transpose()?;

    let display = Display::new();
    let session = seal::open(&options.seal, &options.trail, None, &display)?;
    let attested = attest(options, plan, &session, &key, destination, display);
    session.end(attested)
}

fn attest(
    options: &Options,
    plan: Plan,
    session: &Session,
    key: &SigningKey,
    destination: Option<Destination>,
    display: Display,
) -> anyhow::Result<Exit> {
    let batch = seal::seal_all(&options.seal, plan, session, None, &display)?;
    let Batch { sealed, .. } = &batch;
    display.doing("evidence", "measure");
    let shards = sealed.iter().map(|sealed| &sealed.shard);
    let attestation = session.manager.attest(shards, options.challenge, key)?;
    let envelope = attestation.to_json()?;
    drop(display);

    let written = destination.map(|to| to.write(&envelope)).transpose()?;
    let mut output = Output::default();
    if options.format.json {
        let body = report::document(&batch, &attestation, key, written.as_deref(), &envelope);
        output.json(&Document::new("attest", body))?;
    } else if let Some(path) = &written {
        output.text(&report::text(&batch, &attestation, key, path))?;
    } else {
        // Nothing but the evidence, and not one byte more: a verifier takes it as it was written.
        output.bytes(&envelope)?;
    }
    Ok(Exit::Good)
}
