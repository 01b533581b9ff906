//! What the system keeps of our own process.

use core::fmt;

/// Asks for what the system keeps of our own process.
pub(crate) trait OwnProcess: fmt::Debug + Send + Sync {
    fn settings(&self) -> Settings;
}

/// Settings that decide who gets a copy of the process's memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The soft limit of core dumps in bytes; `u64::MAX` is "no limit".
    pub(crate) core_limit: Option<u64>,
    /// Whether the process can be dumped and traced by its user.
    pub(crate) dumpable: Option<bool>,
}

/// The process that this is.
#[derive(Debug)]
pub(crate) struct ThisProcess;

#[cfg(unix)]
impl OwnProcess for ThisProcess {
    fn settings(&self) -> Settings {
        let core = rustix::process::getrlimit(rustix::process::Resource::Core);
        Settings {
            core_limit: Some(core.current.unwrap_or(u64::MAX)),
            dumpable: dumpable(),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn dumpable() -> Option<bool> {
    use rustix::process::DumpableBehavior;

    rustix::process::dumpable_behavior()
        .ok()
        .map(|behavior| behavior == DumpableBehavior::Dumpable)
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn dumpable() -> Option<bool> {
    None
}

#[cfg(not(unix))]
impl OwnProcess for ThisProcess {
    fn settings(&self) -> Settings {
        Settings::default()
    }
}
