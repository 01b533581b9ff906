//! `host.dumpable`: no process of the same user may look into the process.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::host::on_linux;
use crate::clause::{Clause, Conditions};
use crate::facts::HostFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<HostFacts> = Check {
    id: CheckId::HostDumpable,
    severity: Severity::High,
    levels: Levels::GUARD,
    meaning: "Every process of the same user may read this one's memory, through ptrace or \
              /proc/<pid>/mem: keys and staging buffers with it.",
    remedy: "Make the process not dumpable at its start: prctl(PR_SET_DUMPABLE, 0). The vram \
             command does so.",
    attributes: &["PR_GET_DUMPABLE"],
    documentation: "prctl(2): PR_SET_DUMPABLE; ptrace(2): Ptrace access mode checking",
    conditions,
};

fn conditions(facts: &HostFacts) -> Conditions {
    on_linux(
        facts,
        vec![Clause::must_be_false("dumpable", facts.dumpable)],
    )
}
