//! `device.mmu-freezing`: the device's own memory management unit can freeze regions.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceMmuFreezing,
    severity: Severity::High,
    levels: Levels::GUARD,
    meaning: "Regions can't be made read-only by the GPU's memory management unit: a kernel of \
              this process that goes astray can write weights, and only the next verification \
              finds it.",
    remedy: "Use a GPU and driver with virtual memory management. In a virtual machine, ask for a \
             whole GPU.",
    attributes: &["CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED"],
    documentation: "CUDA Driver API, Virtual Memory Management: cuMemSetAccess",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    Clause::must_be_true(
        "VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED",
        facts.virtual_memory_management,
    )
    .into()
}
