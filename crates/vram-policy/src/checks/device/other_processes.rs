//! `device.other-processes`: no other process uses the device.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::device::processes::listed;
use crate::clause::Conditions;
use crate::facts::{DeviceFacts, ProcessKind};
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceOtherProcesses,
    severity: Severity::Medium,
    levels: Levels::PRACTICE,
    meaning: "Other processes use the card. Each has an address space of its own, so they can't \
              read the weights; they take memory and time, and their errors can reset the card.",
    remedy: "Give the weights a card of their own: nvidia-smi -c EXCLUSIVE_PROCESS keeps others \
             out.",
    attributes: &[
        "nvmlDeviceGetComputeRunningProcesses_v3",
        "nvmlDeviceGetGraphicsRunningProcesses_v3",
        "nvmlDeviceGetMPSComputeRunningProcesses_v3",
    ],
    documentation: "NVML API Reference: Device Queries: nvmlProcessInfo_t",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    // Clients of the Multi-Process Service are another check's matter.
    listed("others", facts.management.processes.as_deref(), |process| {
        !process.ours && process.kind != ProcessKind::Mps
    })
    .into()
}
