//! `device.confidential-compute-intact`: where confidential computing is on, nothing weakens it.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceConfidentialComputeIntact,
    severity: Severity::High,
    levels: Levels::CLAIM,
    meaning: "The system says that it is confidential and is not: its developer tools mode opens \
              what is to be closed, or its GPUs have not been declared fit for work.",
    remedy: "Turn the developer tools mode off and restart the machine. Attest the GPU, then \
             declare it ready: nvidia-smi conf-compute -srs 1.",
    attributes: &[
        "nvmlSystemGetConfComputeSettings",
        "nvmlSystemGetConfComputeGpusReadyState",
    ],
    documentation: "NVML API Reference: Confidential Computing: nvmlSystemConfComputeSettings_t",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    let state = facts.management.confidential_compute;
    let mut clauses = vec![Clause::must_be_false(
        "developer tools",
        state.map(|state| state.developer_tools),
    )];
    if let Some(state) = state.filter(|state| state.enabled) {
        clauses.push(Clause::must_be_true("GPUs ready", state.ready));
    }
    clauses.into()
}
