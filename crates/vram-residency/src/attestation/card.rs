//! The card's own attestation, where confidential computing is on.

use vram_observe::{Card, ConfidentialSettings, Error as Unanswered, ManagementFunction};
use vram_seal::evidence::{ConfidentialCompute, fitting_text};

use crate::manager::Manager;
use crate::{Error, Result};

/// What is asked whether it is on.
const ASKED: ManagementFunction = ManagementFunction::nvmlSystemGetConfComputeSettings;

impl Manager {
    /// What the card attests over this nonce, or why there is nothing to ask it for. A card that is confidential and
    /// doesn't attest is an error, and a question that failed is said to have failed: evidence that says "none" must not
    /// come of a failure.
    pub(super) fn card_attestation(&self, nonce: [u8; 32]) -> Result<ConfidentialCompute> {
        let properties = self.device();
        let card = Card {
            uuid: properties.uuid,
            pci_bus_id: properties.pci_bus_id.as_deref(),
        };
        let watch = &self.settings().watch;
        let developer_tools = match state(watch.confidential_settings(&card)) {
            State::On { developer_tools } => developer_tools,
            State::Without(without) => return Ok(without),
        };
        let attestation = watch.attestation(&card, &nonce);
        let attestation = attestation.map_err(|source| Error::CardAttestation { source })?;
        Ok(ConfidentialCompute::Report {
            developer_tools,
            nonce,
            report: attestation.report.into(),
            certificate_chain: attestation.certificates.into(),
        })
    }
}

/// Whether there is a report to ask for.
#[derive(Debug, PartialEq, Eq)]
enum State {
    On { developer_tools: bool },
    Without(ConfidentialCompute),
}

fn state(answer: Result<ConfidentialSettings, Unanswered>) -> State {
    let none = |reason: &str| {
        State::Without(ConfidentialCompute::None {
            reason: fitting_text(reason),
        })
    };
    match answer {
        Ok(settings) if settings.enabled => State::On {
            developer_tools: settings.developer_tools,
        },
        Ok(_) => none("the management library says that confidential computing is off"),
        // Of this function alone: another one that is not supported says nothing about confidential computing. A library
        // that doesn't have the function yet says nothing either: cards were confidential before it could be asked.
        Err(missing @ Unanswered::NotSupported { function: ASKED }) => none(&format!(
            "there is no confidential computing to ask about: {missing}"
        )),
        Err(failed) => State::Without(ConfidentialCompute::Failed {
            reason: fitting_text(&failed.to_string()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_there_is_none_and_every_other_failure_is_one() {
        let function = ASKED;
        let other = ManagementFunction::nvmlDeviceGetHandleByUUID;
        let failed = [
            Unanswered::FunctionMissing { function },
            Unanswered::NotSupported { function: other },
            Unanswered::FunctionMissing { function: other },
            Unanswered::LibraryAbsent {
                reason: "no such file".to_owned(),
            },
            Unanswered::DriverNotLoaded { function },
            Unanswered::VersionMismatch { function },
            Unanswered::NoPermission { function },
            Unanswered::NotFound { function },
            Unanswered::CardLost { function },
            Unanswered::Refused {
                function,
                reason: "an internal error".to_owned(),
            },
        ];

        let none = state(Err(Unanswered::NotSupported { function }));
        assert!(
            matches!(none, State::Without(ConfidentialCompute::None { .. })),
            "{none:?}"
        );
        for error in failed {
            let state = state(Err(error));
            assert!(
                matches!(state, State::Without(ConfidentialCompute::Failed { .. })),
                "{state:?}"
            );
        }
    }

    #[test]
    fn developer_tools_alone_do_not_make_a_card_confidential() {
        let settings = |enabled, developer_tools| {
            state(Ok(ConfidentialSettings {
                enabled,
                developer_tools,
            }))
        };

        for developer_tools in [false, true] {
            assert_eq!(
                settings(true, developer_tools),
                State::On { developer_tools }
            );
            let off = settings(false, developer_tools);
            assert!(
                matches!(off, State::Without(ConfidentialCompute::None { .. })),
                "{off:?}"
            );
        }
    }
}
