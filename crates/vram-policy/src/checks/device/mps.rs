//! `device.mps`: no process uses the device through the Multi-Process Service.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::device::processes::listed;
use crate::clause::Conditions;
use crate::facts::{DeviceFacts, ProcessKind};
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceMps,
    severity: Severity::High,
    levels: Levels::GUARD,
    meaning: "Processes use the card through the Multi-Process Service: they share its scheduler, \
              and one client's fault can end the others' work.",
    remedy: "End the service (echo quit | nvidia-cuda-mps-control), or give the weights a card of \
             their own.",
    attributes: &["nvmlDeviceGetMPSComputeRunningProcesses_v3"],
    documentation: "NVIDIA Multi-Process Service: Memory Protection and Error Containment; NVML \
                    API Reference: Device Queries",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    listed(
        "MPS clients",
        facts.management.processes.as_deref(),
        |process| process.kind == ProcessKind::Mps,
    )
    .into()
}
