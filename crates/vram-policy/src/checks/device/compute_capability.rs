//! `device.compute-capability`: the device can run the measuring kernels.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceComputeCapability,
    severity: Severity::High,
    levels: Levels::PROMISE,
    meaning: "The GPU is older than Turing: the kernels that measure weights are not made for it.",
    remedy: "Use a GPU of compute capability 7.5 or later.",
    attributes: &[
        "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR",
        "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR",
    ],
    documentation: "CUDA Driver API, Device Management: cuDeviceGetAttribute, CUdevice_attribute",
    conditions,
};

/// What the kernels' PTX is made for: Turing.
const LEAST: (u32, u32) = (7, 5);

fn conditions(facts: &DeviceFacts) -> Conditions {
    let (major, minor) = LEAST;
    Clause::that(
        "COMPUTE_CAPABILITY",
        facts.compute_capability,
        format!("at least {major}.{minor}"),
        |seen| *seen >= LEAST,
        |(major, minor)| format!("{major}.{minor}"),
    )
    .into()
}
