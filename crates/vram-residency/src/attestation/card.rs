//! The card's own attestation, where confidential computing is on.

use vram_observe::Card;
use vram_policy::ManagementFacts;
use vram_seal::evidence::{ConfidentialCompute, fitting_text};

use crate::manager::Manager;
use crate::{Error, Result};

impl Manager {
    /// What the card attests over this nonce, or why there is nothing to ask it for. A card that is confidential and
    /// doesn't attest is an error: evidence that says "none" must not come of a failure.
    pub(super) fn card_attestation(
        &self,
        management: &ManagementFacts,
        nonce: [u8; 32],
    ) -> Result<ConfidentialCompute> {
        if let Some(reason) = why_none(management) {
            return Ok(ConfidentialCompute::None { reason });
        }
        let properties = self.device();
        let card = Card {
            uuid: properties.uuid,
            pci_bus_id: properties.pci_bus_id.as_deref(),
        };
        let attestation = self.settings().watch.attestation(&card, &nonce);
        let attestation = attestation.map_err(|source| Error::CardAttestation { source })?;
        Ok(ConfidentialCompute::Report {
            nonce,
            report: attestation.report.into(),
            certificate_chain: attestation.certificates.into(),
        })
    }
}

/// Why there is no report to ask for; nothing where there is one.
fn why_none(management: &ManagementFacts) -> Option<String> {
    if let Some(why) = &management.unavailable {
        let reason = format!("it isn't known whether confidential computing is on: {why}");
        return Some(fitting_text(&reason));
    }
    let reason = match management.confidential_compute {
        Some(state) if state.enabled => return None,
        Some(_) => "the management library says that confidential computing is off",
        None => "the management library doesn't say whether confidential computing is on",
    };
    Some(reason.to_owned())
}
