//! `host.traced`: nobody traces the process.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::host::on_linux;
use crate::clause::{Clause, Conditions};
use crate::facts::HostFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<HostFacts> = Check {
    id: CheckId::HostTraced,
    severity: Severity::Critical,
    levels: Levels::PROMISE,
    meaning: "A debugger or tracer is attached to this process: it reads and changes all that is \
              in it, permits and keys included.",
    remedy: "Detach it. For debugging there is the development profile.",
    attributes: &["/proc/self/status: TracerPid"],
    documentation: "proc_pid_status(5): TracerPid",
    conditions,
};

fn conditions(facts: &HostFacts) -> Conditions {
    on_linux(facts, vec![Clause::must_be_false("traced", facts.traced)])
}
