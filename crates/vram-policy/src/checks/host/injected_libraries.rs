//! `host.injected-libraries`: nothing in the environment loads foreign code into the process.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::host::environment;
use crate::clause::Conditions;
use crate::facts::HostFacts;
use crate::finding::Severity;
use crate::profile::Levels;

/// The variables that are looked at.
const VARIABLES: &[&str] = &[
    "CUDA_INJECTION32_PATH",
    "CUDA_INJECTION64_PATH",
    "LD_AUDIT",
    "LD_PRELOAD",
];

pub(in crate::checks) const CHECK: Check<HostFacts> = Check {
    id: CheckId::HostInjectedLibraries,
    severity: Severity::High,
    levels: Levels::GUARD,
    meaning: "The environment makes the driver or the loader bring foreign code into this \
              process, where it sees keys, staging buffers and every pointer.",
    remedy: "Unset the variables that are shown. Preload nothing, allocators and profilers \
             included, into a process that holds weights.",
    attributes: VARIABLES,
    documentation: "ld.so(8); CUPTI: Injection",
    conditions,
};

fn conditions(facts: &HostFacts) -> Conditions {
    environment::none_of(facts, VARIABLES, |_, value| !value.is_empty()).into()
}
