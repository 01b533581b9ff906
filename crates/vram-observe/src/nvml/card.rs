//! A card as the management library knows it.

use nvml_wrapper::enum_wrappers::device as wrapped;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use vram_policy::{ComputeMode, DriverModel, RowRemapping, Virtualization};

use super::{ManagementLibrary, translated};
use crate::management::{
    CardAttestation, ConfidentialSettings, EccCounter, EccMode, ManagedCard, RunningProcess,
};
use crate::{Answer, ManagementFunction as Function};

/// How often a list is asked for that grew while it was read.
const TRIES: usize = 3;

#[derive(Debug)]
pub(super) struct NvmlCard<'a> {
    library: &'a ManagementLibrary,
    device: nvml_wrapper::Device<'a>,
}

impl<'a> NvmlCard<'a> {
    pub(super) fn new(library: &'a ManagementLibrary, device: nvml_wrapper::Device<'a>) -> Self {
        Self { library, device }
    }

    fn uuid(&self, function: Function) -> Answer<String> {
        self.device
            .uuid()
            .map_err(|error| translated(function, error))
    }
}

fn answer<T>(function: Function, answer: Result<T, NvmlError>) -> Answer<T> {
    answer.map_err(|error| translated(function, error))
}

impl ManagedCard for NvmlCard<'_> {
    fn is_mig_slice(&self) -> Answer<bool> {
        answer(
            Function::nvmlDeviceIsMigDeviceHandle,
            self.device.mig_is_mig_device_handle(),
        )
    }

    fn mig_parent(&self) -> Answer<Box<dyn ManagedCard + '_>> {
        let device = answer(
            Function::nvmlDeviceGetDeviceHandleFromMigDeviceHandle,
            self.device.mig_parent_device(),
        )?;
        Ok(Box::new(NvmlCard::new(self.library, device)))
    }

    fn ecc_mode(&self) -> Answer<EccMode> {
        let mode = answer(Function::nvmlDeviceGetEccMode, self.device.is_ecc_enabled())?;
        Ok(EccMode {
            current: mode.currently_enabled,
            pending: mode.pending_enabled,
        })
    }

    fn ecc_errors(&self, counter: EccCounter) -> Answer<u64> {
        let (error, counter) = match counter {
            EccCounter::Corrected => (
                wrapped::MemoryError::Corrected,
                wrapped::EccCounter::Volatile,
            ),
            EccCounter::Uncorrected => (
                wrapped::MemoryError::Uncorrected,
                wrapped::EccCounter::Volatile,
            ),
            EccCounter::UncorrectedLifetime => (
                wrapped::MemoryError::Uncorrected,
                wrapped::EccCounter::Aggregate,
            ),
        };
        answer(
            Function::nvmlDeviceGetTotalEccErrors,
            self.device.total_ecc_errors(error, counter),
        )
    }

    fn remapped_rows(&self) -> Answer<RowRemapping> {
        let function = Function::nvmlDeviceGetRemappedRows;
        let rows = self.library.ask_supplement(
            function,
            self.uuid(function)?,
            vram_sys::Nvml::remapped_rows,
        )?;
        Ok(RowRemapping {
            after_corrected: rows.corrected,
            after_uncorrected: rows.uncorrected,
            pending: rows.pending,
            failed: rows.failed,
        })
    }

    fn pages_pending_retirement(&self) -> Answer<bool> {
        answer(
            Function::nvmlDeviceGetRetiredPagesPendingStatus,
            self.device.are_pages_pending_retired(),
        )
    }

    fn mig_mode(&self) -> Answer<bool> {
        let function = Function::nvmlDeviceGetMigMode;
        let mode = answer(function, self.device.mig_mode())?;
        switch(function, mode.current)
    }

    fn virtualization(&self) -> Answer<Virtualization> {
        let mode = answer_or_number(
            Function::nvmlDeviceGetVirtualizationMode,
            self.device.virtualization_mode(),
        )?;
        Ok(match mode {
            Ok(wrapped::GpuVirtualizationMode::Bare) => Virtualization::None,
            Ok(wrapped::GpuVirtualizationMode::PassThrough) => Virtualization::Passthrough,
            Ok(wrapped::GpuVirtualizationMode::Vgpu) => Virtualization::VgpuGuest,
            Ok(
                wrapped::GpuVirtualizationMode::HostVgpu | wrapped::GpuVirtualizationMode::HostVsga,
            ) => Virtualization::VgpuHost,
            Err(number) => Virtualization::Other(number),
        })
    }

    fn confidential_settings(&self) -> Answer<ConfidentialSettings> {
        let function = Function::nvmlSystemGetConfComputeSettings;
        // Protected PCIe is what several GPUs have in the place of the one feature.
        Ok(ConfidentialSettings {
            enabled: answer(function, self.device.is_cc_enabled())?
                || answer(function, self.device.is_multi_gpu_protected_pcie_enabled())?,
            developer_tools: answer(function, self.device.is_cc_dev_mode_enabled())?,
        })
    }

    fn confidential_ready(&self) -> Answer<bool> {
        answer(
            Function::nvmlSystemGetConfComputeGpusReadyState,
            self.device.get_confidential_compute_state(),
        )
    }

    fn attestation(&self, nonce: &[u8; 32]) -> Answer<CardAttestation> {
        let function = Function::nvmlDeviceGetConfComputeGpuAttestationReport;
        let report =
            self.library
                .ask_supplement(function, self.uuid(function)?, |library, uuid| {
                    library.attestation_report(uuid, nonce)
                })?;
        let function = Function::nvmlDeviceGetConfComputeGpuCertificate;
        let certificates = self.library.ask_supplement(
            function,
            self.uuid(function)?,
            vram_sys::Nvml::attestation_certificates,
        )?;
        Ok(CardAttestation {
            report,
            certificates,
        })
    }

    #[cfg(target_os = "linux")]
    fn persistence_mode(&self) -> Answer<bool> {
        answer(
            Function::nvmlDeviceGetPersistenceMode,
            self.device.is_in_persistent_mode(),
        )
    }

    #[cfg(not(target_os = "linux"))]
    fn persistence_mode(&self) -> Answer<bool> {
        Err(crate::Error::NotSupported {
            function: Function::nvmlDeviceGetPersistenceMode,
        })
    }

    fn compute_mode(&self) -> Answer<ComputeMode> {
        let mode = answer_or_number(
            Function::nvmlDeviceGetComputeMode,
            self.device.compute_mode(),
        )?;
        Ok(match mode {
            Ok(wrapped::ComputeMode::Default) => ComputeMode::Default,
            // The library's number for it; no driver has it any more.
            Ok(wrapped::ComputeMode::ExclusiveThread) => ComputeMode::Other(1),
            Ok(wrapped::ComputeMode::Prohibited) => ComputeMode::Prohibited,
            Ok(wrapped::ComputeMode::ExclusiveProcess) => ComputeMode::ExclusiveProcess,
            Err(number) => ComputeMode::Other(number),
        })
    }

    #[cfg(windows)]
    fn driver_model(&self) -> Answer<DriverModel> {
        /// Newer than the wrapper.
        const MCDM: u32 = 2;

        let model = answer_or_number(
            Function::nvmlDeviceGetDriverModel,
            self.device.driver_model(),
        )?;
        Ok(match model.map(|model| model.current) {
            Ok(wrapped::DriverModel::WDDM) => DriverModel::Wddm,
            Ok(wrapped::DriverModel::WDM) => DriverModel::Tcc,
            Err(MCDM) => DriverModel::Mcdm,
            Err(number) => DriverModel::Other(number),
        })
    }

    #[cfg(not(windows))]
    fn driver_model(&self) -> Answer<DriverModel> {
        Err(crate::Error::NotSupported {
            function: Function::nvmlDeviceGetDriverModel,
        })
    }

    fn compute_processes(&self) -> Answer<Vec<RunningProcess>> {
        list(Function::nvmlDeviceGetComputeRunningProcesses_v3, || {
            self.device.running_compute_processes()
        })
    }

    fn graphics_processes(&self) -> Answer<Vec<RunningProcess>> {
        list(Function::nvmlDeviceGetGraphicsRunningProcesses_v3, || {
            self.device.running_graphics_processes()
        })
    }

    fn mps_processes(&self) -> Answer<Vec<RunningProcess>> {
        list(Function::nvmlDeviceGetMPSComputeRunningProcesses_v3, || {
            self.device.mps_running_compute_processes()
        })
    }

    fn link_generation(&self) -> Answer<u32> {
        answer(
            Function::nvmlDeviceGetMaxPcieLinkGeneration,
            self.device.max_pcie_link_gen(),
        )
    }

    fn link_width(&self) -> Answer<u32> {
        answer(
            Function::nvmlDeviceGetMaxPcieLinkWidth,
            self.device.max_pcie_link_width(),
        )
    }

    fn chip_to_chip(&self) -> Answer<bool> {
        let function = Function::nvmlDeviceGetC2cModeInfoV;
        self.library
            .ask_supplement(function, self.uuid(function)?, vram_sys::Nvml::chip_to_chip)
    }
}

