//! What NVIDIA's management library (NVML) knows of a card and the CUDA driver does not say.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What NVML said about one card. [`ManagementFacts::default`] is what is known without the library:
/// nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ManagementFacts {
    /// Why there is nothing here, where the library is absent or doesn't know the device.
    pub unavailable: Option<String>,
    /// `nvmlSystemGetDriverVersion`, for example `580.159.04`.
    pub driver_version: Option<String>,
    /// ECC: its mode and its counters.
    pub ecc: EccFacts,
    /// `nvmlDeviceGetRemappedRows`: rows of memory that were replaced, or are to be. `None` also on cards
    /// that remap no rows.
    pub row_remapping: Option<RowRemapping>,
    /// `nvmlDeviceGetRetiredPagesPendingStatus`: pages of an older card that wait for a reset to be retired.
    pub pages_pending_retirement: Option<bool>,
    /// `nvmlDeviceGetMigMode`, the current mode.
    pub mig_mode: Option<bool>,
    /// Whether the device is itself a MIG slice (`nvmlDeviceIsMigDeviceHandle`, or a UUID that begins with
    /// `MIG-`).
    pub mig_slice: Option<bool>,
    /// `nvmlDeviceGetVirtualizationMode`.
    pub virtualization: Option<Virtualization>,
    /// `nvmlSystemGetConfComputeSettings` and `nvmlSystemGetConfComputeGpusReadyState`.
    pub confidential_compute: Option<ConfidentialCompute>,
    /// `nvmlDeviceGetPersistenceMode`.
    pub persistence_mode: Option<bool>,
    /// `nvmlDeviceGetComputeMode`.
    pub compute_mode: Option<ComputeMode>,
    /// `nvmlDeviceGetDriverModel`: on Windows; `None` elsewhere.
    pub driver_model: Option<DriverModel>,
    /// Every process that has the card open, ours included (`nvmlDeviceGetComputeRunningProcesses`,
    /// `nvmlDeviceGetGraphicsRunningProcesses`, `nvmlDeviceGetMPSComputeRunningProcesses`), in order of their
    /// process ids.
    pub processes: Option<Vec<ProcessFacts>>,
    /// The link to the host.
    pub link: LinkFacts,
}

/// ECC of a card's memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EccFacts {
    /// Whether it is on now (`nvmlDeviceGetEccMode`).
    pub current: Option<bool>,
    /// Whether it is on after the next reset.
    pub pending: Option<bool>,
    /// Errors since the driver was loaded that ECC corrected (`nvmlDeviceGetTotalEccErrors`, volatile).
    pub corrected: Option<u64>,
    /// Errors since the driver was loaded that it could not correct.
    pub uncorrected: Option<u64>,
    /// Errors in the card's life that it could not correct (aggregate).
    pub uncorrected_lifetime: Option<u64>,
}

/// Rows of a card's memory that spare ones have replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowRemapping {
    /// Rows remapped after errors that ECC corrected.
    pub after_corrected: u32,
    /// Rows remapped after errors that it could not correct.
    pub after_uncorrected: u32,
    /// A remapping waits for a reset.
    pub pending: bool,
    /// A remapping failed: there was no spare row left.
    pub failed: bool,
}

/// How a card reaches the system it serves (`nvmlGpuVirtualizationMode_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Virtualization {
    /// A whole card in the machine itself.
    None,
    /// A whole card, handed to a virtual machine.
    Passthrough,
    /// A share of a card, given to this virtual machine.
    VgpuGuest,
    /// A card that gives shares to virtual machines.
    VgpuHost,
    /// A mode that had no name when this was written.
    Other(u32),
}

/// What NVML says of confidential computing on this system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfidentialCompute {
    /// Whether it is on: the card's memory is closed to the host and what crosses the bus is encrypted.
    pub enabled: bool,
    /// Whether a debugging mode weakens it (`devToolsMode`).
    pub developer_tools: bool,
    /// Whether the GPUs were declared fit for work (`nvmlSystemGetConfComputeGpusReadyState`).
    pub ready: Option<bool>,
}

/// Who may use the card (`nvmlComputeMode_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ComputeMode {
    /// Any number of processes.
    Default,
    /// One process.
    ExclusiveProcess,
    /// Nobody.
    Prohibited,
    /// A mode that had no name when this was written.
    Other(u32),
}

/// The driver model on Windows (`nvmlDriverModel_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DriverModel {
    /// The system manages the memory, and may page it out to the host's.
    Wddm,
    /// The driver manages the memory.
    Tcc,
    /// The system's model for compute devices.
    Mcdm,
    /// A model that had no name when this was written.
    Other(u32),
}

/// A process that uses the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessFacts {
    /// Its process id, as the driver counts them: in a container it can be a number that means nothing here.
    pub pid: u32,
    /// Its name, where it can be told.
    pub name: Option<String>,
    /// Device memory that it holds, in bytes, where the driver tells.
    pub bytes: Option<u64>,
    /// What it uses the card for.
    pub kind: ProcessKind,
    /// Whether it is this process.
    pub ours: bool,
}

/// What a process uses a card for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProcessKind {
    /// Compute, in a context of its own.
    Compute,
    /// Graphics.
    Graphics,
    /// Compute, through the Multi-Process Service.
    Mps,
}

/// The link between card and host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkFacts {
    /// PCI Express generation that card and slot can agree on (`nvmlDeviceGetMaxPcieLinkGeneration`).
    pub generation: Option<u32>,
    /// Lanes (`nvmlDeviceGetMaxPcieLinkWidth`).
    pub width: Option<u32>,
    /// A coherent chip-to-chip link, as NVLink-C2C, is there and on (`nvmlDeviceGetC2cModeInfoV`).
    pub chip_to_chip: Option<bool>,
}

impl fmt::Display for Virtualization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Passthrough => f.write_str("pass-through"),
            Self::VgpuGuest => f.write_str("vGPU guest"),
            Self::VgpuHost => f.write_str("vGPU host"),
            Self::Other(number) => write!(f, "unknown mode {number}"),
        }
    }
}

impl fmt::Display for ComputeMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::ExclusiveProcess => f.write_str("exclusive process"),
            Self::Prohibited => f.write_str("prohibited"),
            Self::Other(number) => write!(f, "unknown mode {number}"),
        }
    }
}

impl fmt::Display for DriverModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wddm => f.write_str("WDDM"),
            Self::Tcc => f.write_str("TCC"),
            Self::Mcdm => f.write_str("MCDM"),
            Self::Other(number) => write!(f, "unknown model {number}"),
        }
    }
}

impl fmt::Display for ProcessKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compute => "compute",
            Self::Graphics => "graphics",
            Self::Mps => "MPS",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_told_apart_by_what_they_do() {
        let kinds = [
            ProcessKind::Compute,
            ProcessKind::Graphics,
            ProcessKind::Mps,
        ];

        assert_eq!(
            kinds.map(|kind| kind.to_string()),
            ["compute", "graphics", "MPS"]
        );
    }
}
