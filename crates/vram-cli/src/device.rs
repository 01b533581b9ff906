//! Which device: the machine's GPU, or the simulated one.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use vram_alloc::{Error, Platform};
use vram_observe::{ThisMachine, Witness};
use vram_sys::LoadError;

use crate::output::{self, CAUTION};
use crate::profile::PolicyOptions;
use crate::shown::shown;

/// The choice of a device and of the policy that it has to meet, the same for every command that keeps
/// weights on one.
#[derive(Clone, Debug, Args)]
pub(crate) struct DeviceOptions {
    /// The device's index, in the driver's order (`vram devices`).
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Device")]
    pub(crate) device: usize,
    #[command(flatten)]
    pub(crate) origin: OriginOptions,
    #[command(flatten)]
    pub(crate) policy: PolicyOptions,
}

impl DeviceOptions {
    /// The arguments that make a child process choose the same, once it is known whether that was a
    /// simulation.
    pub(crate) fn for_child(&self, simulated: bool) -> Vec<String> {
        let origin = if simulated {
            let kind = self.origin.simulated.unwrap_or(Kind::Datacenter);
            let kind = kind.to_possible_value();
            let name = kind.as_ref().map_or("datacenter", |kind| kind.get_name());
            format!("--simulated={name}")
        } else {
            "--gpu".to_owned()
        };
        let device = ["--device".to_owned(), self.device.to_string(), origin];
        device.into_iter().chain(self.policy.for_child()).collect()
    }
}

/// The choice between a GPU and the simulation.
#[derive(Clone, Debug, Args)]
pub(crate) struct OriginOptions {
    /// Use a GPU or fail: never the simulated device.
    #[arg(
        long,
        visible_alias = "require-gpu",
        conflicts_with = "simulated",
        help_heading = "Device"
    )]
    gpu: bool,
    /// Use the simulated device, even if there is a GPU.
    #[arg(
        long,
        value_name = "KIND",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "datacenter",
        help_heading = "Device"
    )]
    simulated: Option<Kind>,
}

/// The kinds of machine that can be simulated: all those of `vram_sim`'s fleet, by its names.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// A server with an H100 of its own.
    #[value(alias = "h100")]
    Datacenter,
    /// A desktop with an RTX 4090, ECC off, a display on it.
    Consumer,
    /// A Jetson: the GPU has no memory of its own.
    Integrated,
    /// A GH200: one coherent address space with the host.
    Coherent,
    /// Windows' subsystem for Linux.
    Wsl,
    /// A seventh of an H100.
    MigSlice,
    /// A share of a T4 in a virtual machine, which freezes memory in software only.
    #[value(alias = "vgpu")]
    VgpuGuest,
    /// A client of the Multi-Process Service.
    MpsClient,
    /// An H100 in a confidential virtual machine.
    ConfidentialCompute,
    /// An A100 whose memory fails.
    Failing,
    /// An L40S with three other processes on it.
    Shared,
    /// A V100 under a driver older than any supported one.
    OldDriver,
    /// A workstation with two unlike GPUs.
    TwoUnlike,
}

/// A driver with its devices, who is asked about the machine around them, and why it is a simulation if
/// it is one.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) platform: Platform,
    pub(crate) witness: Arc<dyn Witness>,
    pub(crate) simulated_because: Option<String>,
}

/// A machine to examine: there may be no driver, and that is a finding.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) platform: Result<Platform, Error>,
    pub(crate) witness: Arc<dyn Witness>,
    pub(crate) simulated_because: Option<String>,
}

/// This machine as it is, or the simulated one that is asked for.
pub(crate) fn subject(simulated: Option<Kind>) -> anyhow::Result<Subject> {
    let Some(kind) = simulated else {
        return Ok(Subject {
            platform: Platform::load(),
            witness: Arc::new(ThisMachine::new()),
            simulated_because: None,
        });
    };
    let Found {
        platform,
        witness,
        simulated_because,
    } = simulate(kind, asked_for())?;
    Ok(Subject {
        platform: Ok(platform),
        witness,
        simulated_because,
    })
}

/// Finds the GPU. Where there is none, or the user asks for it, it is the simulation, and stderr
/// says so.
///
/// A driver that is there and doesn't work is an error: falling back would hide a broken machine.
pub(crate) fn find(options: &OriginOptions) -> anyhow::Result<Found> {
    if let Some(kind) = options.simulated {
        return simulate(kind, asked_for());
    }
    match Platform::load() {
        Ok(platform) => Ok(Found {
            platform,
            witness: Arc::new(ThisMachine::new()),
            simulated_because: None,
        }),
        Err(error) if options.gpu || !has_no_gpu(&error) => Err(error.into()),
        Err(error) => simulate(Kind::Datacenter, error.to_string()),
    }
}

/// Whether the machine has no GPU, as opposed to one that doesn't work.
const fn has_no_gpu(error: &Error) -> bool {
    matches!(
        error,
        Error::Load(LoadError::LibraryNotFound { .. } | LoadError::NoDevice { .. })
    )
}

fn asked_for() -> String {
    "it was asked for by name".to_owned()
}

fn simulate(kind: Kind, because: String) -> anyhow::Result<Found> {
    let (platform, witness) = simulation::start(kind)?;
    output::note(&format!(
        "{CAUTION}simulated device{CAUTION:#}, not a GPU: memory and times are this computer's own"
    ));
    output::note(&format!("the reason: {}", shown(&because)));
    Ok(Found {
        platform,
        witness,
        simulated_because: Some(because),
    })
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod simulation {
    use std::sync::Arc;

    use anyhow::Context as _;
    use vram_alloc::Platform;
    use vram_observe::Witness;
    use vram_sim::fleet;

    use super::Kind;

    pub(super) fn start(kind: Kind) -> anyhow::Result<(Platform, Arc<dyn Witness>)> {
        let kind = match kind {
            Kind::Datacenter => fleet::Kind::Datacenter,
            Kind::Consumer => fleet::Kind::Consumer,
            Kind::Integrated => fleet::Kind::Integrated,
            Kind::Coherent => fleet::Kind::Coherent,
            Kind::Wsl => fleet::Kind::Wsl,
            Kind::MigSlice => fleet::Kind::MigSlice,
            Kind::VgpuGuest => fleet::Kind::VgpuGuest,
            Kind::MpsClient => fleet::Kind::MpsClient,
            Kind::ConfidentialCompute => fleet::Kind::ConfidentialCompute,
            Kind::Failing => fleet::Kind::Failing,
            Kind::Shared => fleet::Kind::Shared,
            Kind::OldDriver => fleet::Kind::OldDriver,
            Kind::TwoUnlike => fleet::Kind::TwoUnlike,
        };
        let member = kind
            .build()
            .context("the simulated machine did not start")?;
        let platform = Platform::with_driver(member.machine.driver())?;
        Ok((platform, member.witness))
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod simulation {
    use std::sync::Arc;

    use vram_alloc::Platform;
    use vram_observe::Witness;

    use super::Kind;

    pub(super) fn start(_: Kind) -> anyhow::Result<(Platform, Arc<dyn Witness>)> {
        anyhow::bail!("there is no simulated device for this system: it needs 64-bit Linux")
    }
}
