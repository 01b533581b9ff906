//! What a card is in the eyes of the management library.

use vram_observe::{ConfidentialSettings, EccMode};
use vram_policy::{ComputeMode, DriverModel, ProcessKind, RowRemapping, Virtualization};

/// A card as the simulated management library knows it. A field of `None` is what the card or the driver
/// doesn't have: the library answers "not supported".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedCardModel {
    /// The card's UUID, the same that the CUDA driver reports.
    pub uuid: [u8; 16],
    /// Its address on the bus, as `0000:01:00.0`.
    pub pci_bus_id: String,
    /// Whether the card fell off the bus: whatever is asked of it fails.
    pub lost: bool,
    /// ECC mode.
    pub ecc_mode: Option<EccMode>,
    /// ECC error counters; cards with ECC off have none.
    pub ecc_errors: Option<EccErrors>,
    /// Rows that spare ones replaced.
    pub remapped_rows: Option<RowRemapping>,
    /// Whether pages wait to be retired, on cards before row remapping.
    pub pages_pending_retirement: Option<bool>,
    /// Whether the card is divided into MIG slices.
    pub mig_mode: Option<bool>,
    /// Its slices.
    pub slices: Vec<MigSliceModel>,
    /// How the card reaches the system.
    pub virtualization: Option<Virtualization>,
    /// Confidential computing on the system.
    pub confidential: Option<ConfidentialSettings>,
    /// Whether the system's GPUs accept work under confidential computing.
    pub confidential_ready: Option<bool>,
    /// Persistence mode.
    pub persistence_mode: Option<bool>,
    /// Compute mode.
    pub compute_mode: Option<ComputeMode>,
    /// The driver model on Windows.
    pub driver_model: Option<DriverModel>,
    /// The processes on the card, beside those on its slices.
    pub processes: Option<Vec<SimulatedProcess>>,
    /// PCI Express generation.
    pub link_generation: Option<u32>,
    /// PCI Express lanes.
    pub link_width: Option<u32>,
    /// Whether a chip-to-chip link is there and on.
    pub chip_to_chip: Option<bool>,
}

/// Counters of ECC errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EccErrors {
    /// Corrected since the driver was loaded.
    pub corrected: u64,
    /// Not corrected since the driver was loaded.
    pub uncorrected: u64,
    /// Not corrected in the card's life.
    pub uncorrected_lifetime: u64,
}

/// A MIG slice of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigSliceModel {
    /// The slice's own UUID.
    pub uuid: [u8; 16],
    /// The processes on it.
    pub processes: Vec<SimulatedProcess>,
}

/// A process that uses a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedProcess {
    /// Its process id. Ours, [`std::process::id`], is seen as our own process.
    pub pid: u32,
    /// Its name, where it can be told.
    pub name: Option<String>,
    /// Device memory that it holds, in bytes, where the driver tells.
    pub bytes: Option<u64>,
    /// What it uses the card for.
    pub kind: ProcessKind,
}

impl SimulatedProcess {
    /// A process that is named and whose memory is known.
    #[must_use]
    pub fn new(pid: u32, name: &str, bytes: u64, kind: ProcessKind) -> Self {
        Self {
            pid,
            name: Some(name.to_owned()),
            bytes: Some(bytes),
            kind,
        }
    }
}

impl ManagedCardModel {
    /// An H100 of a data centre as it should be: ECC on, no error, nobody on it.
    #[must_use]
    pub fn h100(uuid: [u8; 16], pci_bus_id: &str) -> Self {
        Self {
            uuid,
            pci_bus_id: pci_bus_id.to_owned(),
            lost: false,
            ecc_mode: Some(EccMode {
                current: true,
                pending: true,
            }),
            ecc_errors: Some(EccErrors::default()),
            remapped_rows: Some(RowRemapping {
                after_corrected: 0,
                after_uncorrected: 0,
                pending: false,
                failed: false,
            }),
            // It remaps rows and retires no pages.
            pages_pending_retirement: None,
            mig_mode: Some(false),
            slices: Vec::new(),
            virtualization: Some(Virtualization::None),
            confidential: Some(ConfidentialSettings {
                enabled: false,
                developer_tools: false,
            }),
            confidential_ready: None,
            persistence_mode: Some(true),
            compute_mode: Some(ComputeMode::Default),
            driver_model: None,
            processes: Some(Vec::new()),
            link_generation: Some(5),
            link_width: Some(16),
            chip_to_chip: Some(false),
        }
    }

    /// The processes on the card and on its slices.
    pub(super) fn all_processes(&self) -> impl Iterator<Item = &SimulatedProcess> {
        let on_slices = self.slices.iter().flat_map(|slice| &slice.processes);
        self.processes.iter().flatten().chain(on_slices)
    }
}
