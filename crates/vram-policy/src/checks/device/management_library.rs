//! `device.management-library`: the management library is there and knows the card.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceManagementLibrary,
    severity: Severity::Medium,
    levels: Levels::GUARD,
    meaning: "Without NVIDIA's management library nobody can say how the card is shared, \
              virtualized or worn: what other checks ask of it stays unknown.",
    remedy: "Install libnvidia-ml.so.1, which comes with the driver. In a container, give it the \
             driver capability \"utility\".",
    attributes: &[
        "nvmlInit_v2",
        "nvmlDeviceGetHandleByUUID",
        "nvmlSystemGetDriverVersion",
    ],
    documentation: "NVML API Reference: Initialization and Cleanup, System Queries",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    let management = &facts.management;
    match (&management.unavailable, &management.driver_version) {
        (Some(reason), _) => Clause::unobserved("NVML", reason, "answers"),
        (None, version) => Clause::that(
            "NVML",
            version.as_deref(),
            "answers",
            |_| true,
            |_| "answers".to_owned(),
        ),
    }
    .into()
}
