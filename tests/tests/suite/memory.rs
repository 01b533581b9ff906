//! How much host memory sealing takes, whatever the model's size.

use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use vram_residency::{HostHashing, Manager, Progress, SealRequest, Stage};
use vram_sim::Machine;

use crate::rig::{MIB, builder, id, machine, platform};

const MODEL: u64 = 2048 * MIB;
const LIMIT: u64 = 256 * MIB;

/// What may be page-locked at a time, by default.
const STAGING: u64 = 192 * MIB;

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

/// Seals that are measured, in a process of their own.
type Seals = fn(&Manager, &Path, &Peak<'_>);

/// A file of its own size in zeros, which takes no room.
fn sparse(path: &Path, size: u64) {
    File::create(path).unwrap().set_len(size).unwrap();
}

fn seal_and_sample(report: &str, memory: u64, seals: Seals) {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(memory);
    let manager = builder().build(&platform(&machine)).unwrap();
    let peak = Peak {
        machine: &machine,
        anonymous: AtomicU64::new(0),
        pinned: AtomicU64::new(0),
        sealed: AtomicBool::new(false),
    };

    thread::scope(|scope| {
        let watcher = scope.spawn(|| peak.watch());
        seals(&manager, folder.path(), &peak);
        peak.sealed.store(true, Ordering::Relaxed);
        watcher.thread().unpark();
    });

    let (most, pinned) = (peak.anonymous.into_inner(), peak.pinned.into_inner());
    let before = anonymous();
    let held = black_box(vec![1_u8; HELD]);
    let seen = anonymous().saturating_sub(before);
    drop(held);
    fs::write(report, format!("{most} {pinned} {seen}")).unwrap();
}

/// Runs the seals in a child process, which is this test run again, and requires that they stay
/// within the bounds. Returns the most that was page-locked.
fn require_bounded(test: &str, memory: u64, seals: Seals) -> Option<u64> {
    if let Ok(report) = std::env::var(CHILD) {
        seal_and_sample(&report, memory, seals);
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("peak");

    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
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
    assert!(pinned <= STAGING, "{pinned} bytes page-locked");
    // What the limit forbids would have been seen.
    assert!(seen >= LIMIT, "{seen} bytes more, of {HELD} held");
    Some(pinned)
}

/// Covers: VP-003.
#[test]
fn sealing_two_gibibytes_takes_a_bounded_amount_of_host_memory() {
    let test = "memory::sealing_two_gibibytes_takes_a_bounded_amount_of_host_memory";
    let pinned = require_bounded(test, MODEL + 64 * MIB, |manager, folder, peak| {
        let path = folder.join("model.bin");
        sparse(&path, MODEL);
        let request = SealRequest::file(id("model"), &path).progress(peak);

        let shard = manager.seal(request).unwrap();

        assert_eq!(shard.size().0, MODEL);
    });
    // Less than one buffer would mean that it was not seen.
    assert!(pinned.is_none_or(|pinned| pinned >= 2 * MIB));
}

#[test]
fn many_seals_at_once_share_the_same_bounded_staging() {
    const SEALS: u64 = 60;
    const EACH: u64 = 9 * MIB;
    let test = "memory::many_seals_at_once_share_the_same_bounded_staging";
    let pinned = require_bounded(test, 1024 * MIB, |manager, folder, peak| {
        let path = folder.join("model.bin");
        sparse(&path, EACH);
        thread::scope(|scope| {
            for number in 0..SEALS {
                let path = &path;
                scope.spawn(move || {
                    let hashing = match number % 2 {
                        0 => HostHashing::Verity,
                        _ => HostHashing::ContentAndVerity,
                    };
                    let request = SealRequest::file(id(&format!("model-{number}")), path)
                        .hashing(hashing)
                        .progress(peak);
                    manager.seal(request).unwrap()
                });
            }
        });
    });
    // Several seals were under way at some moment, or nothing was shared.
    assert!(pinned.is_none_or(|pinned| pinned >= 16 * MIB), "{pinned:?}");
}
