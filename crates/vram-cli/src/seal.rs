//! `vram seal`: model files into device memory, frozen, measured, signed, and verified once.

mod digest;
mod expected;
mod hashing;
mod plan;
mod position;
mod report;
mod sample;
mod set;
mod signature;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use vram_residency::{Manager, Progress, SealRequest, SealedShard, Stage, VerificationReport};
use vram_seal::{Digest, ModelRef, ShardId, VerityDigest};

use self::expected::{Expected, SourceOptions};
use self::hashing::Hashing;
pub(crate) use self::plan::Plan;
use self::plan::Work;
use self::set::SetOptions;
use self::signature::SignatureOptions;
use crate::cli::Format;
use crate::device::DeviceOptions;
use crate::exit::{self, Exit};
use crate::hold::{HoldOptions, Holding};
use crate::key::KeyOptions;
use crate::output::{Document, Output};
use crate::progress::Display;
use crate::quantity::parse_size;
use crate::session::Session;
use crate::trail::TrailOptions;

/// Seal model files into GPU memory and verify them there.
///
/// Each file becomes one shard: read, hashed, copied to the device, frozen (read-only to the GPU
/// itself), measured where it lies, and signed. Then everything is verified once: the signature,
/// what the driver says of the memory, and every byte. The shards live as long as this command:
/// at its end the memory is wiped and given back.
///
/// Of each shard two digests are printed. Content is the SHA-256 of its bytes, as sha256sum prints
/// it; computing it keeps one core busy for each file, and --hashing verity leaves it out. Verity is
/// fs-verity's digest, as `fsverity digest` prints it: it is what the device measures. Where that is
/// known beforehand, --hashing trusted with --expect-verity is the fastest.
#[derive(Debug, Args)]
pub(crate) struct Command {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    hold: HoldOptions,
    #[command(flatten)]
    trail: TrailOptions,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// What is sealed, and where.
#[derive(Debug, Args)]
// Within the options of another command, which are a group of the same name.
#[group(skip)]
pub(crate) struct Options {
    /// Files to seal, or folders: each *.safetensors and *.gguf in a folder becomes a shard of one
    /// set. Without any, a sample of 16 MiB is made and sealed.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The shard's id, for a single file. By default it is made from the file's name.
    #[arg(long, value_name = "ID")]
    id: Option<ShardId>,
    /// The model that the shards belong to; the seal covers the name.
    #[arg(long, value_name = "NAME")]
    model: Option<ModelRef>,
    /// Seal a single file only if it has this digest: sha256:HEX as sha256sum prints it, or
    /// fsverity:HEX as `fsverity digest` prints it (there with sha256: in front). May be given
    /// once for each.
    #[arg(long, value_name = "KIND:HEX")]
    expect: Vec<Expected>,
    /// The same as --expect sha256:HEX.
    #[arg(long, value_name = "HEX")]
    expect_sha256: Option<Digest>,
    /// The same as --expect fsverity:HEX.
    #[arg(long, value_name = "HEX")]
    expect_verity: Option<VerityDigest>,
    #[command(flatten)]
    source: SourceOptions,
    #[command(flatten)]
    signature: SignatureOptions,
    /// What the host computes of the bytes on their way. The device measures them in any case.
    #[arg(long, value_enum, default_value_t)]
    hashing: Hashing,
    #[command(flatten)]
    set: SetOptions,
    /// Use at most so much device memory, 16 MiB for measuring included; as 40GiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    budget: Option<u64>,
    /// Refuse files that are larger; as 16GiB. The default is 100GiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_size: Option<u64>,
    #[command(flatten)]
    keys: KeyOptions,
    #[command(flatten)]
    device: DeviceOptions,
}

impl Command {
    /// Reads the secrets that come from descriptors.
    pub(crate) fn read_descriptors(&self) -> anyhow::Result<()> {
        self.options.read_descriptor()?;
        self.trail.read_descriptor()
    }
}

impl Options {
    /// Reads the secret if it comes from a descriptor.
    pub(crate) fn read_descriptor(&self) -> anyhow::Result<()> {
        self.keys.read_descriptor()
    }

