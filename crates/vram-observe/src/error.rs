//! Why something could not be observed or done.

use crate::ManagementFunction;

/// Why the management library gave no answer, or why the process could not be hardened.
///
/// None of these is fatal to an observation: the fact that was asked for is then unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The library isn't on this machine.
    #[error(
        "NVIDIA's management library could not be loaded ({reason}): install the NVIDIA driver's \
         libnvidia-ml.so.1, or mount it into the container"
    )]
    LibraryAbsent {
        /// What the dynamic linker said.
        reason: String,
    },
    /// The kernel driver isn't loaded.
    #[error(
        "{function}: the NVIDIA kernel driver is not loaded: load it, or start the machine's driver container"
    )]
    DriverNotLoaded {
        /// The function asked.
        function: ManagementFunction,
    },
    /// Library and kernel driver are of different versions.
    #[error(
        "{function}: the management library and the kernel driver are of different versions: restart the machine or reload the driver"
    )]
    VersionMismatch {
        /// The function asked.
        function: ManagementFunction,
    },
    /// The card or the driver doesn't have what was asked for.
    #[error("{function}: not supported by this card or driver")]
    NotSupported {
        /// The function asked.
        function: ManagementFunction,
    },
    /// This user may not ask.
    #[error("{function}: this user has no permission")]
    NoPermission {
        /// The function asked.
        function: ManagementFunction,
    },
    /// There is no such card.
    #[error("{function}: the library knows no such card")]
    NotFound {
        /// The function asked.
        function: ManagementFunction,
    },
    /// The card fell off the bus.
    #[error("{function}: the card is lost: restart the machine")]
    CardLost {
        /// The function asked.
        function: ManagementFunction,
    },
    /// The library is older than the function.
    #[error("{function}: this management library has no such function: update the driver")]
    FunctionMissing {
        /// The function asked.
        function: ManagementFunction,
    },
    /// Any other refusal, or an answer that makes no sense.
    #[error("{function}: {reason}")]
    Refused {
        /// The function asked.
        function: ManagementFunction,
        /// What the library said.
        reason: String,
    },
    /// The operating system refused to close the process.
    #[error("{step}: {reason}")]
    Hardening {
        /// What was tried.
        step: &'static str,
        /// What the system said.
        reason: String,
    },
}

/// What the management library answers.
pub type Answer<T> = Result<T, Error>;
