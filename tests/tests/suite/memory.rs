//! How much host memory sealing takes, whatever the model's size.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use vram_residency::{Progress, SealRequest, Stage};
use vram_sim::Machine;

use crate::rig::{MIB, builder, id, machine, platform};

const MODEL: u64 = 2048 * MIB;
const LIMIT: u64 = 256 * MIB;

/// Set in the child process that is measured, to where it writes what it saw.
const CHILD: &str = "VRAM_TEST_MEMORY_CHILD";

/// Bytes of memory that this process holds in RAM, files it has mapped left out.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = |name: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    };
    line("RssAnon:") + line("RssShmem:")
}

/// Remembers the most memory seen at any moment of the seal, simulated device memory left out.
struct Peak<'m> {
    machine: &'m Machine,
    most: AtomicU64,
}

impl Progress for Peak<'_> {
    fn advanced(&self, _: Stage, _: u64, _: u64) {
        let vram = self.machine.bytes_in_use(0).unwrap();
        self.most
            .fetch_max(resident().saturating_sub(vram), Ordering::Relaxed);
    }
}

/// The seal that is measured. `bytes_in_use` counts the whole region from the start, of which only
/// what has been copied so far is in RAM: the end of the upload is what counts, and is seen too.
fn seal_and_sample(report: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.bin");
    File::create(&path).unwrap().set_len(MODEL).unwrap();
    let machine = machine(MODEL + 64 * MIB);
    let manager = builder().build(&platform(&machine)).unwrap();
    let before = resident() - machine.bytes_in_use(0).unwrap().min(resident());
    let peak = Peak {
        machine: &machine,
        most: AtomicU64::new(0),
    };

    let shard = manager
        .seal(SealRequest::file(id("model"), &path).progress(&peak))
        .unwrap();

    assert_eq!(shard.size().0, MODEL);
    let most = peak.most.load(Ordering::Relaxed);
    assert!(most > 0, "nothing was sampled");
    fs::write(report, most.saturating_sub(before).to_string()).unwrap();
}

#[test]
fn sealing_two_gibibytes_takes_a_bounded_amount_of_host_memory() {
    if let Ok(report) = std::env::var(CHILD) {
        return seal_and_sample(&report);
    }
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("peak");

    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "memory::sealing_two_gibibytes_takes_a_bounded_amount_of_host_memory",
        ])
        .env(CHILD, &report)
        .stdout(Stdio::null())
        .status()
        .unwrap();

    assert!(status.success());
    let peak: u64 = fs::read_to_string(&report).unwrap().parse().unwrap();
    assert!(
        peak < LIMIT,
        "{peak} bytes beyond the simulated device's own"
    );
    // Staging alone is 32 MiB: less would mean that nothing was measured.
    assert!(peak > 16 * MIB, "{peak} bytes are less than staging takes");
}
