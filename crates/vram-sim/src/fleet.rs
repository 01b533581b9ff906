//! Machines of thirteen kinds, as they are met: what the CUDA driver, the management library and the
//! operating system say of each agrees with the others and with the hardware that it stands for.
//!
//! Figures are those that NVIDIA publishes for the cards, and what the tools print on them. What couldn't be
//! looked up is not known to the machine either. Nothing here was observed on the hardware: it is simulated.
//!
//! ```
//! use vram_observe::Witness as _;
//! use vram_sim::fleet::Kind;
//!
//! let desktop = Kind::Consumer.build()?;
//! assert_eq!(desktop.management(0)?.ecc.current, Some(false));
//! assert_eq!(desktop.witness.host().dxg_device, Some(false));
//! # Ok::<(), vram_sim::SimError>(())
//! ```

mod attributes;
mod cards;
mod host;

use core::fmt;
use std::sync::Arc;

use vram_observe::{Card, ManagementFunction as Function, Witness as _};
use vram_policy::{ManagementFacts, ProcessKind};

use self::cards::Silicon;
use crate::{
    DeviceModel, Machine, ManagedCardModel, ManagementFault, SimError, SimulatedManagement,
    SimulatedProcess, SimulatedWitness,
};

const GIB: u64 = 1 << 30;

/// A kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A server with an H100 of its own, ECC on, closed as it should be.
    Datacenter,
    /// A desktop with an RTX 4090, whose ECC is off, and a display on it.
    Consumer,
    /// A Jetson AGX Orin under `JetPack` 5: the GPU has no memory of its own, and there is no management
    /// library.
    Integrated,
    /// A GH200: GPU and processor share one coherent address space.
    Coherent,
    /// An RTX 3080 seen through Windows' subsystem for Linux.
    Wsl,
    /// A seventh of an H100.
    MigSlice,
    /// A virtual machine that was given a share of a T4.
    VgpuGuest,
    /// A client of the Multi-Process Service on an A100.
    MpsClient,
    /// An H100 in a confidential virtual machine.
    ConfidentialCompute,
    /// An A100 whose memory fails: uncorrectable errors, and a remapping that waits for a reset.
    Failing,
    /// An L40S with three other processes on it.
    Shared,
    /// A V100 under a driver older than any supported one.
    OldDriver,
    /// A workstation with an RTX 6000 Ada and a Quadro T1000.
    TwoUnlike,
}

/// A machine of the fleet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Member {
    /// What kind it is.
    pub kind: Kind,
    /// The computer with its driver.
    pub machine: Machine,
    /// What can be observed beside the driver.
    pub witness: Arc<SimulatedWitness>,
    /// Each device's identity, in the driver's order.
    identities: Vec<Identity>,
}

#[derive(Debug)]
struct Identity {
    uuid: [u8; 16],
    pci_bus_id: String,
}

