//! `host.allocator`: the environment leaves engines their usual allocator.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::host::environment;
use crate::clause::Conditions;
use crate::facts::HostFacts;
use crate::finding::Severity;
use crate::profile::Levels;

/// The variables that are looked at.
const VARIABLES: &[&str] = &[
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "XLA_PYTHON_CLIENT_ALLOCATOR",
];

pub(in crate::checks) const CHECK: Check<HostFacts> = Check {
    id: CheckId::HostAllocator,
    severity: Severity::Medium,
    levels: Levels::PRACTICE,
    meaning: "The environment changes how an engine in this process gets device memory: regions \
              handed in from it can lie in pools of the driver, be mapped in pieces, or be \
              exportable.",
    remedy: "Unset the variables that are shown where weights are handed in from such an engine. \
             Each region is judged for itself in any case.",
    attributes: VARIABLES,
    documentation: "PyTorch, CUDA semantics: Optimizing memory usage; JAX: GPU memory allocation",
    conditions,
};

/// Whether an option of `PyTorch`'s, as `backend:cudaMallocAsync`, changes where memory comes from.
fn changes_pytorch(option: &str) -> bool {
    let (name, value) = option.split_once(':').unwrap_or((option, ""));
    match name.trim() {
        "backend" => value.trim() != "native",
        "expandable_segments" => !value.trim().eq_ignore_ascii_case("false"),
        _ => false,
    }
}

fn conditions(facts: &HostFacts) -> Conditions {
    environment::none_of(facts, VARIABLES, |name, value| match name {
        "XLA_PYTHON_CLIENT_ALLOCATOR" => !matches!(value.trim(), "" | "default" | "bfc"),
        _ => value.split(',').any(changes_pytorch),
    })
    .into()
}
