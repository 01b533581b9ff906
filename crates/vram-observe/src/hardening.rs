//! Closing our own process to dumps and tracers.

use crate::Error;

/// What was done to close the process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step that failed leaves the process open"]
pub struct Hardening {
    /// `RLIMIT_CORE`, soft and hard, is 0: the kernel writes no core file.
    pub core_limit: Result<(), Error>,
    /// `PR_SET_DUMPABLE` is off: no core dump, to no program either, and no tracer without
    /// `CAP_SYS_PTRACE`. On Linux.
    pub dumpable: Result<(), Error>,
}

impl Hardening {
    /// Whether every step was done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.core_limit.is_ok() && self.dumpable.is_ok()
    }
}

/// Closes this process: no core dump may carry its memory to a disk, and no process of the same user may
/// read it through `ptrace` or `/proc/<pid>/mem`.
///
/// For programs, at their start: a library has no business to change its process. Nothing undoes the hard
/// limit, and child processes inherit it. While the process is not dumpable its files in `/proc` belong to
/// root. The driver's own core dumps of the GPU are decided by the environment, not by this.
pub fn harden() -> Hardening {
    Hardening {
        core_limit: end_core_files(),
        dumpable: end_dumps(),
    }
}

#[cfg(unix)]
fn end_core_files() -> Result<(), Error> {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(|error| Error::Hardening {
        step: "setting RLIMIT_CORE to 0",
        reason: error.to_string(),
    })
}

#[cfg(not(unix))]
fn end_core_files() -> Result<(), Error> {
    Err(Error::Hardening {
        step: "setting RLIMIT_CORE to 0",
        reason: "this system has no such limit".to_owned(),
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn end_dumps() -> Result<(), Error> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| Error::Hardening {
        step: "switching PR_SET_DUMPABLE off",
        reason: error.to_string(),
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn end_dumps() -> Result<(), Error> {
    Err(Error::Hardening {
        step: "switching PR_SET_DUMPABLE off",
        reason: "this system has no such switch".to_owned(),
    })
}
