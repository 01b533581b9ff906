//! `device.ecc-history`: the device's memory has no history of errors.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceEccHistory,
    severity: Severity::Low,
    levels: Levels::PRACTICE,
    meaning: "The card's memory has had errors that ECC corrected, or in its earlier life ones \
              that it could not. They did no harm to what lies there now; more may follow.",
    remedy: "Watch whether the counts grow. A card whose counts grow is to be replaced before it \
             fails.",
    attributes: &["nvmlDeviceGetTotalEccErrors"],
    documentation: "NVML API Reference: Device Queries: nvmlDeviceGetTotalEccErrors; NVIDIA GPU \
                    Memory Error Management",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    let ecc = &facts.management.ecc;
    vec![
        Clause::must_be_zero("corrected, volatile", ecc.corrected),
        Clause::must_be_zero("uncorrected, lifetime", ecc.uncorrected_lifetime),
    ]
    .into()
}
