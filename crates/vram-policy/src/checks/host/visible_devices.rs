//! `host.visible-devices`: nothing in the environment renumbers the devices.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::host::environment;
use crate::clause::Conditions;
use crate::facts::HostFacts;
use crate::finding::Severity;
use crate::profile::Levels;

/// The variables that are looked at.
const VARIABLES: &[&str] = &[
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
];

pub(in crate::checks) const CHECK: Check<HostFacts> = Check {
    id: CheckId::HostVisibleDevices,
    severity: Severity::Low,
    levels: Levels::NOTED,
    meaning: "The environment chooses which GPUs are seen and in which order: a device's number \
              here is not its number elsewhere.",
    remedy: "Nothing needs to be done. Name cards by their UUIDs where it matters which one it is.",
    attributes: VARIABLES,
    documentation: "CUDA C++ Programming Guide: CUDA Environment Variables; NVIDIA Container \
                    Toolkit",
    conditions,
};

fn conditions(facts: &HostFacts) -> Conditions {
    environment::none_of(facts, VARIABLES, |_, _| true).into()
}