/// A number that is a yes or no.
fn switch(function: Function, number: u32) -> Answer<bool> {
    match number {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(crate::Error::Refused {
            function,
            reason: format!("answered {other} where 0 or 1 was expected"),
        }),
    }
}

/// An answer that the wrapper has a name for, or the number that it has none for.
fn answer_or_number<T>(function: Function, given: Result<T, NvmlError>) -> Answer<Result<T, u32>> {
    match given {
        Err(NvmlError::UnexpectedVariant(number)) => Ok(Err(number)),
        other => answer(function, other).map(Ok),
    }
}

/// A list of processes; it may grow between being counted and being read.
fn list(
    function: Function,
    mut ask: impl FnMut() -> Result<Vec<ProcessInfo>, NvmlError>,
) -> Answer<Vec<RunningProcess>> {
    let mut given = ask();
    for _ in 1..TRIES {
        if !matches!(given, Err(NvmlError::InsufficientSize(_))) {
            break;
        }
        given = ask();
    }
    let listed = answer(function, given)?;
    Ok(listed.into_iter().map(running).collect())
}

fn running(process: ProcessInfo) -> RunningProcess {
    RunningProcess {
        pid: process.pid,
        bytes: match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes),
            UsedGpuMemory::Unavailable => None,
        },
    }
}
