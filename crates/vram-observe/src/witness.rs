//! Who is asked about the machine.

use core::fmt;

use vram_policy::{HostFacts, ManagementFacts};

use crate::{Answer, CardAttestation, ConfidentialSettings, ManagementFunction};

/// Says what the machine is like at this moment.
///
/// Every call looks anew: a fact that changed since the last call is seen changed. What can't be
/// observed is `None`; a witness never fills in what is usual.
pub trait Witness: fmt::Debug + Send + Sync {
    /// The operating system around the process, and the process itself.
    fn host(&self) -> HostFacts;

    /// What is known of a card beside what the CUDA driver says.
    fn management(&self, card: &Card<'_>) -> ManagementFacts;

    /// What the management library says of confidential computing, or why it says nothing. Unlike in
    /// [`management`](Self::management), a card or driver that doesn't have it is told from a question that failed.
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error): the management library's. Unless it is written anew, this takes what
    /// [`management`](Self::management) says, and where that is nothing, it is a failure: why isn't known.
    fn confidential_settings(&self, card: &Card<'_>) -> Answer<ConfidentialSettings> {
        let facts = self.management(card);
        let state = facts
            .confidential_compute
            .filter(|_| facts.unavailable.is_none());
        match state {
            Some(state) => Ok(ConfidentialSettings {
                enabled: state.enabled,
                developer_tools: state.developer_tools,
            }),
            None => Err(crate::Error::Refused {
                function: ManagementFunction::nvmlSystemGetConfComputeSettings,
                reason: facts
                    .unavailable
                    .unwrap_or_else(|| "no answer, and it isn't known why".to_owned()),
            }),
        }
    }

    /// What a card says of itself under its own signature, over this nonce, where confidential computing is on.
    ///
    /// # Errors
    ///
    /// [`Error`](crate::Error): the management library's. A witness that can't ask says
    /// [`NotSupported`](crate::Error::NotSupported), as this does unless it is written anew.
    fn attestation(&self, card: &Card<'_>, nonce: &[u8; 32]) -> Answer<CardAttestation> {
        // Nobody is asked.
        let _ = (card, nonce);
        Err(crate::Error::NotSupported {
            function: ManagementFunction::nvmlDeviceGetConfComputeGpuAttestationReport,
        })
    }
}

impl<W: Witness + ?Sized> Witness for std::sync::Arc<W> {
    fn host(&self) -> HostFacts {
        (**self).host()
    }

    fn management(&self, card: &Card<'_>) -> ManagementFacts {
        (**self).management(card)
    }

    fn confidential_settings(&self, card: &Card<'_>) -> Answer<ConfidentialSettings> {
        (**self).confidential_settings(card)
    }

    fn attestation(&self, card: &Card<'_>, nonce: &[u8; 32]) -> Answer<CardAttestation> {
        (**self).attestation(card, nonce)
    }
}

/// A card as the CUDA driver names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Card<'a> {
    /// What `cuDeviceGetUuid_v2` says: the card's identity, or that of the MIG slice.
    pub uuid: [u8; 16],
    /// What `cuDeviceGetPCIBusId` says, as `0000:17:00.0`.
    pub pci_bus_id: Option<&'a str>,
}

impl Card<'_> {
    /// The UUID of a whole card as the management library writes it: `GPU-` and groups of hexadecimal
    /// digits.
    #[must_use]
    pub fn gpu_uuid(&self) -> String {
        format!("GPU-{}", Groups(&self.uuid))
    }

    /// The same for a MIG slice: `MIG-` and the groups.
    #[must_use]
    pub fn mig_uuid(&self) -> String {
        format!("MIG-{}", Groups(&self.uuid))
    }
}

/// A UUID's groups of 8, 4, 4, 4 and 12 digits.
struct Groups<'a>(&'a [u8; 16]);

impl fmt::Display for Groups<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_named_as_nvidias_tools_name_it() {
        let card = Card {
            uuid: *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x00\x11\x22\x33\x44\x55\x66\x77",
            pci_bus_id: None,
        };

        assert_eq!(card.gpu_uuid(), "GPU-01234567-89ab-cdef-0011-223344556677");
        assert_eq!(card.mig_uuid(), "MIG-01234567-89ab-cdef-0011-223344556677");
    }
}
