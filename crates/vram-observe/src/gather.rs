//! From the management library's answers to facts.

use core::fmt;
use std::collections::BTreeMap;

use vram_policy::{
    ConfidentialCompute, EccFacts, LinkFacts, ManagementFacts, ProcessFacts, ProcessKind,
};

use crate::management::{
    CardAttestation, ConfidentialSettings, EccCounter, ManagedCard, Management, RunningProcess,
};
use crate::{Answer, Card, Error};

/// The processes of this machine: who we are, and what the others are called.
pub trait Processes: fmt::Debug {
    /// Our own process id.
    fn own(&self) -> u32;

    /// The name of a process, where it can be told.
    fn name(&self, pid: u32) -> Option<String>;
}

/// Asks a management library everything about a card. Each answer that can't be had is `None`.
///
/// The card is found by its UUID, as a whole card or as a MIG slice, and failing that by its address on
/// the bus. What the library says only of whole cards is asked of the card that a slice is of; processes
/// are the slice's own.
#[must_use]
pub fn management_facts(
    management: &dyn Management,
    card: &Card<'_>,
    processes: &dyn Processes,
) -> ManagementFacts {
    if let Err(error) = management.start() {
        return ManagementFacts {
            unavailable: Some(error.to_string()),
            ..ManagementFacts::default()
        };
    }
    let driver_version = known(management.driver_version());
    match find(management, card) {
        Ok(found) => ManagementFacts {
            driver_version,
            ..facts_of(&found, processes)
        },
        Err(error) => ManagementFacts {
            unavailable: Some(error.to_string()),
            driver_version,
            ..ManagementFacts::default()
        },
    }
}

/// Asks a management library whether confidential computing is on, of the system that a card is in.
///
/// # Errors
///
/// [`Error`]: the library's, for the first function that refuses. [`Error::NotSupported`] of
/// `nvmlSystemGetConfComputeSettings` itself says that there is no confidential computing to ask about; every other
/// error that it isn't known.
pub fn confidential_settings(
    management: &dyn Management,
    card: &Card<'_>,
) -> Answer<ConfidentialSettings> {
    management.start()?;
    find(management, card)?.handle.confidential_settings()
}

/// Asks a management library for what a card says of itself under its own signature, over this nonce. It is the
/// whole card that does, also where the device is a slice of it.
///
/// # Errors
///
/// [`Error`]: the library's, for the first function that refuses.
pub fn card_attestation(
    management: &dyn Management,
    card: &Card<'_>,
    nonce: &[u8; 32],
) -> Answer<CardAttestation> {
    management.start()?;
    let found = find(management, card)?.handle;
    if found.is_mig_slice()? {
        return found.mig_parent()?.attestation(nonce);
    }
    found.attestation(nonce)
}

/// What a card was found by, and so whether it can be a slice.
struct Found<'a> {
    handle: Box<dyn ManagedCard + 'a>,
    by_uuid: bool,
}

fn find<'a>(management: &'a dyn Management, card: &Card<'_>) -> Answer<Found<'a>> {
    let mut refusal = None;
    for uuid in [card.gpu_uuid(), card.mig_uuid()] {
        match management.card_by_uuid(&uuid) {
            Ok(handle) => {
                return Ok(Found {
                    handle,
                    by_uuid: true,
                });
            }
            Err(error) => keep_telling(&mut refusal, error),
        }
    }
    if let Some(id) = card.pci_bus_id {
        match management.card_by_pci_bus_id(id) {
            Ok(handle) => {
                return Ok(Found {
                    handle,
                    by_uuid: false,
                });
            }
            Err(error) => keep_telling(&mut refusal, error),
        }
    }
    Err(refusal.unwrap_or(Error::NotFound {
        function: crate::ManagementFunction::nvmlDeviceGetHandleByUUID,
    }))
}

