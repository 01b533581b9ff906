//! A process that is killed while it opens, appends to, rotates and resumes a trail.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::json;
use vram_audit::{Kind, Options, Record, Records, Source, Trail, Urgency, Verifier, files_of};

use crate::memory::{key, public_key};

const PATH: &str = "VRAM_AUDIT_TEST_TRAIL";
const RUN: &str = "VRAM_AUDIT_TEST_RUN";
/// Whether the delay begins when the trail is about to be opened, or once it is open.
const OPENING: &str = "VRAM_AUDIT_TEST_OPENING";
const DELAY: &str = "VRAM_AUDIT_TEST_DELAY_NANOS";

/// Moments at which a process is killed.
const MOMENTS: u64 = 200;

/// Processes that continue one trail, each after the one before was killed.
const RUNS_PER_TRAIL: u64 = 5;

/// Within each of its phases at least so many are killed.
const LEAST: u32 = 8;

/// How long after it was opened a trail lives at most.
const LIFE: Duration = Duration::from_millis(10);

/// What a process was doing when it was killed, as what it left shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Creating a trail: its opening is not there, or not signed.
    Opening,
    /// Opening a trail that is there: the new opening is not there, or not signed.
    Resuming,
    /// Between two files: one is signed off, and no event is in another.
    Rotating,
    Appending,
}

/// What runs in the process that is killed; alone it does nothing.
///
/// It kills itself, by a thread of its own: a signal from another process would come some scheduling later,
/// and so mostly in the same phases.
#[test]
fn child_appends_until_it_is_killed() {
    let (Ok(path), Ok(run)) = (env::var(PATH), env::var(RUN)) else {
        writeln!(
            io::stderr(),
            "SKIPPED: it is run by another test, as a child"
        )
        .unwrap();
        return;
    };
    let delay = Duration::from_nanos(env::var(DELAY).unwrap().parse().unwrap());
    let is_open = Arc::new(AtomicBool::new(env::var(OPENING).is_ok()));
    let begun = Arc::new(AtomicBool::new(false));
    std::thread::spawn({
        let (is_open, begun) = (Arc::clone(&is_open), Arc::clone(&begun));
        move || {
            begun.store(true, Ordering::Release);
            while !is_open.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            let since = Instant::now();
            while since.elapsed() < delay {
                std::hint::spin_loop();
            }
            let this = rustix::process::getpid();
            rustix::process::kill_process(this, rustix::process::Signal::KILL).unwrap();
        }
    });
    let options = Options::new("killed")
        .unwrap()
        .checkpoint_every(5)
        .rotate_at(Options::MIN_ROTATE_AT);
    while !begun.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    let trail = Trail::open(&path, key(), options).unwrap();
    is_open.store(true, Ordering::Release);
    let mut out = io::stdout();
    for number in 0_u64.. {
        let critical = number % 3 == 0;
        let event = json!({"event": "e", "id": format!("{run}-{number}")});
        trail
            .append(Urgency::critical_if(critical), &event)
            .unwrap();
        if critical {
            writeln!(out, "\nacknowledged {run}-{number}").unwrap();
        }
    }
}

/// Starts a process that is killed, and returns what it had acknowledged until then.
fn kill_one(path: &Path, run: u64, opening: bool, delay: Duration) -> BTreeSet<String> {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "killed::child_appends_until_it_is_killed",
            "--nocapture",
        ])
        .env(PATH, path)
        .env(RUN, run.to_string())
        .env(DELAY, delay.as_nanos().to_string())
        .stdout(Stdio::piped());
    if opening {
        command.env(OPENING, "1");
    }
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    let mut out = child.stdout.take().unwrap();
    out.read_to_string(&mut said).unwrap();
    assert!(!child.wait().unwrap().success(), "{said}");
    // The kill may have cut the last line short.
    let whole = said.rfind('\n').map_or("", |end| &said[..end]);
    let lines = whole.lines();
    lines
        .filter_map(|line| line.strip_prefix("acknowledged "))
        .map(str::to_owned)
        .collect()
}

/// What the process was doing that found this many records.
fn phase(found: usize, records: &[Record], last_file_is_begun: bool) -> Phase {
    let signed_off = |record: &Record| record.event.get("reason") == Some(&json!("rotated"));
    // Where the one before was killed between two files, the next begins with the continuation.
    let new = records.get(found..).unwrap_or_default();
    let is_open = new
        .iter()
        .any(|record| record.event.get("reason") == Some(&json!("opened")));
    match records.last() {
        _ if !is_open && found == 0 => Phase::Opening,
        _ if !is_open => Phase::Resuming,
        Some(last) if signed_off(last) || last.kind == Kind::Continued || !last_file_is_begun => {
            Phase::Rotating
        }
        _ => Phase::Appending,
    }
}

/// Covers: AU-3.
#[test]
fn a_killed_process_leaves_an_intact_trail_with_all_that_it_acknowledged() {
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]);
    let mut phases = BTreeMap::new();
    let mut acknowledged_at_all = 0;
    // How long opening takes here, creating first and resuming second: it follows what is found.
    let mut opening_takes = [Duration::from_micros(500); 2];
    for first in (0..MOMENTS).step_by(usize::try_from(RUNS_PER_TRAIL).unwrap()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let mut acknowledged = BTreeSet::new();
        let mut found = 0;
        for run in first..first + RUNS_PER_TRAIL {
            let opening = run == first || random.next_u32().is_multiple_of(3);
            let takes = &mut opening_takes[usize::from(found > 0)];
            let span = if opening { *takes } else { LIFE };
            let share = f64::from(random.next_u32()) / f64::from(u32::MAX);
            acknowledged.extend(kill_one(&path, run, opening, span.mul_f64(share)));
            let files = files_of(&path).unwrap();
            let verdict = Verifier::new([public_key()]).verify_files(&files);
            let records: Vec<_> = Records::new(files.iter().map(Source::file))
                .map(Result::unwrap)
                .collect();
            let newest = files.last().map(|newest| std::fs::read(newest).unwrap());
            let last_file_is_begun = newest.is_some_and(|bytes| bytes.contains(&b'\n'));
            let phase = phase(found, &records, last_file_is_begun);
            *phases.entry(phase).or_insert(0_u32) += 1;
            if opening {
                // Late ones show that it is quicker, early ones hardly that it is slower.
                let is_late = !matches!(phase, Phase::Opening | Phase::Resuming);
                *takes = takes.mul_f64(if is_late { 0.8 } else { 1.1 });
            }
            if records.is_empty() {
                assert!(acknowledged.is_empty());
                continue;
            }
            found = records.len();
            let verdict = verdict.unwrap();
            assert!(verdict.is_intact(), "{verdict:?}");
            let recorded: BTreeSet<_> = records
                .iter()
                .filter_map(|record| Some(record.event.get("id")?.as_str()?.to_owned()))
                .collect();
            let missing: Vec<_> = acknowledged.difference(&recorded).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
        acknowledged_at_all += acknowledged.len();
    }
    assert!(acknowledged_at_all > 0);
    for phase in [
        Phase::Opening,
        Phase::Resuming,
        Phase::Rotating,
        Phase::Appending,
    ] {
        let hits = phases.get(&phase).copied().unwrap_or(0);
        assert!(hits >= LEAST, "{phase:?}: {hits} of {phases:?}");
    }
}
