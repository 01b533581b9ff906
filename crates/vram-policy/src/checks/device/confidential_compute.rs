//! `device.confidential-compute`: confidential computing closes the device's memory to the host.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceConfidentialCompute,
    severity: Severity::Low,
    levels: Levels::NOTED,
    meaning: "Confidential computing is off: a host that is hostile down to its kernel can read \
              the card's memory over the bus.",
    remedy: "Nothing needs to be done where the host is trusted. Otherwise use a confidential \
             virtual machine with a GPU in confidential mode.",
    attributes: &["nvmlSystemGetConfComputeSettings"],
    documentation: "NVML API Reference: Confidential Computing: nvmlSystemGetConfComputeSettings",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    let state = facts.management.confidential_compute;
    Clause::must_be_true("confidential computing", state.map(|state| state.enabled)).into()
}
