//! `vram challenge`: random bytes for whoever wants evidence.

use clap::Args;
use serde::Serialize;
use vram_seal::evidence::Challenge;

use crate::cli::Format;
use crate::exit::Exit;
use crate::output::{Document, Output};

/// Print a new challenge: 32 random bytes, as 64 hexadecimal digits.
///
/// Whoever wants evidence makes one, keeps it, and sends it to the machine with the GPU. `vram attest` answers it,
/// and `vram verify-evidence --challenge` checks that it is the one that was answered. A challenge is no secret, and
/// is used once.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) format: Format,
}

#[derive(Serialize)]
struct ChallengeDocument {
    challenge: Challenge,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<Exit> {
    let challenge = Challenge::generate()?;
    let mut output = Output::default();
    if options.format.json {
        output.json(&Document::new("challenge", ChallengeDocument { challenge }))?;
    } else {
        output.text(&format!("{challenge}\n"))?;
    }
    Ok(Exit::Good)
}
