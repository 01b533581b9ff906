//! `host.library-path`: nothing in the environment changes where libraries are found.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::checks::host::environment;
use crate::clause::Conditions;
use crate::facts::HostFacts;
use crate::finding::Severity;
use crate::profile::Levels;

/// The variables that are looked at.
const VARIABLES: &[&str] = &["LD_LIBRARY_PATH"];

pub(in crate::checks) const CHECK: Check<HostFacts> = Check {
    id: CheckId::HostLibraryPath,
    severity: Severity::Low,
    levels: Levels::NOTED,
    meaning: "The environment says where libraries are looked for first: the driver's own, \
              libcuda among them, may come from there.",
    remedy: "Nothing needs to be done where those folders are trusted as the program is. \
             Otherwise unset it.",
    attributes: VARIABLES,
    documentation: "ld.so(8): LD_LIBRARY_PATH",
    conditions,
};

fn conditions(facts: &HostFacts) -> Conditions {
    environment::none_of(facts, VARIABLES, |_, value| !value.is_empty()).into()
}
