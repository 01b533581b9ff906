//! `device.persistence`: the driver stays loaded when nobody uses the device.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::{DeviceFacts, OperatingSystem};
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DevicePersistence,
    severity: Severity::Low,
    levels: Levels::PRACTICE,
    meaning: "When the last process leaves the card the driver unloads its state: error counters \
              that are judged here begin anew, and starting takes seconds.",
    remedy: "Run nvidia-persistenced, or nvidia-smi -pm 1.",
    attributes: &["nvmlDeviceGetPersistenceMode"],
    documentation: "NVML API Reference: Device Queries: nvmlDeviceGetPersistenceMode; NVIDIA \
                    Driver Persistence",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    let mode = facts.management.persistence_mode;
    if mode.is_none() && facts.system == Some(OperatingSystem::Windows) {
        return Conditions::NotApplicable("Windows: the driver always stays loaded");
    }
    Clause::must_be_true("persistence mode", mode).into()
}