/// Of several refusals, the first that says more than "no such card".
fn keep_telling(kept: &mut Option<Error>, error: Error) {
    tracing::debug!(%error, "a card was not found");
    if matches!(kept, None | Some(Error::NotFound { .. })) {
        *kept = Some(error);
    }
}

fn facts_of(found: &Found<'_>, processes: &dyn Processes) -> ManagementFacts {
    let handle = &*found.handle;
    let is_slice = known(handle.is_mig_slice());
    let parent = match is_slice {
        Some(true) => known(handle.mig_parent()),
        _ => None,
    };
    // Asked of the slice where its card can't be had: the library then refuses what it doesn't know.
    let whole = parent.as_deref().unwrap_or(handle);
    let mig_mode = known(whole.mig_mode());
    ManagementFacts {
        unavailable: None,
        driver_version: None,
        ecc: ecc(whole),
        row_remapping: known(whole.remapped_rows()),
        pages_pending_retirement: known(whole.pages_pending_retirement()),
        mig_mode,
        mig_slice: slice(found.by_uuid, is_slice, mig_mode),
        virtualization: known(whole.virtualization()),
        confidential_compute: confidential_compute(whole),
        persistence_mode: known(whole.persistence_mode()),
        compute_mode: known(whole.compute_mode()),
        driver_model: known(whole.driver_model()),
        processes: known(running(handle, processes)),
        link: LinkFacts {
            generation: known(whole.link_generation()),
            width: known(whole.link_width()),
            chip_to_chip: known(whole.chip_to_chip()),
        },
    }
}

/// A bus address finds the whole card even where the device is a slice of it. So what was found that way
/// is no slice for certain only where the card is not divided.
fn slice(by_uuid: bool, is_slice: Option<bool>, mig_mode: Option<bool>) -> Option<bool> {
    if by_uuid || is_slice == Some(true) || mig_mode == Some(false) {
        is_slice
    } else {
        None
    }
}

fn ecc(card: &dyn ManagedCard) -> EccFacts {
    let mode = known(card.ecc_mode());
    EccFacts {
        current: mode.map(|mode| mode.current),
        pending: mode.map(|mode| mode.pending),
        corrected: known(card.ecc_errors(EccCounter::Corrected)),
        uncorrected: known(card.ecc_errors(EccCounter::Uncorrected)),
        uncorrected_lifetime: known(card.ecc_errors(EccCounter::UncorrectedLifetime)),
    }
}

fn confidential_compute(card: &dyn ManagedCard) -> Option<ConfidentialCompute> {
    let settings = known(card.confidential_settings())?;
    Some(ConfidentialCompute {
        enabled: settings.enabled,
        developer_tools: settings.developer_tools,
        ready: known(card.confidential_ready()),
    })
}

/// The three lists as one: without any of them it would be said that somebody isn't there. A process that
/// is in several is listed once, as what it does first in the order MPS, compute, graphics.
fn running(card: &dyn ManagedCard, processes: &dyn Processes) -> Answer<Vec<ProcessFacts>> {
    let lists = [
        (ProcessKind::Mps, card.mps_processes()?),
        (ProcessKind::Compute, card.compute_processes()?),
        (ProcessKind::Graphics, card.graphics_processes()?),
    ];
    let mut merged: BTreeMap<u32, ProcessFacts> = BTreeMap::new();
    for (kind, list) in lists {
        for RunningProcess { pid, bytes } in list {
            let entry = merged.entry(pid).or_insert_with(|| ProcessFacts {
                pid,
                name: processes.name(pid),
                bytes: None,
                kind,
                ours: pid == processes.own(),
            });
            entry.bytes = entry.bytes.max(bytes);
        }
    }
    Ok(merged.into_values().collect())
}

/// An answer, or `None` with a line in the log that says why.
fn known<T>(answer: Answer<T>) -> Option<T> {
    answer
        .inspect_err(|error| tracing::debug!(%error, "an observation could not be made"))
        .ok()
}
