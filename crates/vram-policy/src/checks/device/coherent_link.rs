//! `device.coherent-link`: the host can't read the device's memory over a coherent link.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceCoherentLink,
    severity: Severity::Critical,
    levels: Levels::PROMISE,
    meaning: "The host reads and writes the GPU's memory over a coherent link, as on Grace \
              Hopper: the operating system can use it as memory of its own, and managed pages \
              move between the two while kernels run.",
    remedy: "Use a GPU that is attached by PCI Express. On a coherent machine the operating \
             system, and whoever rules it, must be trusted with the weights.",
    attributes: &[
        "CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST",
        "CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS",
        "nvmlDeviceGetC2cModeInfoV",
    ],
    documentation: "CUDA Driver API, Device Management: cuDeviceGetAttribute, CUdevice_attribute",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    let mut clauses = vec![Clause::must_be_false(
        "DIRECT_MANAGED_MEM_ACCESS_FROM_HOST",
        facts.direct_managed_access_from_host,
    )];
    // Most cards have no such link, and the library then has nothing to say: the driver's word decides.
    if facts.management.link.chip_to_chip == Some(true) {
        clauses.push(Clause::must_be_false("C2C link on", Some(true)));
    }
    // True on every discrete GPU under Linux; it matters where the host reaches the memory.
    if facts.direct_managed_access_from_host == Some(true) {
        let concurrent = facts.concurrent_managed_access;
        clauses.push(Clause::must_be_false(
            "CONCURRENT_MANAGED_ACCESS",
            concurrent,
        ));
    }
    clauses.into()
}