    /// The digests that the file must have, however they were given.
    fn expected(&self) -> Vec<Expected> {
        let content = self.expect_sha256.map(Expected::Content);
        let verity = self.expect_verity.map(Expected::Verity);
        let each = self.expect.iter().copied();
        each.chain(content).chain(verity).collect()
    }
}

/// A shard, and where its bytes came from.
pub(crate) struct Sealed {
    path: Option<PathBuf>,
    pub(crate) shard: SealedShard,
}

/// What a run has sealed.
pub(crate) struct Batch<'a> {
    pub(crate) sealed: Vec<Sealed>,
    sets: Vec<set::Set>,
    signed: Option<plan::Signed>,
    pub(crate) sealing: Duration,
    pub(crate) session: &'a Session,
}

pub(crate) fn run(command: &Command) -> anyhow::Result<Exit> {
    command.trail.require_sense()?;
    let plan = Plan::new(&command.options)?;
    let holding = command.hold.prepare()?;
    let display = Display::new();
    let session = open(&command.options, &command.trail, holding.as_ref(), &display)?;
    let exit = seal_and_hold(command, plan, &session, holding.as_ref(), display);
    // The shards are wiped by now. Whoever is served waits for nothing of this, and is waited for last.
    if let Some(holding) = &holding {
        holding.release();
    }
    match exit {
        // What went wrong while they were held has been told: it says more than what goes wrong here.
        Ok(exit) if exit != Exit::Good => {
            if let Err(error) = session.end(Ok(())) {
                exit::told("seal", &error);
            }
            Ok(exit)
        }
        exit => session.end(exit),
    }
}

/// Seals, verifies, tells, and holds. No shard is left after it, however it ends.
fn seal_and_hold(
    command: &Command,
    plan: Plan,
    session: &Session,
    holding: Option<&Holding>,
    display: Display,
) -> anyhow::Result<Exit> {
    let Batch {
        sealed,
        sets,
        signed,
        sealing,
        ..
    } = seal_all(&command.options, plan, session, holding, &display)?;
    let verified = verify(&session.manager, &sealed, holding, &display)?;
    drop(display);

    let shards = sealed.iter().zip(&verified);
    let shards: Vec<_> = shards
        .map(|(sealed, verified)| report::Shard::new(sealed, verified))
        .collect();
    if command.format.json {
        let signed = signed.as_ref();
        let held = holding.map(Holding::document);
        let body = report::document(session, &shards, &sets, signed, sealing, held);
        Output::default().json(&Document::new("seal", body))?;
    } else {
        let (signed, held) = (signed.as_ref(), holding.is_some());
        Output::default().text(&report::text(
            session, &shards, &sets, signed, sealing, held,
        ))?;
    }
    Ok(holding.map_or(Exit::Good, |holding| {
        let shards: Vec<_> = sealed.iter().map(|Sealed { shard, .. }| shard).collect();
        holding.hold(&session.manager, &shards)
    }))
}

/// Opens the device for what is to be sealed.
pub(crate) fn open(
    options: &Options,
    trail: &TrailOptions,
    holding: Option<&Holding>,
    display: &Display,
) -> anyhow::Result<Session> {
    let session = Session::open(
        &options.device,
        &options.keys,
        trail,
        display,
        |mut builder| {
            if let Some(bytes) = options.budget {
                builder = builder.budget(bytes);
            }
            if let Some(holding) = holding {
                builder = builder.observer(holding.observer());
            }
            if let Some(bytes) = options.max_size {
                builder = builder.max_shard_size(bytes);
            }
            builder
        },
    )?;
    if let Some(holding) = holding {
        holding.watch(&session.manager, session.trail());
    }
    Ok(session)
}

