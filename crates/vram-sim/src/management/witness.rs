//! A witness of a simulated machine.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use vram_observe::{
    Answer, Card, CardAttestation, ConfidentialSettings, Witness, card_attestation,
    confidential_settings, management_facts,
};
use vram_policy::{HostFacts, ManagementFacts};

use super::SimulatedManagement;

/// Tells of a host that is made up, and of the cards of a simulated management library.
#[derive(Debug)]
pub struct SimulatedWitness {
    host: Mutex<HostFacts>,
    looks: AtomicU64,
    management: SimulatedManagement,
}

impl SimulatedWitness {
    /// A witness of this host and of what this library says.
    #[must_use]
    pub fn new(host: HostFacts, management: SimulatedManagement) -> Self {
        Self {
            host: Mutex::new(host),
            looks: AtomicU64::new(0),
            management,
        }
    }

    /// Changes the host, from the next look on.
    pub fn change_host(&self, change: impl FnOnce(&mut HostFacts)) {
        change(&mut self.host.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// How often somebody asked about the host.
    #[must_use]
    pub fn looks_at_host(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// The library, to change what it says or to let it fail.
    #[must_use]
    pub fn library(&self) -> &SimulatedManagement {
        &self.management
    }
}

impl Witness for SimulatedWitness {
    fn host(&self) -> HostFacts {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.host
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn management(&self, card: &Card<'_>) -> ManagementFacts {
        management_facts(&self.management, card, &self.management)
    }

    fn confidential_settings(&self, card: &Card<'_>) -> Answer<ConfidentialSettings> {
        confidential_settings(&self.management, card)
    }

    fn attestation(&self, card: &Card<'_>, nonce: &[u8; 32]) -> Answer<CardAttestation> {
        card_attestation(&self.management, card, nonce)
    }
}
