//! `device.row-remapping`: no row of the device's memory waits to be replaced, and none failed to be.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceRowRemapping,
    severity: Severity::Critical,
    levels: Levels::PROMISE,
    meaning: "A row of the card's memory is known to be bad, and is still in use: its replacement \
              waits for a reset, or there is no spare row left.",
    remedy: "Reset the card (nvidia-smi -r) where a remapping is pending. Have it replaced where \
             one failed.",
    attributes: &["nvmlDeviceGetRemappedRows"],
    documentation: "NVML API Reference: Device Queries: nvmlDeviceGetRemappedRows; NVIDIA GPU \
                    Memory Error Management: Row Remapping",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    let management = &facts.management;
    if management.row_remapping.is_none() && management.pages_pending_retirement.is_some() {
        return Conditions::NotApplicable("the card retires pages instead");
    }
    let rows = management.row_remapping;
    vec![
        Clause::must_be_false("remapping pending", rows.map(|rows| rows.pending)),
        Clause::must_be_false("remapping failed", rows.map(|rows| rows.failed)),
    ]
    .into()
}
