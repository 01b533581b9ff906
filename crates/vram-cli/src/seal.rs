//! `vram seal`: model files into device memory, frozen, measured, signed, and verified once.

mod expected;
mod hashing;
mod plan;
mod report;
mod sample;
mod set;
mod signature;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use vram_residency::{Manager, SealRequest, SealedShard, VerificationReport};
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

/// What a run has sealed. The shards are gone before the manager that sealed them.
pub(crate) struct Batch {
    pub(crate) sealed: Vec<Sealed>,
    sets: Vec<set::Set>,
    signed: Option<plan::Signed>,
    pub(crate) sealing: Duration,
    pub(crate) session: Session,
}

impl Batch {
    /// Ends the run in order: the shards are wiped, then the manager and the trail that it tells are done.
    pub(crate) fn close(self) -> anyhow::Result<()> {
        drop(self.sealed);
        self.session.close()
    }
}

pub(crate) fn run(command: &Command) -> anyhow::Result<Exit> {
    command.trail.require_sense()?;
    let plan = Plan::new(&command.options)?;
    let holding = command.hold.prepare()?;
    let display = Display::new();
    let batch = seal_all(
        &command.options,
        plan,
        &command.trail,
        holding.as_ref(),
        &display,
    )?;
    let Batch {
        sealed,
        sets,
        signed,
        sealing,
        session,
    } = batch;
    let verified = verify(&session.manager, &sealed, &display)?;
    drop(display);

    let shards = sealed.iter().zip(&verified);
    let shards: Vec<_> = shards
        .map(|(sealed, verified)| report::Shard::new(sealed, verified))
        .collect();
    if command.format.json {
        let signed = signed.as_ref();
        let held = holding.as_ref().map(Holding::document);
        let body = report::document(&session, &shards, &sets, signed, sealing, held);
        Output::default().json(&Document::new("seal", body))?;
    } else {
        let (signed, held) = (signed.as_ref(), holding.is_some());
        Output::default().text(&report::text(
            &session, &shards, &sets, signed, sealing, held,
        ))?;
    }
    drop(shards);
    let exit = holding.map_or(Exit::Good, |holding| {
        let shards: Vec<_> = sealed.iter().map(|Sealed { shard, .. }| shard).collect();
        holding.hold(&session.manager, &shards)
    });
    drop(sealed);
    match (session.close(), exit) {
        (closed, Exit::Good) => closed.map(|()| exit),
        (Ok(()), exit) => Ok(exit),
        // What went wrong before says more.
        (Err(error), exit) => {
            exit::told("seal", &error);
            Ok(exit)
        }
    }
}

/// Seals everything that is planned.
pub(crate) fn seal_all(
    options: &Options,
    plan: Plan,
    trail: &TrailOptions,
    holding: Option<&Holding>,
    display: &Display,
) -> anyhow::Result<Batch> {
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
    let started = Instant::now();
    let (mut sealed, mut sets) = (Vec::new(), Vec::new());
    for work in plan.work {
        if holding.is_some_and(Holding::is_over) {
            break;
        }
        let folder = work.folder().map(Path::to_owned);
        let shards = seal(&session.manager, work, options, display)?;
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

fn seal(
    manager: &Manager,
    work: Work,
    options: &Options,
    display: &Display,
) -> anyhow::Result<Vec<Sealed>> {
    let (id, path, source, expectation) = match work {
        Work::Folder { folder, .. } => {
            let model = options.model.as_ref();
            let (hashing, progress) = (options.hashing.into(), display.progress());
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
        .progress(display.progress());
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
    display: &Display,
) -> anyhow::Result<Vec<VerificationReport>> {
    let verify = |Sealed { shard, .. }: &Sealed| {
        display.doing(shard.id().as_str(), "verify");
        Ok(manager.verify(shard)?.report)
    };
    sealed.iter().map(verify).collect()
}
