//! The management library, as narrow as it is needed.

use core::fmt;

use vram_policy::{ComputeMode, DriverModel, RowRemapping, Virtualization};

use crate::Answer;

/// NVIDIA's management library, or something that answers in its place.
///
/// A method is a function of the library, named in its documentation. Each call asks anew, and may
/// fail for itself.
pub trait Management: fmt::Debug + Send + Sync {
    /// Loads and starts the library, where that has not happened yet (`nvmlInit_v2`).
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error): everything else would fail too.
    fn start(&self) -> Answer<()>;

    /// The driver's version, as `580.159.04` (`nvmlSystemGetDriverVersion`).
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error), as of every function here.
    fn driver_version(&self) -> Answer<String>;

    /// A card by the UUID `GPU-…`, or a slice by `MIG-…` (`nvmlDeviceGetHandleByUUID`).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound) where there is none.
    fn card_by_uuid(&self, uuid: &str) -> Answer<Box<dyn ManagedCard + '_>>;

    /// A whole card by its address on the bus (`nvmlDeviceGetHandleByPciBusId_v2`).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound) where there is none.
    fn card_by_pci_bus_id(&self, id: &str) -> Answer<Box<dyn ManagedCard + '_>>;
}

/// A card that the management library knows, or a MIG slice of one.
#[expect(
    clippy::missing_errors_doc,
    reason = "every method's error is the library's for the function named: see `Error`"
)]
pub trait ManagedCard: fmt::Debug {
    /// `nvmlDeviceIsMigDeviceHandle`.
    fn is_mig_slice(&self) -> Answer<bool>;

    /// The card that this slice is of (`nvmlDeviceGetDeviceHandleFromMigDeviceHandle`).
    fn mig_parent(&self) -> Answer<Box<dyn ManagedCard + '_>>;

    /// `nvmlDeviceGetEccMode`.
    fn ecc_mode(&self) -> Answer<EccMode>;

    /// `nvmlDeviceGetTotalEccErrors`.
    fn ecc_errors(&self, counter: EccCounter) -> Answer<u64>;

    /// `nvmlDeviceGetRemappedRows`.
    fn remapped_rows(&self) -> Answer<RowRemapping>;

    /// `nvmlDeviceGetRetiredPagesPendingStatus`.
    fn pages_pending_retirement(&self) -> Answer<bool>;

    /// `nvmlDeviceGetMigMode`, the current mode.
    fn mig_mode(&self) -> Answer<bool>;

    /// `nvmlDeviceGetVirtualizationMode`.
    fn virtualization(&self) -> Answer<Virtualization>;

    /// `nvmlSystemGetConfComputeSettings`: of the whole system, not of the card alone.
    fn confidential_settings(&self) -> Answer<ConfidentialSettings>;

    /// `nvmlSystemGetConfComputeGpusReadyState`: of the whole system, not of the card alone.
    fn confidential_ready(&self) -> Answer<bool>;

    /// The card's own attestation over this nonce, under confidential computing
    /// (`nvmlDeviceGetConfComputeGpuAttestationReport`, `nvmlDeviceGetConfComputeGpuCertificate`).
    fn attestation(&self, nonce: &[u8; 32]) -> Answer<CardAttestation>;

    /// `nvmlDeviceGetPersistenceMode`.
    fn persistence_mode(&self) -> Answer<bool>;

    /// `nvmlDeviceGetComputeMode`.
    fn compute_mode(&self) -> Answer<ComputeMode>;

    /// `nvmlDeviceGetDriverModel`, the current one; it is supported on Windows alone.
    fn driver_model(&self) -> Answer<DriverModel>;

    /// `nvmlDeviceGetComputeRunningProcesses_v3`.
    fn compute_processes(&self) -> Answer<Vec<RunningProcess>>;

    /// `nvmlDeviceGetGraphicsRunningProcesses_v3`.
    fn graphics_processes(&self) -> Answer<Vec<RunningProcess>>;

    /// `nvmlDeviceGetMPSComputeRunningProcesses_v3`.
    fn mps_processes(&self) -> Answer<Vec<RunningProcess>>;

    /// `nvmlDeviceGetMaxPcieLinkGeneration`.
    fn link_generation(&self) -> Answer<u32>;

    /// `nvmlDeviceGetMaxPcieLinkWidth`.
    fn link_width(&self) -> Answer<u32>;

    /// Whether a chip-to-chip link is there and on (`nvmlDeviceGetC2cModeInfoV`).
    fn chip_to_chip(&self) -> Answer<bool>;
}

/// ECC mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EccMode {
    /// Whether it is on now.
    pub current: bool,
    /// Whether it is on after the next reset.
    pub pending: bool,
}

/// Which ECC errors are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EccCounter {
    /// Corrected, since the driver was loaded.
    Corrected,
    /// Not corrected, since the driver was loaded.
    Uncorrected,
    /// Not corrected, in the card's life.
    UncorrectedLifetime,
}

/// Settings of confidential computing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfidentialSettings {
    /// Whether it is on.
    pub enabled: bool,
    /// Whether a debugging mode weakens it.
    pub developer_tools: bool,
}

/// What a card says of itself under its own signature. Nothing here reads it: the tools of its maker do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardAttestation {
    /// The report over the nonce that was sent.
    pub report: Vec<u8>,
    /// The certificates of the key that signed it.
    pub certificates: Vec<u8>,
}

/// A process as the management library lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningProcess {
    /// Its process id, as the driver counts them.
    pub pid: u32,
    /// Device memory that it holds, in bytes, where the driver tells.
    pub bytes: Option<u64>,
}
