//! `host.wsl`: the device does not belong to a Windows host.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions, shown};
use crate::facts::{HostFacts, OperatingSystem};
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<HostFacts> = Check {
    id: CheckId::HostWsl,
    severity: Severity::Critical,
    levels: Levels::PROMISE,
    meaning: "This is Linux inside Windows (WSL): Windows manages the GPU's memory and pages it \
              to host memory when it likes, whatever the driver says here.",
    remedy: "Run on Linux itself. On Windows, \"Prefer No Sysmem Fallback\" in the NVIDIA control \
             panel narrows the hole and does not close it.",
    attributes: &["/dev/dxg", "uname -r"],
    documentation: "Microsoft, Windows Subsystem for Linux: GPU paravirtualization; CUDA on WSL \
                    User Guide",
    conditions,
};

/// Its own kernels call themselves `…-microsoft-standard-WSL2`; the first WSL's said `-Microsoft`.
fn is_microsofts(release: &str) -> bool {
    let release = release.to_ascii_lowercase();
    release.contains("microsoft") || release.contains("wsl")
}

fn conditions(facts: &HostFacts) -> Conditions {
    if facts.system == Some(OperatingSystem::Windows) && facts.dxg_device != Some(true) {
        return Conditions::NotApplicable("Windows itself: see device.driver-model");
    }
    vec![
        Clause::must_be_false("/dev/dxg", facts.dxg_device),
        Clause::that(
            "kernel",
            facts.kernel_release.as_deref(),
            "not Microsoft's",
            |release| !is_microsofts(release),
            |release| shown(release),
        ),
    ]
    .into()
}
