//! `device.page-retirement`: no page of the device's memory waits to be retired.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DevicePageRetirement,
    severity: Severity::Critical,
    levels: Levels::PROMISE,
    meaning: "A page of the card's memory is known to be bad and is still in use, until a reset \
              retires it.",
    remedy: "Reset the card: nvidia-smi -r.",
    attributes: &["nvmlDeviceGetRetiredPagesPendingStatus"],
    documentation: "NVML API Reference: Device Queries: nvmlDeviceGetRetiredPagesPendingStatus; \
                    NVIDIA Dynamic Page Retirement",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    let management = &facts.management;
    let pending = management.pages_pending_retirement;
    if pending.is_none() && management.row_remapping.is_some() {
        return Conditions::NotApplicable("the card remaps rows instead");
    }
    Clause::must_be_false("retirement pending", pending).into()
}