/// Seals everything that is planned, or fails: also if a signal comes before it is done.
pub(crate) fn seal_all<'a>(
    options: &Options,
    plan: Plan,
    session: &'a Session,
    holding: Option<&Holding>,
    display: &Display,
) -> anyhow::Result<Batch<'a>> {
    let started = Instant::now();
    let progress = Watched { display, holding };
    let (mut sealed, mut sets) = (Vec::new(), Vec::new());
    for work in plan.work {
        go_on(holding)?;
        let folder = work.folder().map(Path::to_owned);
        let shards = seal(&session.manager, work, options, &progress);
        let shards = shards.map_err(|error| cut_short(error, holding))?;
        if let Some(folder) = folder {
            sets.push(options.set.sealed(&folder, &shards)?);
        }
        sealed.extend(shards);
    }
    Ok(Batch {
        sealed,
        sets,
        signed: plan.signed,
        sealing: started.elapsed(),
        session,
    })
}

/// Shows how far a seal has come, and gives it up once a signal asks for the end.
struct Watched<'a> {
    display: &'a Display,
    holding: Option<&'a Holding>,
}

impl Progress for Watched<'_> {
    fn advanced(&self, stage: Stage, done: u64, total: u64) {
        self.display.progress().advanced(stage, done, total);
    }

    fn is_cancelled(&self) -> bool {
        self.holding.is_some_and(Holding::is_over)
    }
}

/// Fails once a signal asked for the end.
fn go_on(holding: Option<&Holding>) -> anyhow::Result<()> {
    if holding.is_some_and(Holding::is_over) {
        bail!(CUT_SHORT);
    }
    Ok(())
}

/// What is said of a seal that a signal ended, in place of the shard that was at hand.
fn cut_short(error: anyhow::Error, holding: Option<&Holding>) -> anyhow::Error {
    let given_up = matches!(
        error.downcast_ref(),
        Some(vram_residency::Error::Cancelled { .. })
    );
    match go_on(holding) {
        Err(cut_short) if given_up => cut_short,
        _ => error,
    }
}

const CUT_SHORT: &str = "a signal came before everything was sealed and verified: what was sealed is wiped, and \
                         nothing is held";

fn seal(
    manager: &Manager,
    work: Work,
    options: &Options,
    progress: &Watched<'_>,
) -> anyhow::Result<Vec<Sealed>> {
    let (id, path, source, expectation) = match work {
        Work::Folder { folder, .. } => {
            let model = options.model.as_ref();
            let (hashing, display) = (options.hashing.into(), progress.display);
            display.counting_together(folder.files().len());
            let shards = manager.seal_folder_hashing(&folder, model, hashing, progress)?;
            display.counting_each();
            let paths = folder.files().iter().map(|file| Some(file.path.clone()));
            let sealed = paths
                .zip(shards)
                .map(|(path, shard)| Sealed { path, shard });
            return Ok(sealed.collect());
        }
        Work::File {
            id,
            path,
            expectation,
        } => (id, Some(path.clone()), path, expectation),
        Work::Sample { id, ref file } => (id, None, file.path().to_owned(), None),
    };
    let mut request = SealRequest::file(id, source)
        .hashing(options.hashing.into())
        .progress(progress);
    if let Some(model) = &options.model {
        request = request.model(model.clone());
    }
    if let Some(position) = options.set.position() {
        request = request.position(position);
    }
    if let Some(expectation) = expectation {
        request = request.expect(expectation);
    }
    for expected in options.expected() {
        request = expected.demanded_of(request);
    }
    let shard = manager.seal(request)?;
    Ok(vec![Sealed { path, shard }])
}

fn verify(
    manager: &Manager,
    sealed: &[Sealed],
    holding: Option<&Holding>,
    display: &Display,
) -> anyhow::Result<Vec<VerificationReport>> {
    let verify = |Sealed { shard, .. }: &Sealed| {
        go_on(holding)?;
        display.doing(shard.id().as_str(), "verify");
        Ok(manager.verify(shard)?.report)
    };
    sealed.iter().map(verify).collect()
}
