//! `vram drill`: shows that a flipped bit is found, on data made for it.

mod report;
mod scratch;

use std::io::Read as _;

use clap::Args;
use serde::Serialize;
use vram_alloc::Bytes;
use vram_residency::{Difference, Error, Manager, SealRequest, SealedShard};
use vram_seal::verity::BLOCK_SIZE;

use self::scratch::Scratch;
use crate::cli::Format;
use crate::device::DeviceOptions;
use crate::exit::{Exit, Misused};
use crate::key::KeyOptions;
use crate::output::{Document, Output};
use crate::progress::Display;
use crate::quantity::{Pace, parse_size};
use crate::session::Session;
use crate::trail::TrailOptions;

/// Flip one bit of sealed data where it lies, and show that verification finds it.
///
/// Random scratch data is sealed and verified. One bit of it is flipped in device memory, as a
/// fault or an attack would do. It is verified again, which must fail, name the 4096-byte block,
/// and stop everything. No file is touched, and the scratch data is wiped at the end.
///
/// Ends with 0 if the flip was found and located, with 3 if it was not.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How much scratch data to seal.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_size)]
    size: u64,
    /// The byte to damage, counted from 0. By default a random one.
    #[arg(long, value_name = "N")]
    offset: Option<u64>,
    /// The bit of that byte to flip, 0 (the least) to 7. By default a random one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=7))]
    bit: Option<u8>,
    #[command(flatten)]
    keys: KeyOptions,
    #[command(flatten)]
    trail: TrailOptions,
    #[command(flatten)]
    device: DeviceOptions,
    #[command(flatten)]
    pub(crate) format: Format,
}

impl Options {
    /// Reads the secrets that come from descriptors.
    pub(crate) fn read_descriptors(&self) -> anyhow::Result<()> {
        self.keys.read_descriptor()?;
        self.trail.read_descriptor()
    }
}

/// What was done, and what came of it.
#[derive(Serialize)]
struct Findings {
    passed: bool,
    size: Bytes,
    sealing: Pace,
    /// The verification before the flip.
    verifying: Pace,
    flipped: Flip,
    found: bool,
    /// Whether exactly the flipped bit's block was named.
    located: bool,
    /// Whether the manager refuses everything since.
    stopped: bool,
    /// What the verification after the flip said.
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
}

/// The damage.
#[derive(Clone, Copy, Serialize)]
struct Flip {
    offset: u64,
    bit: u8,
    /// The 4096-byte block that the byte is in.
    block: u64,
}

impl Flip {
    /// The one that the options ask for, or one at random.
    fn choose(options: &Options) -> anyhow::Result<Self> {
        let size = options.size;
        let offset = match options.offset {
            Some(offset) if offset >= size => {
                let what =
                    format!("--offset {offset} is past the end of {size} bytes of scratch data");
                return Err(Misused(what).into());
            }
            Some(offset) => offset,
            None => scratch::below(size)?,
        };
        let bit = match options.bit {
            Some(bit) => bit,
            None => u8::try_from(scratch::below(8)?)?,
        };
        let block_size = u64::try_from(BLOCK_SIZE)?;
        let block = offset.checked_div(block_size).unwrap_or(0);
        Ok(Self { offset, bit, block })
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<Exit> {
    options.trail.require_sense()?;
    if options.size == 0 {
        return Err(Misused("--size 0 leaves no bit to flip; give 1 at least".to_owned()).into());
    }
    let flip = Flip::choose(options)?;
    let display = Display::new();
    let session = Session::open(
        &options.device,
        &options.keys,
        &options.trail,
        &display,
        |builder| builder,
    )?;
    let exit = drill_and_tell(options, &session, flip, display);
    session.end(exit)
}

fn drill_and_tell(
    options: &Options,
    session: &Session,
    flip: Flip,
    display: Display,
) -> anyhow::Result<Exit> {
    let findings = drill(&session.manager, options.size, flip, &display)?;
    drop(display);

    let exit = if findings.passed {
        Exit::Good
    } else {
        Exit::Integrity
    };
    if options.format.json {
        let body = report::document(session, &findings);
        Output::default().json(&Document::new("drill", body))?;
    } else {
        Output::default().text(&report::text(session, &findings))?;
    }
    Ok(exit)
}

fn drill(manager: &Manager, size: u64, flip: Flip, display: &Display) -> anyhow::Result<Findings> {
    let mut scratch = Scratch::new().take(size);
    let request = SealRequest::reader("drill".parse()?, &mut scratch, size);
    let mut shard = manager.seal(request.progress(display.progress()))?;
    display.doing("drill", "verify");
    let before = manager.verify(&shard)?.report;
    manager.damage(&mut shard, flip.offset, flip.bit)?;
    let verdict = manager.verify(&shard).map(|verified| verified.report);

    let (found, difference, verdict) = match verdict {
        Ok(_) => (false, None, "as it was sealed".to_owned()),
        Err(error) => {
            let verdict = error.to_string();
            match error {
                Error::Tampered { difference, .. } => (true, Some(difference), verdict),
                // The device was lost, for one: no word on the flip.
                error => return Err(error.into()),
            }
        }
    };
    let located = difference
        .as_ref()
        .is_some_and(|difference| difference.blocks == [flip.block]);
    let stopped = refuses(manager, &shard);
    Ok(Findings {
        passed: found && located && stopped,
        size: shard.size(),
        sealing: Pace::new(size, shard.steps().total),
        verifying: Pace::new(size, before.duration),
        flipped: flip,
        found,
        located,
        stopped,
        verdict,
        difference,
    })
}

/// Whether the manager neither permits nor seals anything more.
fn refuses(manager: &Manager, shard: &SealedShard) -> bool {
    let permits = manager.verify(shard);
    let seals = "after"
        .parse()
        .map(|id| manager.seal(SealRequest::bytes(id, &[0])));
    matches!(permits, Err(Error::Stopped { .. })) && matches!(seals, Ok(Err(Error::Stopped { .. })))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn choose(arguments: &[&str]) -> anyhow::Result<Flip> {
        let line = [&["drill"], arguments].concat();
        Flip::choose(&Line::try_parse_from(line).unwrap().options)
    }

    #[test]
    fn the_flip_asked_for_is_the_flip_made() {
        let flip = choose(&["--size", "8192", "--offset", "4096", "--bit", "7"]).unwrap();

        assert_eq!((flip.offset, flip.bit, flip.block), (4096, 7, 1));
    }

    #[test]
    fn a_random_flip_lies_within_the_data() {
        for _ in 0..200 {
            let flip = choose(&["--size", "3"]).unwrap();

            assert!(flip.offset < 3 && flip.bit < 8 && flip.block == 0);
        }
    }

    #[test]
    fn an_offset_past_the_end_is_refused() {
        assert!(choose(&["--size", "8", "--offset", "8"]).is_err());
    }
}
