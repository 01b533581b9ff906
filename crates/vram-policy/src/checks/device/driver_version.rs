//! `device.driver-version`: the driver is new enough for the measuring kernels.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions, shown};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceDriverVersion,
    severity: Severity::High,
    levels: Levels::PROMISE,
    meaning: "The driver is older than what the kernels are tested with: loading them can fail, \
              and its answers about memory are those of an old driver, with its known holes.",
    remedy: "Install an NVIDIA driver of release 525 or later (CUDA 12.0).",
    attributes: &["cuDriverGetVersion", "nvmlSystemGetDriverVersion"],
    documentation: "CUDA Driver API, Version Management: cuDriverGetVersion",
    conditions,
};

/// CUDA 12.0, which came with release 525.
const LEAST: u32 = 12_000;

/// 13010 is 13.1.
fn version(number: &u32) -> String {
    format!("{}.{}", number / 1000, number % 1000 / 10)
}

fn conditions(facts: &DeviceFacts) -> Conditions {
    let mut clauses = vec![Clause::that(
        "CUDA",
        facts.cuda_driver_version,
        format!("at least {}", version(&LEAST)),
        |seen| *seen >= LEAST,
        version,
    )];
    if let Some(release) = facts.management.driver_version.clone() {
        clauses.push(Clause::that(
            "release",
            Some(release),
            "any",
            |_| true,
            |text| shown(text),
        ));
    }
    clauses.into()
}
