//! `vram bench`: what this machine does, beside what it could do at most and what others do.

mod catalogue;
mod ceilings;
mod child;
mod files;
mod host;
mod measured;
mod peers;
mod report;
mod residency;
mod rig;
mod run;
mod scale;
mod seal;
mod table;
mod verify;

use std::path::PathBuf;

use clap::Args;

use self::catalogue::Id;
use self::child::Task;
use self::host::Host;
use self::report::{Origin, Report};
use self::rig::{Opened, Rig};
use crate::cli::Format;
use crate::device::DeviceOptions;
use crate::exit::Exit;
use crate::output::{Document, Output};
use crate::profile::Applied;
use crate::progress::Display;

/// Measure what sealing and verifying take here, beside what the machine can do at most.
///
/// Each figure stands beside its ceiling from the same run (SHA-256 in the device's registers, its
/// memory, the link, the host's cores), its target on an H100, and peers: the same check as engines
/// do it, and as a CPU could at best. Values are medians; --json has every sample.
///
/// It makes files of noise, 24 GiB for a full run on a GPU, and takes a few minutes. Sizes shrink to
/// what there is room for, and each figure's note says at which size it was measured.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Measure only these, with the ceilings and figures that they are held against.
    #[arg(long, value_name = "ID", value_delimiter = ',', num_args = 1..)]
    only: Vec<Id>,
    /// Measure smaller sizes, less often: in seconds, and without verdicts on what needs size.
    #[arg(long)]
    quick: bool,
    /// Where the files go. By default memory (/dev/shm) if it has the room, or else the folder for
    /// temporary files.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The Python, with torch, that runs what engines do. By default python3.
    #[arg(long, value_name = "PYTHON")]
    peer_python: Option<PathBuf>,
    /// Do this for the measuring process.
    #[arg(long, hide = true)]
    child: Option<Task>,
    #[command(flatten)]
    device: DeviceOptions,
    #[command(flatten)]
    pub(crate) format: Format,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<Exit> {
    if let Some(task) = &options.child {
        child::run(task, &options.device)?;
        return Ok(Exit::Good);
    }
    let display = Display::new();
    let opened = Opened::new(&options.device)?;
    let origin = Origin {
        properties: opened.device.properties().clone(),
        free_memory: opened.device.memory()?.free,
        simulated_because: opened.simulated_because.clone(),
        host: Host::look(),
        policy: Applied::by(&opened.manager),
        quick: options.quick,
    };
    let rig = Rig::new(opened, options.folder.clone(), options.quick, &display)?;
    let (results, sound) = run::all(rig, options)?;
    drop(display);

    let report = Report::new(origin, &results);
    if options.format.json {
        Output::default().json(&Document::new("bench", report))?;
    } else {
        Output::default().text(&table::text(&report))?;
    }
    // What failed stands in the report; a script should see it too.
    Ok(if sound { Exit::Good } else { Exit::Error })
}
