//! The checks that judge the machine around the device, and our own process.

mod allocator;
mod core_dumps;
mod dumpable;
mod environment;
mod gpu_core_dumps;
mod heterogeneous_memory;
mod injected_libraries;
mod library_path;
mod mps;
mod ptrace_scope;
mod traced;
mod unified_memory;
mod visible_devices;
mod wsl;

use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::{HostFacts, OperatingSystem};

/// In the order in which reports list them.
pub(super) const ALL: &[Check<HostFacts>] = &[
    wsl::CHECK,
    unified_memory::CHECK,
    allocator::CHECK,
    visible_devices::CHECK,
    injected_libraries::CHECK,
    library_path::CHECK,
    mps::CHECK,
    gpu_core_dumps::CHECK,
    core_dumps::CHECK,
    dumpable::CHECK,
    ptrace_scope::CHECK,
    traced::CHECK,
    heterogeneous_memory::CHECK,
];

/// Conditions on what Linux alone has: where Windows has nothing of it to show, they do not apply.
fn on_linux(facts: &HostFacts, clauses: Vec<Clause>) -> Conditions {
    let nothing_seen = !clauses.iter().any(Clause::is_observed);
    if nothing_seen && facts.system == Some(OperatingSystem::Windows) {
        return Conditions::NotApplicable("Windows: there is no such thing");
    }
    clauses.into()
}
