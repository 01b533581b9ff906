//! How much host memory sealing takes, whatever the model's size.

use std::fs::{self, File};
use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use vram_residency::{Progress, SealRequest, Stage};
use vram_sim::Machine;

use crate::rig::{MIB, builder, id, machine, platform};

const MODEL: u64 = 2048 * MIB;
const LIMIT: u64 = 256 * MIB;

/// Bytes that the child holds on purpose once it has sealed, to see them counted.
const HELD: usize = 300 << 20;

/// Set in the child process that is measured, to where it writes what it saw.
const CHILD: &str = "VRAM_TEST_MEMORY_CHILD";

/// Bytes of its own that this process has in RAM. The simulation's device memory and its page-locked
/// host memory are shared memory to the system, and not among them.
fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
    kibibytes.parse::<u64>().unwrap() * 1024
}

/// Bytes that are page-locked, used yet or not.
fn pinned(machine: &Machine) -> u64 {
    let views = machine.allocations(0).unwrap();
    let of_host = views.iter().filter(|view| view.kind.is_host());
    of_host.map(|view| view.size).sum()
}

/// The most that was seen of each kind, at whatever moment.
struct Peak<'m> {
    machine: &'m Machine,
    anonymous: AtomicU64,
    pinned: AtomicU64,
    sealed: AtomicBool,
}

impl Peak<'_> {
    fn sample(&self) {
        self.anonymous.fetch_max(anonymous(), Ordering::Relaxed);
    }

    /// Samples many times a second, until the seal is done.
    fn watch(&self) {
        while !self.sealed.load(Ordering::Relaxed) {
            self.sample();
            thread::park_timeout(Duration::from_millis(2));
        }
    }
}

impl Progress for Peak<'_> {
    fn advanced(&self, _: Stage, _: u64, _: u64) {
        self.sample();
        self.pinned
            .fetch_max(pinned(self.machine), Ordering::Relaxed);
    }
}

/// The seal that is measured, in a process of its own.
fn seal_and_sample(report: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.bin");
    File::create(&path).unwrap().set_len(MODEL).unwrap();
    let machine = machine(MODEL + 64 * MIB);
    let manager = builder().build(&platform(&machine)).unwrap();
    let peak = Peak {
        machine: &machine,
        anonymous: AtomicU64::new(0),
        pinned: AtomicU64::new(0),
        sealed: AtomicBool::new(false),
    };

    let shard = thread::scope(|scope| {
        let watcher = scope.spawn(|| peak.watch());
        let request = SealRequest::file(id("model"), &path).progress(&peak);
        let sealed = manager.seal(request);
        peak.sealed.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
        sealed
    });

    assert_eq!(shard.unwrap().size().0, MODEL);
    let (most, pinned) = (peak.anonymous.into_inner(), peak.pinned.into_inner());
    let before = anonymous();
    let held = black_box(vec![1_u8; HELD]);
    let seen = anonymous().saturating_sub(before);
    drop(held);
    fs::write(report, format!("{most} {pinned} {seen}")).unwrap();
}

#[test]
fn sealing_two_gibibytes_takes_a_bounded_amount_of_host_memory() {
    if let Ok(report) = std::env::var(CHILD) {
        return seal_and_sample(&report);
    }
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("peak");
    let this = "memory::sealing_two_gibibytes_takes_a_bounded_amount_of_host_memory";

    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", this])
        .env(CHILD, &report)
        .output()
        .unwrap();

    assert!(child.status.success(), "{child:?}");
    let report = fs::read_to_string(&report).unwrap();
    let numbers = report.split(' ').map(|number| number.parse().unwrap());
    let [anonymous, pinned, seen] = numbers.collect::<Vec<u64>>()[..] else {
        panic!("{report}")
    };
    assert!(
        anonymous + pinned < LIMIT,
        "{anonymous} bytes of its own and {pinned} page-locked, beyond the simulated device's"
    );
    // Staging is 4 buffers of 8 MiB: less would mean that it was not seen.
    assert!(pinned >= 32 * MIB, "{pinned} bytes page-locked");
    // What the limit forbids would have been seen.
    assert!(seen >= LIMIT, "{seen} bytes more, of {HELD} held");
}
