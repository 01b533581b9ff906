//! The command line: which commands there are, and what every one of them has.

use std::ffi::OsString;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::exit::{self, Exit};
use crate::{
    attest, audit, bench, challenge, devices, digest, doctor, drill, keygen, logging, seal,
    verify_evidence,
};

const EXAMPLES_AND_EXIT_CODES: &str = "\
Examples:
  vram seal model.safetensors          seal a file, verify it, print what it is
  vram seal                            the same with a small sample that it makes
  vram seal models/llama-8b            every model file of a folder, as one set
  vram seal --json model.gguf | jq .   the same for programs
  vram digest model.safetensors        what sha256sum prints
  vram digest --verity *.safetensors   what `fsverity digest` prints
  vram drill                           flip a bit on purpose: is it found?
  vram devices                         which GPUs there are, and what they can do
  vram doctor                          may weights be kept here? what is to be done?
  vram bench --quick                   how fast all this is here, and how fast it could be
  vram keygen attester.pem             a key pair that signs evidence and audit trails
  vram challenge                       random bytes, to ask another machine for evidence with
  vram attest models/llama-8b --challenge HEX --signing-key attester.pem -o evidence.json
                                       answer it: seal, verify, measure for it, sign what was seen
  vram verify-evidence evidence.json --key attester.pub.pem --challenge HEX --model models/llama-8b
                                       does it have these files in its GPU, read for this challenge?
  vram audit verify audit.jsonl --key writer.pub.key   is the trail what was written?

Exit codes:
  0  good
  1  error: a file, a device or the request is not as it has to be
  2  usage: the command line can't be understood
  3  integrity failure: bytes, a digest or a seal are not what they were or should be
  4  policy refusal: the device or its memory may not hold weights

Without a GPU, vram says so and uses a simulated device; --gpu refuses that.
NO_COLOR turns colours off. RUST_LOG chooses what is logged (as -v does).";

/// Seals model weights into GPU memory, freezes them there, and verifies that they are still there
/// and still the right bytes.
#[derive(Debug, Parser)]
#[command(
    name = "vram",
    version,
    about,
    after_help = EXAMPLES_AND_EXIT_CODES,
    max_term_width = 100,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Log to stderr: -v what happens to shards, -vv more, -vvv everything.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    Seal(Box<seal::Command>),
    Digest(digest::Options),
    Drill(Box<drill::Options>),
    Devices(devices::Options),
    Doctor(doctor::Options),
    Bench(bench::Options),
    Audit(audit::Options),
    Attest(Box<attest::Options>),
    Challenge(challenge::Options),
    Keygen(keygen::Options),
    VerifyEvidence(verify_evidence::Options),
}

/// What programs ask for.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Format {
    /// Print one JSON document and nothing else on stdout; an error is one too.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Command {
    const fn name(&self) -> &'static str {
        match self {
            Self::Seal(_) => "seal",
            Self::Digest(_) => "digest",
            Self::Drill(_) => "drill",
            Self::Devices(_) => "devices",
            Self::Doctor(_) => "doctor",
            Self::Bench(_) => "bench",
            Self::Audit(options) => options.name(),
            Self::Attest(_) => "attest",
            Self::Challenge(_) => "challenge",
            Self::Keygen(_) => "keygen",
            Self::VerifyEvidence(_) => "verify-evidence",
        }
    }

    const fn format(&self) -> Format {
        match self {
            Self::Seal(options) => options.format,
            Self::Digest(options) => options.format,
            Self::Drill(options) => options.format,
            Self::Devices(options) => options.format,
            Self::Doctor(options) => options.format,
            Self::Bench(options) => options.format,
            Self::Audit(options) => options.format(),
            Self::Attest(options) => options.format,
            Self::Challenge(options) => options.format,
            Self::Keygen(options) => options.format,
            Self::VerifyEvidence(options) => options.format,
        }
    }

    /// Reads the secrets that come from descriptors: first of all, when whatever is open was there before this process,
    /// so that a wrong number can't be one of something opened here.
    fn read_descriptors(&self) -> anyhow::Result<()> {
        match self {
            Self::Seal(options) => options.read_descriptors(),
            Self::Drill(options) => options.read_descriptors(),
            Self::Attest(options) => options.read_descriptors(),
            _ => Ok(()),
        }
    }

    fn run(&self) -> anyhow::Result<Exit> {
        match self {
            Self::Seal(options) => seal::run(options),
            Self::Digest(options) => digest::run(options),
            Self::Drill(options) => drill::run(options),
            Self::Devices(options) => devices::run(options),
            Self::Doctor(options) => doctor::run(options),
            Self::Bench(options) => bench::run(options),
            Self::Audit(options) => audit::run(options),
            Self::Attest(options) => attest::run(options),
            Self::Challenge(options) => challenge::run(options),
            Self::Keygen(options) => keygen::run(options),
            Self::VerifyEvidence(options) => verify_evidence::run(options),
        }
    }
}

/// Runs the command that the arguments name, and says how it ended.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> Exit {
    let Cli { command, verbose } = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return exit::not_understood(&error),
    };
    let read = command.read_descriptors();
    logging::start(verbose);
    read.and_then(|()| command.run())
        .unwrap_or_else(|error| exit::report(command.name(), &error, command.format()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
