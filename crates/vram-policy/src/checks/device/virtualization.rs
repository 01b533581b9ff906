//! `device.virtualization`: the device is a whole card, not a share of one.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::{DeviceFacts, Virtualization};
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceVirtualization,
    severity: Severity::High,
    levels: Levels::PROMISE,
    meaning: "The GPU is a share of a card that a hypervisor divides: the hypervisor sets the \
              share's memory aside, moves it when the machine migrates, and can read it.",
    remedy: "Ask for a whole GPU: bare metal or pass-through.",
    attributes: &["nvmlDeviceGetVirtualizationMode"],
    documentation: "NVML API Reference: vGPU Queries: nvmlDeviceGetVirtualizationMode, \
                    nvmlGpuVirtualizationMode_t",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    Clause::that(
        "virtualization",
        facts.management.virtualization,
        "none or pass-through",
        |mode| matches!(mode, Virtualization::None | Virtualization::Passthrough),
        Virtualization::to_string,
    )
    .into()
}
