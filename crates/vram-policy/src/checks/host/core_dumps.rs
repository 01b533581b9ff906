//! `host.core-dumps`: the kernel makes no core dump of the process.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::host::on_linux;
use crate::clause::{Clause, Conditions, shown};
use crate::facts::HostFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<HostFacts> = Check {
    id: CheckId::HostCoreDumps,
    severity: Severity::High,
    levels: Levels::GUARD,
    meaning: "A crash writes this process's memory to a file, or hands it to a program: keys and \
              staging buffers with it.",
    remedy: "Set RLIMIT_CORE to 1 byte (prlimit --core=1:1), which also keeps it from programs \
             behind core_pattern; or to 0, and make the process not dumpable.",
    attributes: &[
        "RLIMIT_CORE",
        "/proc/sys/kernel/core_pattern",
        "PR_GET_DUMPABLE",
    ],
    documentation: "core(5): Piping core dumps to a program; getrlimit(2)",
    conditions,
};

/// Whether a limit of at most 1 ends what the pattern would do. No file is written then. Programs and
/// sockets get dumps whatever the limit is: but programs where it is 1, and none of a process that is not
/// dumpable.
fn is_closed(pattern: &str, limit: Option<u64>, dumpable: Option<bool>) -> bool {
    match pattern.chars().next() {
        Some('|') => limit == Some(1) || dumpable == Some(false),
        Some('@') => dumpable == Some(false),
        _ => true,
    }
}

fn conditions(facts: &HostFacts) -> Conditions {
    let dumpable = facts.dumpable;
    on_linux(
        facts,
        vec![
            Clause::that(
                "RLIMIT_CORE",
                facts.core_limit,
                "0 or 1",
                |limit| *limit <= 1,
                |limit| match *limit {
                    u64::MAX => "unlimited".to_owned(),
                    limit => limit.to_string(),
                },
            ),
            Clause::that(
                "core_pattern",
                facts.core_pattern.as_deref(),
                "closed by it",
                |pattern| is_closed(pattern, facts.core_limit, dumpable),
                |pattern| shown(pattern),
            ),
        ],
    )
}
