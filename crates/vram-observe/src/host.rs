//! The operating system around the process, and the process itself.

mod environment;
mod files;
mod mps;
mod process;

use vram_policy::{HostFacts, OperatingSystem};

pub(crate) use self::environment::Environment;
pub(crate) use self::files::Files;
pub(crate) use self::process::{OwnProcess, Settings, ThisProcess};

/// Looks at everything. Each thing that can't be read, or says nothing that makes sense, is `None`.
pub(crate) fn host_facts(
    files: &Files,
    environment: &Environment,
    process: &dyn OwnProcess,
) -> HostFacts {
    let Settings {
        core_limit,
        dumpable,
    } = process.settings();
    let here = HostFacts {
        system: Some(system()),
        environment: environment.watched(),
        core_limit,
        dumpable,
        ..HostFacts::default()
    };
    // Elsewhere these paths have no meaning, and that one isn't there says nothing.
    if !cfg!(target_os = "linux") {
        return here;
    }
    HostFacts {
        kernel_release: files.line("proc/sys/kernel/osrelease"),
        dxg_device: files.exists("dev/dxg"),
        mps_daemon: mps::daemon(files, environment.mps_pipe_directory()),
        heterogeneous_memory_management: heterogeneous_memory_management(files),
        core_pattern: core_pattern(files),
        ptrace_scope: files.number("proc/sys/kernel/yama/ptrace_scope"),
        traced: traced(files),
        ..here
    }
}

const fn system() -> OperatingSystem {
    if cfg!(target_os = "linux") {
        OperatingSystem::Linux
    } else if cfg!(windows) {
        OperatingSystem::Windows
    } else {
        OperatingSystem::Other
    }
}

/// A parameter of kernel modules that is a yes or no reads `Y` or `N`.
fn heterogeneous_memory_management(files: &Files) -> Option<bool> {
    match &*files.line("sys/module/nvidia_uvm/parameters/uvm_disable_hmm")? {
        "Y" => Some(false),
        "N" => Some(true),
        _ => None,
    }
}

/// An empty pattern is a pattern: files are then named after the process id, or nothing at all.
fn core_pattern(files: &Files) -> Option<String> {
    let text = files.text("proc/sys/kernel/core_pattern")?;
    Some(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

fn traced(files: &Files) -> Option<bool> {
    let status = files.text("proc/self/status")?;
    let tracer = status
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"))?;
    tracer.trim().parse::<u32>().ok().map(|pid| pid != 0)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
