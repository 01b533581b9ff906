//! `device.driver-model`: the driver, and not Windows, manages the device's memory.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::{DeviceFacts, DriverModel, OperatingSystem};
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceDriverModel,
    severity: Severity::Critical,
    levels: Levels::PROMISE,
    meaning: "Windows manages the GPU's memory (WDDM, MCDM): it pages what it likes to host \
              memory, and the driver falls back to host memory when the card is full.",
    remedy: "Switch the card to the TCC driver model (nvidia-smi -dm 1) where it has one, or run \
             on Linux.",
    attributes: &[
        "nvmlDeviceGetDriverModel_v2",
        "CU_DEVICE_ATTRIBUTE_TCC_DRIVER",
    ],
    documentation: "NVML API Reference: Device Queries: nvmlDeviceGetDriverModel_v2, \
                    nvmlDriverModel_t",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    match (
        facts.management.driver_model,
        facts.tcc_driver,
        facts.system,
    ) {
        (None, Some(true), _) => Clause::must_be_true("TCC_DRIVER", facts.tcc_driver).into(),
        (None, _, Some(OperatingSystem::Linux)) => {
            Conditions::NotApplicable("Linux: the driver manages the memory")
        }
        (model, tcc, system) => {
            let mut clauses = vec![Clause::must_equal("driver model", model, &DriverModel::Tcc)];
            // On other systems than Windows it is 0 and says nothing.
            if tcc.is_some() && (model.is_some() || system == Some(OperatingSystem::Windows)) {
                clauses.push(Clause::must_be_true("TCC_DRIVER", tcc));
            }
            clauses.into()
        }
    }
}
