//! `device.mig`: the device is a whole card, not a slice of one.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceMig,
    severity: Severity::Low,
    levels: Levels::NOTED,
    meaning: "The device is a MIG slice. Its memory is kept apart from the other slices' by \
              hardware; the card, its driver and its health are shared with whoever has them.",
    remedy: "Nothing needs to be done. Who must share with nobody turns MIG off: nvidia-smi -mig \
             0.",
    attributes: &["nvmlDeviceIsMigDeviceHandle", "nvmlDeviceGetMigMode"],
    documentation: "NVML API Reference: Multi Instance GPU Management",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    let mut clauses = vec![Clause::must_be_false(
        "MIG slice",
        facts.management.mig_slice,
    )];
    // A card that can't be divided says nothing of a mode.
    if facts.management.mig_mode == Some(true) {
        clauses.push(Clause::must_be_false("MIG mode", Some(true)));
    }
    clauses.into()
}
