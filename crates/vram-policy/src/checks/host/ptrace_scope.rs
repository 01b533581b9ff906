//! `host.ptrace-scope`: the system restricts who may trace whom.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::host::on_linux;
use crate::clause::{Clause, Conditions};
use crate::facts::HostFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<HostFacts> = Check {
    id: CheckId::HostPtraceScope,
    severity: Severity::Medium,
    levels: Levels::PRACTICE,
    meaning: "Every process may trace every other one of its user, unless that one has closed \
              itself.",
    remedy: "sysctl kernel.yama.ptrace_scope=1, or more.",
    attributes: &["/proc/sys/kernel/yama/ptrace_scope"],
    documentation: "ptrace(2): /proc/sys/kernel/yama/ptrace_scope; Linux kernel: Yama",
    conditions,
};

fn conditions(facts: &HostFacts) -> Conditions {
    on_linux(
        facts,
        vec![Clause::that(
            "ptrace_scope",
            facts.ptrace_scope,
            "at least 1",
            |scope| *scope >= 1,
            u32::to_string,
        )],
    )
}
