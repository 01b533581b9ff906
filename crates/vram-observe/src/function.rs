//! The management library's functions that are asked.

use core::fmt;

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A function of NVIDIA's management library: what an error names, and what a fault is injected into.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(non_camel_case_types, reason = "the names are the library's own")]
        #[non_exhaustive]
        pub enum ManagementFunction {
            $($(#[$doc])* $name,)*
        }

        impl ManagementFunction {
            /// Every function that is asked.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The exported name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

functions! {
    /// Starts the library.
    nvmlInit_v2,
    /// The driver's version.
    nvmlSystemGetDriverVersion,
    /// Finds a card or a slice by UUID.
    nvmlDeviceGetHandleByUUID,
    /// Finds a card by its address on the bus.
    nvmlDeviceGetHandleByPciBusId_v2,
    /// Whether what was found is a MIG slice.
    nvmlDeviceIsMigDeviceHandle,
    /// The card that a slice is of.
    nvmlDeviceGetDeviceHandleFromMigDeviceHandle,
    /// ECC mode.
    nvmlDeviceGetEccMode,
    /// ECC error counters.
    nvmlDeviceGetTotalEccErrors,
    /// Rows that spare ones replaced.
    nvmlDeviceGetRemappedRows,
    /// Pages that wait to be retired.
    nvmlDeviceGetRetiredPagesPendingStatus,
    /// MIG mode.
    nvmlDeviceGetMigMode,
    /// How the card reaches the system.
    nvmlDeviceGetVirtualizationMode,
    /// Confidential computing: its settings.
    nvmlSystemGetConfComputeSettings,
    /// Confidential computing: whether the GPUs accept work.
    nvmlSystemGetConfComputeGpusReadyState,
    /// Confidential computing: the report that the card signs.
    nvmlDeviceGetConfComputeGpuAttestationReport,
    /// Confidential computing: the certificates of the key that signs it.
    nvmlDeviceGetConfComputeGpuCertificate,
    /// Persistence mode.
    nvmlDeviceGetPersistenceMode,
    /// Compute mode.
    nvmlDeviceGetComputeMode,
    /// The driver model on Windows.
    nvmlDeviceGetDriverModel,
    /// Processes that compute.
    nvmlDeviceGetComputeRunningProcesses_v3,
    /// Processes that draw.
    nvmlDeviceGetGraphicsRunningProcesses_v3,
    /// Processes that compute through the Multi-Process Service.
    nvmlDeviceGetMPSComputeRunningProcesses_v3,
    /// PCI Express generation.
    nvmlDeviceGetMaxPcieLinkGeneration,
    /// PCI Express lanes.
    nvmlDeviceGetMaxPcieLinkWidth,
    /// The chip-to-chip link.
    nvmlDeviceGetC2cModeInfoV,
}

impl fmt::Display for ManagementFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
