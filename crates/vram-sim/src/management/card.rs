//! A handle of the simulated management library.

use vram_observe::{
    Answer, CardAttestation, ConfidentialSettings, EccCounter, EccMode, Error, ManagedCard,
    ManagementFunction as Function, RunningProcess,
};
use vram_policy::{ComputeMode, DriverModel, ProcessKind, RowRemapping, Virtualization};

use super::{ManagedCardModel, SimulatedManagement};

/// What stands in a report and for its certificates. There is no key that a card could have signed with.
const UNSIGNED: &[u8] = b"simulated: no card signed this\n";

/// A card, or a slice of it.
#[derive(Debug)]
pub(super) struct SimulatedCard<'a> {
    library: &'a SimulatedManagement,
    card: usize,
    slice: Option<usize>,
}

impl<'a> SimulatedCard<'a> {
    pub(super) fn new(library: &'a SimulatedManagement, card: usize, slice: Option<usize>) -> Self {
        Self {
            library,
            card,
            slice,
        }
    }

    /// Asks the model as it is now. `None` is what it doesn't have.
    fn ask<T>(
        &self,
        function: Function,
        answer: impl FnOnce(&ManagedCardModel) -> Option<T>,
    ) -> Answer<T> {
        let mut state = self.library.state();
        state.enter(function)?;
        let model = state
            .cards
            .get(self.card)
            .ok_or(Error::NotFound { function })?;
        if model.lost {
            return Err(Error::CardLost { function });
        }
        answer(model).ok_or(Error::NotSupported { function })
    }

    /// The same of what a slice doesn't have.
    fn ask_of_whole<T>(
        &self,
        function: Function,
        answer: impl FnOnce(&ManagedCardModel) -> Option<T>,
    ) -> Answer<T> {
        self.ask(function, |model| {
            if self.slice.is_some() {
                None
            } else {
                answer(model)
            }
        })
    }

    /// The list of one kind: a slice's own, or of a whole card everybody's.
    fn list(&self, function: Function, kind: ProcessKind) -> Answer<Vec<RunningProcess>> {
        self.ask(function, |model| {
            let running = |process: &super::SimulatedProcess| RunningProcess {
                pid: process.pid,
                bytes: process.bytes,
            };
            match self.slice {
                Some(slice) => {
                    let own = model.slices.get(slice)?.processes.iter();
                    Some(
                        own.filter(|process| process.kind == kind)
                            .map(running)
                            .collect(),
                    )
                }
                None => {
                    model.processes.as_ref()?;
                    let all = model.all_processes();
                    Some(
                        all.filter(|process| process.kind == kind)
                            .map(running)
                            .collect(),
                    )
                }
            }
        })
    }
}

impl ManagedCard for SimulatedCard<'_> {
    fn is_mig_slice(&self) -> Answer<bool> {
        self.ask(Function::nvmlDeviceIsMigDeviceHandle, |_| {
            Some(self.slice.is_some())
        })
    }

    fn mig_parent(&self) -> Answer<Box<dyn ManagedCard + '_>> {
        let function = Function::nvmlDeviceGetDeviceHandleFromMigDeviceHandle;
        self.ask(function, |_| self.slice)?;
        Ok(Box::new(SimulatedCard::new(self.library, self.card, None)))
    }

    fn ecc_mode(&self) -> Answer<EccMode> {
        self.ask_of_whole(Function::nvmlDeviceGetEccMode, |model| model.ecc_mode)
    }

    fn ecc_errors(&self, counter: EccCounter) -> Answer<u64> {
        self.ask_of_whole(Function::nvmlDeviceGetTotalEccErrors, |model| {
            let errors = model.ecc_errors?;
            match counter {
                EccCounter::Corrected => Some(errors.corrected),
                EccCounter::Uncorrected => Some(errors.uncorrected),
                EccCounter::UncorrectedLifetime => Some(errors.uncorrected_lifetime),
                _ => None,
            }
        })
    }

    fn remapped_rows(&self) -> Answer<RowRemapping> {
        self.ask_of_whole(Function::nvmlDeviceGetRemappedRows, |model| {
            model.remapped_rows
        })
    }

    fn pages_pending_retirement(&self) -> Answer<bool> {
        self.ask_of_whole(Function::nvmlDeviceGetRetiredPagesPendingStatus, |model| {
            model.pages_pending_retirement
        })
    }

    fn mig_mode(&self) -> Answer<bool> {
        self.ask_of_whole(Function::nvmlDeviceGetMigMode, |model| model.mig_mode)
    }

    fn virtualization(&self) -> Answer<Virtualization> {
        self.ask_of_whole(Function::nvmlDeviceGetVirtualizationMode, |model| {
            model.virtualization
        })
    }

    fn confidential_settings(&self) -> Answer<ConfidentialSettings> {
        self.ask(Function::nvmlSystemGetConfComputeSettings, |model| {
            model.confidential
        })
    }

    fn confidential_ready(&self) -> Answer<bool> {
        self.ask(Function::nvmlSystemGetConfComputeGpusReadyState, |model| {
            model.confidential_ready
        })
    }

    fn attestation(&self, nonce: &[u8; 32]) -> Answer<CardAttestation> {
        let on = |model: &ManagedCardModel| model.confidential.filter(|settings| settings.enabled);
        let report = Function::nvmlDeviceGetConfComputeGpuAttestationReport;
        self.ask_of_whole(report, on)?;
        let certificates = Function::nvmlDeviceGetConfComputeGpuCertificate;
        self.ask_of_whole(certificates, on)?;
        Ok(CardAttestation {
            report: [UNSIGNED, nonce.as_slice()].concat(),
            certificates: UNSIGNED.to_vec(),
        })
    }

    fn persistence_mode(&self) -> Answer<bool> {
        self.ask_of_whole(Function::nvmlDeviceGetPersistenceMode, |model| {
            model.persistence_mode
        })
    }

    fn compute_mode(&self) -> Answer<ComputeMode> {
        self.ask_of_whole(Function::nvmlDeviceGetComputeMode, |model| {
            model.compute_mode
        })
    }

    fn driver_model(&self) -> Answer<DriverModel> {
        self.ask_of_whole(Function::nvmlDeviceGetDriverModel, |model| {
            model.driver_model
        })
    }

    fn compute_processes(&self) -> Answer<Vec<RunningProcess>> {
        self.list(
            Function::nvmlDeviceGetComputeRunningProcesses_v3,
            ProcessKind::Compute,
        )
    }

    fn graphics_processes(&self) -> Answer<Vec<RunningProcess>> {
        self.list(
            Function::nvmlDeviceGetGraphicsRunningProcesses_v3,
            ProcessKind::Graphics,
        )
    }

    fn mps_processes(&self) -> Answer<Vec<RunningProcess>> {
        self.list(
            Function::nvmlDeviceGetMPSComputeRunningProcesses_v3,
            ProcessKind::Mps,
        )
    }

    fn link_generation(&self) -> Answer<u32> {
        self.ask_of_whole(Function::nvmlDeviceGetMaxPcieLinkGeneration, |model| {
            model.link_generation
        })
    }

    fn link_width(&self) -> Answer<u32> {
        self.ask_of_whole(Function::nvmlDeviceGetMaxPcieLinkWidth, |model| {
            model.link_width
        })
    }

    fn chip_to_chip(&self) -> Answer<bool> {
        self.ask_of_whole(Function::nvmlDeviceGetC2cModeInfoV, |model| {
            model.chip_to_chip
        })
    }
}
