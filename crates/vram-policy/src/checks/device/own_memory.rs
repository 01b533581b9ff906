//! `device.own-memory`: the device has memory of its own, apart from the host's.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceOwnMemory,
    severity: Severity::Critical,
    levels: Levels::ALWAYS,
    meaning: "The GPU shares memory or page tables with the host: what it calls its own memory \
              may be host memory, which the host's processes and its swap can reach.",
    remedy: "Use a discrete GPU. Where PAGEABLE_MEMORY_ACCESS alone is 1 on a discrete GPU, the \
             kernel's heterogeneous memory management is on: load the nvidia-uvm module with \
             uvm_disable_hmm=1.",
    attributes: &[
        "CU_DEVICE_ATTRIBUTE_INTEGRATED",
        "CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS",
        "CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES",
    ],
    documentation: "CUDA Driver API, Device Management: cuDeviceGetAttribute, CUdevice_attribute",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    vec![
        Clause::must_be_false("INTEGRATED", facts.integrated),
        Clause::must_be_false("PAGEABLE_MEMORY_ACCESS", facts.pageable_memory_access),
        Clause::must_be_false(
            "PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES",
            facts.pageable_memory_access_uses_host_page_tables,
        ),
    ]
    .into()
}
