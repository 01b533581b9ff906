//! `host.gpu-core-dumps`: the driver writes no core dumps of the device.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::host::environment;
use crate::clause::Conditions;
use crate::facts::HostFacts;
use crate::finding::Severity;
use crate::profile::Levels;

/// The variables that are looked at.
const VARIABLES: &[&str] = &[
    "CUDA_ENABLE_COREDUMP_ON_EXCEPTION",
    "CUDA_ENABLE_CPU_COREDUMP_ON_EXCEPTION",
    "CUDA_ENABLE_USER_TRIGGERED_COREDUMP",
];

pub(in crate::checks) const CHECK: Check<HostFacts> = Check {
    id: CheckId::HostGpuCoreDumps,
    severity: Severity::Critical,
    levels: Levels::PROMISE,
    meaning: "When a kernel fails, or when somebody asks, the driver writes the GPU's memory to a \
              file or pipe: the weights land on a disk.",
    remedy: "Unset the variables that are shown, or set them to 0.",
    attributes: VARIABLES,
    documentation: "CUDA-GDB: GPU core dump support; CUDA Driver API, Coredump Attributes Control \
                    API",
    conditions,
};

fn conditions(facts: &HostFacts) -> Conditions {
    environment::none_of(facts, VARIABLES, |_, value| environment::is_on(value)).into()
}
