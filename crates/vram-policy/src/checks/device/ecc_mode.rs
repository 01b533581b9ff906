//! `device.ecc-mode`: ECC protects the device's memory, and will after the next reset.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceEccMode,
    severity: Severity::High,
    levels: Levels::GUARD,
    meaning: "ECC is off, or is about to be, or driver and management library disagree: bits of \
              the weights can flip, by chance or by a neighbour's hammering, and only a \
              verification finds it.",
    remedy: "Turn ECC on and reset the card: nvidia-smi -e 1, then nvidia-smi -r. A card without \
             ECC needs frequent verification.",
    attributes: &["CU_DEVICE_ATTRIBUTE_ECC_ENABLED", "nvmlDeviceGetEccMode"],
    documentation: "NVML API Reference: Device Queries: nvmlDeviceGetEccMode",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    let ecc = &facts.management.ecc;
    vec![
        Clause::must_be_true("ECC_ENABLED", facts.ecc_enabled),
        Clause::must_be_true("ECC current", ecc.current),
        Clause::must_be_true("ECC pending", ecc.pending),
    ]
    .into()
}
