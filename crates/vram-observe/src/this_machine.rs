//! The machine that this process runs on.

use vram_policy::{HostFacts, ManagementFacts};

use crate::gather::{Processes, card_attestation, confidential_settings, management_facts};
use crate::host::{Environment, Files, ThisProcess, host_facts};
use crate::{Answer, Card, CardAttestation, ConfidentialSettings, ManagementLibrary, Witness};

/// The machine that this process runs on: its operating system, and NVIDIA's management library, loaded
/// when it is first asked.
///
/// Everything is looked at anew in each call. The environment is this process's as it is now, which is what
/// the driver saw only if nobody changed it since the driver started.
#[derive(Debug)]
pub struct ThisMachine {
    library: ManagementLibrary,
    files: Files,
}

impl Default for ThisMachine {
    fn default() -> Self {
        Self::new()
    }
}

impl ThisMachine {
    /// The machine as it is.
    #[must_use]
    pub fn new() -> Self {
        Self::with(ManagementLibrary::new())
    }

    /// The machine with another management library than the one that the dynamic linker finds.
    #[must_use]
    pub fn with(library: ManagementLibrary) -> Self {
        Self {
            library,
            files: Files::at("/"),
        }
    }
}

impl Witness for ThisMachine {
    fn host(&self) -> HostFacts {
        host_facts(&self.files, &Environment::of_this_process(), &ThisProcess)
    }

    fn management(&self, card: &Card<'_>) -> ManagementFacts {
        management_facts(&self.library, card, &self.files)
    }

    fn confidential_settings(&self, card: &Card<'_>) -> Answer<ConfidentialSettings> {
        confidential_settings(&self.library, card)
    }

    fn attestation(&self, card: &Card<'_>, nonce: &[u8; 32]) -> Answer<CardAttestation> {
        card_attestation(&self.library, card, nonce)
    }
}

impl Processes for Files {
    fn own(&self) -> u32 {
        std::process::id()
    }

    fn name(&self, pid: u32) -> Option<String> {
        self.process_name(pid)
    }
}
