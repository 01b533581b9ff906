//! `host.unified-memory`: nothing in the environment asks for unified memory.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::host::environment;
use crate::clause::Conditions;
use crate::facts::HostFacts;
use crate::finding::Severity;
use crate::profile::Levels;

/// The variables that are looked at.
const VARIABLES: &[&str] = &[
    "CUDA_MANAGED_FORCE_DEVICE_ALLOC",
    "GGML_CUDA_ENABLE_UNIFIED_MEMORY",
    "TF_FORCE_UNIFIED_MEMORY",
];

pub(in crate::checks) const CHECK: Check<HostFacts> = Check {
    id: CheckId::HostUnifiedMemory,
    severity: Severity::Critical,
    levels: Levels::PROMISE,
    meaning: "The environment makes an engine in this process allocate unified memory, which the \
              driver moves between host and device, or changes where the driver puts it.",
    remedy: "Unset the variables that are shown, and start the process again.",
    attributes: VARIABLES,
    documentation: "CUDA C++ Programming Guide: CUDA Environment Variables; llama.cpp: \
                    docs/build.md; TensorFlow and XLA: TF_FORCE_UNIFIED_MEMORY",
    conditions,
};

fn conditions(facts: &HostFacts) -> Conditions {
    environment::none_of(facts, VARIABLES, |name, value| match name {
        // llama.cpp looks whether it is there, not what it says.
        "GGML_CUDA_ENABLE_UNIFIED_MEMORY" => true,
        _ => environment::is_on(value),
    })
    .into()
}
