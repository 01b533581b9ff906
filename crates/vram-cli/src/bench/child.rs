//! What has to be measured in a process of its own: its first use of a device, and its memory.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vram_residency::SealRequest;
use vram_seal::VerityDigest;

use super::files::noise;
use super::host;
use super::measured::{Measured, mebibytes};
use super::rig::{Opened, Rig};
use super::scale::{MIB, sized};
use super::seal::with_least_work;
use crate::device::DeviceOptions;
use crate::output::Output;

/// How often memory is looked at while sealing.
const LOOK: Duration = Duration::from_millis(1);

/// What a child is to do, as the hidden option has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub(super) enum Task {
    /// Open the device, seal and verify 1 MiB.
    FirstUse,
    /// Seal a file so many times, and watch this process's memory.
    SealMemory {
        file: PathBuf,
        copies: u64,
        verity: Option<VerityDigest>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct FirstUse {
    seconds: f64,
}

#[derive(Debug, Serialize, Deserialize)]
struct SealMemory {
    /// The most memory that belongs to no file, less what there was before, in bytes.
    grown: u64,
    /// The most that was page-locked, in bytes.
    pinned: u64,
}

impl std::str::FromStr for Task {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

/// Does the task, and prints what came of it for the parent.
pub(super) fn run(task: &Task, device: &DeviceOptions) -> anyhow::Result<()> {
    match task {
        Task::FirstUse => Output::default().json(&first_use(device)?),
        Task::SealMemory {
            file,
            copies,
            verity,
        } => Output::default().json(&seal_memory(device, file, *copies, *verity)?),
    }
}

fn first_use(options: &DeviceOptions) -> anyhow::Result<FirstUse> {
    let mut bytes = vec![0; usize::try_from(MIB)?];
    noise(6, &mut bytes);
    let started = Instant::now();
    let opened = Opened::new(options)?;
    let request = SealRequest::bytes("first".parse()?, &bytes);
    let shard = opened.manager.seal(request)?;
    let verified = opened.manager.verify(&shard)?;
    let seconds = started.elapsed().as_secs_f64();
    drop(verified);
    Ok(FirstUse { seconds })
}

fn seal_memory(
    options: &DeviceOptions,
    file: &std::path::Path,
    copies: u64,
    verity: Option<VerityDigest>,
) -> anyhow::Result<SealMemory> {
    let opened = Opened::new(options)?;
    let unknown = "the system doesn't say how much memory this process has";
    let before = host::anonymous_memory().context(unknown)?;
    let done = AtomicBool::new(false);
    let most = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = before;
            while !done.load(Ordering::Acquire) {
                most = most.max(host::anonymous_memory().unwrap_or(0));
                thread::sleep(LOOK);
            }
            most
        });
        let sealed = (0..copies).map(|copy| {
            let id = format!("copy-{copy}");
            with_least_work(&opened.manager, file, &id, verity)
        });
        // All of them stay sealed until the last is.
        let sealed = sealed.collect::<anyhow::Result<Vec<_>>>();
        done.store(true, Ordering::Release);
        let most = watcher.join();
        drop(sealed?);
        most.map_err(|_| anyhow::anyhow!("the thread that watches failed"))
    })?;
    Ok(SealMemory {
        grown: most.saturating_sub(before),
        pinned: opened.device.pinned_host().most.0,
    })
}

/// How long a new process takes until it has verified its first shard, the driver having compiled
/// nothing before; and then the same once it has.
pub(super) fn starts(rig: &Rig<'_>, device: &DeviceOptions) -> anyhow::Result<[Measured; 2]> {
    let (mut first, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..rig.scale.repetitions.min(3) {
        // The driver keeps what it has compiled there.
        let cache = tempfile::tempdir()?;
        let start = || -> anyhow::Result<f64> {
            let mut command = command(rig, device, &Task::FirstUse)?;
            command.env("CUDA_CACHE_PATH", cache.path());
            let came: FirstUse = answer(&mut command)?;
            Ok(came.seconds)
        };
        first.push(start()?);
        warm.push(start()?);
    }
    let note =
        "in a new process, its own start not counted; this one has the device open meanwhile";
    Ok([
        Measured::new(first, format!("{note}; the driver's cache is empty"))?,
        Measured::new(warm, format!("{note}; the driver's cache is filled"))?,
    ])
}

/// Host memory beyond the page cache while a file is sealed several times, in MiB; or why it can't be
/// measured.
pub(super) fn memory(
    rig: &mut Rig<'_>,
    device: &DeviceOptions,
    verity: Option<VerityDigest>,
) -> anyhow::Result<Result<Measured, String>> {
    if rig.opened.is_simulated() {
        let why = "a simulated device's memory is the process's own";
        return Ok(Err(why.to_owned()));
    }
    if host::anonymous_memory().is_none() {
        return Ok(Err(
            "the system doesn't say how much memory a process has".to_owned()
        ));
    }
    let copies = rig.scale.memory_shards;
    let task = Task::SealMemory {
        file: rig.big_file()?.path().to_owned(),
        copies,
        verity,
    };
    rig.doing("seal-memory");
    let came: SealMemory = answer(&mut command(rig, device, &task)?)?;
    let total = rig.scale.big.saturating_mul(copies);
    let note = format!(
        "while {} are sealed: {} pinned, and {} of memory that belongs to no file, looked at every \
         millisecond",
        sized(total),
        sized(came.pinned),
        sized(came.grown)
    );
    let sum = mebibytes(came.pinned.saturating_add(came.grown));
    let measured = Measured::new(vec![sum], note)?;
    Ok(Ok(measured.at_full_size(rig.scale.memory_is_full())))
}

/// This program, on the same device, with that task.
fn command(rig: &Rig<'_>, device: &DeviceOptions, task: &Task) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("bench")
        .args(device.for_child(rig.opened.simulated_because.is_some()))
        .args(["--child", &serde_json::to_string(task)?])
        .stdin(Stdio::null());
    Ok(command)
}

fn answer<T: DeserializeOwned>(command: &mut Command) -> anyhow::Result<T> {
    let output = command.output().context("a child process did not start")?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "a child process ended with {}: {}",
        output.status,
        said.lines().last().unwrap_or_default()
    );
    serde_json::from_slice(&output.stdout).context("a child process gave no result")
}
