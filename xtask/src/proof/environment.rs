//! What a bundle was made on. What identifies the machine or the card is not asked for.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use super::model::{Environment, Gpu};
use crate::process;

pub(super) fn observe(tools: BTreeMap<String, String>) -> Environment {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let said = |command: &mut Command| said(command).unwrap_or_else(|| "unknown".to_owned());
    Environment {
        rustc: said(Command::new("rustc").arg("--version")),
        cargo: said(process::cargo().arg("--version")),
        system: after(&release, "PRETTY_NAME=").map(|name| name.trim_matches('"').to_owned()),
        kernel: Some(kernel.trim().to_owned()).filter(|kernel| !kernel.is_empty()),
        architecture: std::env::consts::ARCH.to_owned(),
        cpu: after(&cpuinfo, "model name")
            .map(|name| name.trim_start_matches([' ', '\t', ':']).to_owned()),
        cores: std::thread::available_parallelism()
            .ok()
            .and_then(|cores| u64::try_from(cores.get()).ok()),
        memory: memory(&meminfo),
        gpu: gpu(),
        tools,
    }
}

/// What follows a word at the beginning of a line.
fn after(text: &str, word: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    Some(line.trim().to_owned())
}

fn memory(meminfo: &str) -> Option<u64> {
    let kibibytes: u64 = after(meminfo, "MemTotal:")?
        .strip_suffix(" kB")?
        .trim()
        .parse()
        .ok()?;
    kibibytes.checked_mul(1024)
}

/// The first GPU, where there is one with its driver.
fn gpu() -> Option<Gpu> {
    let said = said(
        Command::new("nvidia-smi")
            .args(["--query-gpu=name,driver_version", "--format=csv,noheader"]),
    )?;
    let (name, driver) = said.lines().next()?.split_once(", ")?;
    Some(Gpu {
        name: name.to_owned(),
        driver: driver.to_owned(),
    })
}

/// What a program says of itself; `None` where it can't be run.
pub(super) fn said(command: &mut Command) -> Option<String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_in_bytes() {
        assert_eq!(
            memory("MemTotal:       24737564 kB\nMemFree: 1 kB\n"),
            Some(25_331_265_536)
        );
        assert_eq!(memory("MemTotal: much\n"), None);
    }

    #[test]
    fn a_program_that_is_not_there_says_nothing() {
        assert_eq!(said(&mut Command::new("/nonexistent/program")), None);
        assert_eq!(said(&mut Command::new("false")), None);
    }
}
