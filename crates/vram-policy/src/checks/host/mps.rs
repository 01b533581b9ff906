//! `host.mps`: the process is no client of the Multi-Process Service, and can become none.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::host::environment;
use crate::clause::{Clause, Conditions};
use crate::facts::HostFacts;
use crate::finding::Severity;
use crate::profile::Levels;

/// The variables that are looked at.
const VARIABLES: &[&str] = &[
    "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE",
    "CUDA_MPS_LOG_DIRECTORY",
    "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT",
    "CUDA_MPS_PIPE_DIRECTORY",
];

pub(in crate::checks) const CHECK: Check<HostFacts> = Check {
    id: CheckId::HostMps,
    severity: Severity::High,
    levels: Levels::GUARD,
    meaning: "A control daemon of the Multi-Process Service answers, or the environment points to \
              one: CUDA contexts of this process are then clients of a server shared with others.",
    remedy: "End the service (echo quit | nvidia-cuda-mps-control), and unset the variables that \
             are shown.",
    attributes: &[
        "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE",
        "CUDA_MPS_LOG_DIRECTORY",
        "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT",
        "CUDA_MPS_PIPE_DIRECTORY",
        "nvidia-cuda-mps-control",
    ],
    documentation: "NVIDIA Multi-Process Service: Environment Variables",
    conditions,
};

fn conditions(facts: &HostFacts) -> Conditions {
    vec![
        environment::none_of(facts, VARIABLES, |_, _| true),
        Clause::must_be_false("control daemon", facts.mps_daemon),
    ]
    .into()
}