impl Kind {
    /// Every kind, in the order of this enumeration.
    pub const ALL: &'static [Self] = &[
        Self::Datacenter,
        Self::Consumer,
        Self::Integrated,
        Self::Coherent,
        Self::Wsl,
        Self::MigSlice,
        Self::VgpuGuest,
        Self::MpsClient,
        Self::ConfidentialCompute,
        Self::Failing,
        Self::Shared,
        Self::OldDriver,
        Self::TwoUnlike,
    ];

    /// A short name, fit for a file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Datacenter => "datacenter",
            Self::Consumer => "consumer",
            Self::Integrated => "integrated",
            Self::Coherent => "coherent",
            Self::Wsl => "wsl",
            Self::MigSlice => "mig-slice",
            Self::VgpuGuest => "vgpu-guest",
            Self::MpsClient => "mps-client",
            Self::ConfidentialCompute => "confidential-compute",
            Self::Failing => "failing",
            Self::Shared => "shared",
            Self::OldDriver => "old-driver",
            Self::TwoUnlike => "two-unlike",
        }
    }

    /// Makes a machine of this kind. It shares nothing with another of the kind.
    ///
    /// # Errors
    ///
    /// As [`MachineBuilder::build`](crate::MachineBuilder::build).
    pub fn build(self) -> Result<Member, SimError> {
        let silicon = self.silicon();
        let mut builder = Machine::builder().driver_version(self.driver().cuda);
        let mut models = Vec::new();
        let mut identities = Vec::new();
        for (index, silicon) in silicon.iter().enumerate() {
            let identity = self.identity(index);
            let device = DeviceModel {
                uuid: Some(identity.uuid),
                ..silicon.device()
            };
            models.push(self.managed(*silicon, &identity));
            builder = builder.device(device);
            identities.push(identity);
        }
        let machine = builder.build()?;
        for (index, model) in models.iter().enumerate() {
            machine.set_other_use(index, held(model))?;
        }
        let library = if self == Self::Integrated {
            SimulatedManagement::absent()
        } else {
            SimulatedManagement::new(self.driver().version, models)
        };
        for &function in self.missing_functions() {
            library.fail_always(function, ManagementFault::FunctionMissing);
        }
        Ok(Member {
            kind: self,
            machine,
            witness: Arc::new(SimulatedWitness::new(host::of(self), library)),
            identities,
        })
    }

    const fn silicon(self) -> &'static [Silicon] {
        match self {
            Self::Datacenter => &[Silicon::H100],
            Self::Consumer => &[Silicon::Rtx4090],
            Self::Integrated => &[Silicon::Orin],
            Self::Coherent => &[Silicon::Gh200],
            Self::Wsl => &[Silicon::Rtx3080Wsl],
            Self::MigSlice => &[Silicon::H100Slice],
            Self::VgpuGuest => &[Silicon::T4Share],
            Self::MpsClient => &[Silicon::A100HalfOfMps],
            Self::ConfidentialCompute => &[Silicon::H100Confidential],
            Self::Failing => &[Silicon::A100],
            Self::Shared => &[Silicon::L40s],
            Self::OldDriver => &[Silicon::V100],
            Self::TwoUnlike => &[Silicon::Rtx6000Ada, Silicon::T1000],
        }
    }

    const fn driver(self) -> DriverRelease {
        match self {
            Self::OldDriver => DriverRelease::new("470.256.02", 11_040),
            Self::VgpuGuest => DriverRelease::new("550.90.07", 12_040),
            Self::Wsl => DriverRelease::new("566.36", 12_070),
            Self::MpsClient | Self::Failing => DriverRelease::new("570.133.20", 12_080),
            // JetPack 5 with the compatibility package of CUDA 12.2: the last that has no management library.
            Self::Integrated => DriverRelease::new("35.4.1", 12_020),
            _ => DriverRelease::new("580.159.04", 13_000),
        }
    }

    /// Functions that the library of an old driver doesn't export.
    const fn missing_functions(self) -> &'static [Function] {
        match self {
            Self::OldDriver => &[
                Function::nvmlSystemGetConfComputeSettings,
                Function::nvmlSystemGetConfComputeGpusReadyState,
                Function::nvmlDeviceGetComputeRunningProcesses_v3,
                Function::nvmlDeviceGetGraphicsRunningProcesses_v3,
                Function::nvmlDeviceGetMPSComputeRunningProcesses_v3,
                Function::nvmlDeviceGetC2cModeInfoV,
            ],
            _ => &[],
        }
    }

    /// A UUID of its own, and the address that the simulated driver gives the device.
    fn identity(self, index: usize) -> Identity {
        let bus = u8::try_from(index).unwrap_or(u8::MAX).saturating_add(1);
        let position = Self::ALL.iter().position(|&kind| kind == self);
        let kind = position.and_then(|kind| u8::try_from(kind).ok());
        let mut uuid = *b"vram-sim-fleet\0\0";
        let [.., of_kind, of_device] = &mut uuid;
        *of_kind = kind.unwrap_or(u8::MAX);
        *of_device = bus;
        Identity {
            uuid,
            pci_bus_id: format!("0000:{bus:02X}:00.0"),
        }
    }

    fn managed(self, silicon: Silicon, identity: &Identity) -> ManagedCardModel {
        let mut card = silicon.managed(identity.uuid, &identity.pci_bus_id);
        let mut running = |pid, name, bytes, kind| {
            let processes = card.processes.get_or_insert_default();
            processes.push(SimulatedProcess::new(pid, name, bytes, kind));
        };
        match self {
            Self::Consumer => {
                running(2211, "Xorg", 312 << 20, ProcessKind::Graphics);
                running(2405, "gnome-shell", 118 << 20, ProcessKind::Graphics);
            }
            Self::MpsClient => {
                running(3170, "nvidia-cuda-mps", 30 << 20, ProcessKind::Compute);
                running(3204, "python3", 6 * GIB, ProcessKind::Mps);
            }
            Self::Shared => {
                running(40_112, "vllm", 21 * GIB, ProcessKind::Compute);
                running(40_977, "python3", 4 * GIB, ProcessKind::Compute);
                running(41_530, "ffmpeg", 512 << 20, ProcessKind::Compute);
            }
            Self::TwoUnlike if silicon == Silicon::T1000 => {
                running(1822, "Xorg", 96 << 20, ProcessKind::Graphics);
            }
            _ => {}
        }
        if self == Self::Failing {
            cards::fail(&mut card);
        }
        card
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Member {
    /// A device as the CUDA driver names it.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchDevice`].
    pub fn card(&self, device: usize) -> Result<Card<'_>, SimError> {
        let count = self.identities.len();
        let identity = self
            .identities
            .get(device)
            .ok_or(SimError::NoSuchDevice { device, count })?;
        Ok(Card {
            uuid: identity.uuid,
            pci_bus_id: Some(&identity.pci_bus_id),
        })
    }

    /// What the management library says of a device.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchDevice`].
    pub fn management(&self, device: usize) -> Result<ManagementFacts, SimError> {
        Ok(self.witness.management(&self.card(device)?))
    }
}

/// A driver's version, and the CUDA version that it is for.
struct DriverRelease {
    version: &'static str,
    cuda: u32,
}

impl DriverRelease {
    const fn new(version: &'static str, cuda: u32) -> Self {
        Self { version, cuda }
    }
}

/// What the processes on a card hold, which nobody else can have.
fn held(card: &ManagedCardModel) -> u64 {
    let processes = card.processes.iter().flatten();
    processes.filter_map(|process| process.bytes).sum()
}

#[cfg(test)]
mod tests;
