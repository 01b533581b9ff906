//! A simulated management library: what NVML would say of the simulated cards.

mod card;
mod faults;
mod model;
mod witness;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vram_observe::{
    Answer, Card, Error, ManagedCard, Management, ManagementFunction as Function, Processes,
};

use self::card::SimulatedCard;
use self::faults::ManagementFaults;
use crate::error::SimError;

pub use self::faults::ManagementFault;
pub use self::model::{EccErrors, ManagedCardModel, MigSliceModel, SimulatedProcess};
pub use self::witness::SimulatedWitness;

/// A management library in software, for the cards that it is given.
///
/// It answers each function as NVIDIA documents it: of a MIG slice nothing that belongs to a whole card,
/// nothing that a card doesn't have, and nothing at all where the library is not installed. It can be told
/// to fail any function, what its cards say can change while it is asked, and it counts what it was asked.
/// Clones are the same library.
///
/// ```
/// use vram_observe::{Card, ManagementFunction, management_facts};
/// use vram_sim::{ManagedCardModel, ManagementFault, SimulatedManagement};
///
/// let uuid = [7; 16];
/// let library = SimulatedManagement::new("580.159.04", vec![ManagedCardModel::h100(uuid, "0000:01:00.0")]);
/// let card = Card { uuid, pci_bus_id: None };
/// assert_eq!(management_facts(&library, &card, &library).ecc.uncorrected, Some(0));
///
/// // Something happens to the card.
/// library.change(0, |card| card.ecc_errors.as_mut().unwrap().uncorrected = 1)?;
/// assert_eq!(management_facts(&library, &card, &library).ecc.uncorrected, Some(1));
///
/// // What can't be asked is not known.
/// library.fail_always(ManagementFunction::nvmlDeviceGetTotalEccErrors, ManagementFault::NoPermission);
/// assert_eq!(management_facts(&library, &card, &library).ecc.uncorrected, None);
/// # Ok::<(), vram_sim::SimError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SimulatedManagement {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    installed: bool,
    started: bool,
    driver_version: String,
    cards: Vec<ManagedCardModel>,
    faults: ManagementFaults,
}

impl SimulatedManagement {
    /// The library of a driver of this version, with these cards.
    #[must_use]
    pub fn new(driver_version: impl Into<String>, cards: Vec<ManagedCardModel>) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                installed: true,
                started: false,
                driver_version: driver_version.into(),
                cards,
                faults: ManagementFaults::default(),
            })),
        }
    }

    /// A machine without the library.
    #[must_use]
    pub fn absent() -> Self {
        let library = Self::new(String::new(), Vec::new());
        library.state().installed = false;
        library
    }

    /// Changes what the library says of a card, from the next call on.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchDevice`].
    pub fn change<R>(
        &self,
        card: usize,
        change: impl FnOnce(&mut ManagedCardModel) -> R,
    ) -> Result<R, SimError> {
        let mut state = self.state();
        let count = state.cards.len();
        let model = state.cards.get_mut(card).ok_or(SimError::NoSuchDevice {
            device: card,
            count,
        })?;
        Ok(change(model))
    }

    /// Lets the `nth` call of a function from now on fail; 1 is the next.
    pub fn fail_nth(&self, function: Function, nth: u64, fault: ManagementFault) {
        self.state().faults.fail_nth(function, nth, fault);
    }

    /// Lets every call of a function fail, until [`clear_faults`](Self::clear_faults).
    pub fn fail_always(&self, function: Function, fault: ManagementFault) {
        self.state().faults.fail_always(function, fault);
    }

    /// Forgets every fault that hasn't struck.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// How many faults haven't struck yet; those that last always count.
    #[must_use]
    pub fn pending_faults(&self) -> usize {
        self.state().faults.pending()
    }

    /// How often a function was called, failed calls included.
    #[must_use]
    pub fn calls(&self, function: Function) -> u64 {
        self.state().faults.calls(function)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a call, and lets its faults strike.
    fn enter(&mut self, function: Function) -> Answer<()> {
        if !self.installed {
            return Err(Error::LibraryAbsent {
                reason: "the simulated machine doesn't have it".to_owned(),
            });
        }
        if let Some(fault) = self.faults.on_call(function) {
            return Err(fault.error(function));
        }
        if !self.started && function != Function::nvmlInit_v2 {
            return Err(Error::Refused {
                function,
                reason: "the library was not started".to_owned(),
            });
        }
        Ok(())
    }
}

impl SimulatedManagement {
    /// Finds what a test of models says, unless the card is lost.
    fn find(
        &self,
        function: Function,
        test: impl Fn(&ManagedCardModel) -> Option<Option<usize>>,
    ) -> Answer<Box<dyn ManagedCard + '_>> {
        let mut state = self.state();
        state.enter(function)?;
        for (card, model) in state.cards.iter().enumerate() {
            if let Some(slice) = test(model) {
                if model.lost {
                    return Err(Error::CardLost { function });
                }
                return Ok(Box::new(SimulatedCard::new(self, card, slice)));
            }
        }
        Err(Error::NotFound { function })
    }
}

impl Management for SimulatedManagement {
    fn start(&self) -> Answer<()> {
        let mut state = self.state();
        state.enter(Function::nvmlInit_v2)?;
        state.started = true;
        Ok(())
    }

    fn driver_version(&self) -> Answer<String> {
        let mut state = self.state();
        state.enter(Function::nvmlSystemGetDriverVersion)?;
        Ok(state.driver_version.clone())
    }

    fn card_by_uuid(&self, uuid: &str) -> Answer<Box<dyn ManagedCard + '_>> {
        let named = |bytes| Card {
            uuid: bytes,
            pci_bus_id: None,
        };
        self.find(Function::nvmlDeviceGetHandleByUUID, |model| {
            if named(model.uuid).gpu_uuid() == uuid {
                return Some(None);
            }
            let slice = model
                .slices
                .iter()
                .position(|slice| named(slice.uuid).mig_uuid() == uuid)?;
            Some(Some(slice))
        })
    }

    fn card_by_pci_bus_id(&self, id: &str) -> Answer<Box<dyn ManagedCard + '_>> {
        self.find(Function::nvmlDeviceGetHandleByPciBusId_v2, |model| {
            model.pci_bus_id.eq_ignore_ascii_case(id).then_some(None)
        })
    }
}

impl Processes for SimulatedManagement {
    fn own(&self) -> u32 {
        std::process::id()
    }

    fn name(&self, pid: u32) -> Option<String> {
        let state = self.state();
        let all = state.cards.iter().flat_map(ManagedCardModel::all_processes);
        all.filter(|process| process.pid == pid)
            .find_map(|process| process.name.clone())
    }
}

#[cfg(test)]
mod tests;
