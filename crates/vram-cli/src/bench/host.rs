//! The host: what it is, and what it has free.

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::thread;

use serde::Serialize;
use vram_alloc::Bytes;

/// The host as reports describe it; nothing where the system doesn't say.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Host {
    pub(super) cpu: Option<String>,
    /// Threads that this process may run at a time.
    pub(super) cores: usize,
    pub(super) memory: Option<Bytes>,
    pub(super) kernel: Option<String>,
}

impl Host {
    pub(super) fn look() -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").ok();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        Self {
            cpu: cpu.and_then(|text| field(&text, "model name").map(str::to_owned)),
            cores: cores(),
            memory: meminfo("MemTotal").map(Bytes),
            kernel: kernel.map(|release| format!("Linux {}", release.trim())),
        }
    }
}

/// Threads that this process may run at a time.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Memory that could be used without swapping, in bytes: the system's, or less where a control group
/// allows less.
pub(super) fn available_memory() -> Option<u64> {
    let system = meminfo("MemAvailable")?;
    let read = |name: &str| -> Option<u64> {
        let text = fs::read_to_string(Path::new("/sys/fs/cgroup").join(name)).ok()?;
        text.trim().parse().ok()
    };
    // What the group uses includes the page cache, which can be taken back, so it isn't counted.
    Some(read("memory.max").map_or(system, |limit| limit.min(system)))
}

/// Free space of the file system that a folder is on, in bytes.
#[cfg(unix)]
pub(super) fn free_space(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Unknown here.
#[cfg(not(unix))]
pub(super) fn free_space(_: &Path) -> Option<u64> {
    None
}

/// Memory of this process that belongs to no file, in bytes.
pub(super) fn anonymous_memory() -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "RssAnon")
}

fn meminfo(name: &str) -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/meminfo").ok()?, name)
}

/// A line `name: 123 kB`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let value = field(text, name)?.strip_suffix("kB")?;
    value.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The value of the first line `name: value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.trim() == name)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "MemTotal:  24 kB\nMemAvailable:      3 kB\nmodel name\t: A CPU\n";

        assert_eq!(kibibytes(text, "MemAvailable"), Some(3072));
        assert_eq!(kibibytes(text, "MemTotal"), Some(24 * 1024));
        assert_eq!(field(text, "model name"), Some("A CPU"));
        assert_eq!(field(text, "Mem"), None);
        assert_eq!(kibibytes(text, "model name"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_says_what_it_has() {
        let host = Host::look();

        assert!(host.cores > 0 && host.memory.is_some() && host.kernel.is_some());
        assert!(available_memory().is_some_and(|bytes| bytes > 0));
        assert!(anonymous_memory().is_some_and(|bytes| bytes > 0));
        assert!(free_space(Path::new(".")).is_some());
        assert_eq!(free_space(Path::new("no/such/folder")), None);
    }
}
