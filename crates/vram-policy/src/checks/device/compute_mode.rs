//! `device.compute-mode`: one process alone may use the device.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::{ComputeMode, DeviceFacts};
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceComputeMode,
    severity: Severity::Low,
    levels: Levels::NOTED,
    meaning: "Any process may open a context on the card, and take memory and time from this one.",
    remedy: "Where the card serves one process: nvidia-smi -c EXCLUSIVE_PROCESS.",
    attributes: &["nvmlDeviceGetComputeMode"],
    documentation: "NVML API Reference: Device Queries: nvmlDeviceGetComputeMode",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    let mode = facts.management.compute_mode;
    Clause::must_equal("compute mode", mode, &ComputeMode::ExclusiveProcess).into()
}
