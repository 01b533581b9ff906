//! A process that is killed while it seals and verifies, simulated devices and all.

use std::collections::BTreeSet;
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use vram_audit::{Options, Trail, files_of};
use vram_residency::TrailObserver;

use crate::audit::{key, records};
use crate::support::*;

const PATH: &str = "VRAM_RESIDENCY_TEST_TRAIL";
const RUN: &str = "VRAM_RESIDENCY_TEST_RUN";

/// Moments at which a process is killed.
const MOMENTS: u64 = 200;

/// Processes that continue one trail, each after the one before was killed.
const RUNS_PER_TRAIL: u64 = 10;

/// What runs in the process that is killed; alone it does nothing.
#[test]
fn child_seals_until_it_is_killed() {
    let (Ok(path), Ok(run)) = (env::var(PATH), env::var(RUN)) else {
        writeln!(
            io::stderr(),
            "SKIPPED: it is run by another test, as a child"
        )
        .unwrap();
        return;
    };
    let options = Options::new("killed")
        .unwrap()
        .checkpoint_every(20)
        .rotate_at(64 << 10);
    let audit = Arc::new(TrailObserver::new(
        Trail::open(&path, key(), options).unwrap(),
    ));
    let machine = machine();
    let manager = builder()
        .observer(audit)
        .build(&platform(&machine))
        .unwrap();
    let bytes = weights(5000);
    let mut out = io::stdout();
    let mut acknowledge = |what: &str| writeln!(out, "\nacknowledged {what}").unwrap();
    for number in 0_u64.. {
        let name = format!("{run}-{number}");
        let shard = seal(&manager, &name, &bytes);
        acknowledge(&name);
        manager.verify(&shard).map(drop).unwrap();
        if number == 40 {
            // The last thing that it does: damage, which is found and acknowledged too.
            let allocation = allocation_of(&machine, &bytes);
            machine.flip_bit(allocation, 5, 5).unwrap();
            manager.verify(&shard).map(drop).unwrap_err();
            acknowledge(&format!("failure-{run}"));
            std::thread::park();
        }
    }
}

/// Starts a process, kills it at some moment, and returns what it had acknowledged until then.
fn kill_one(path: &Path, run: u64, random: &mut TestRng) -> BTreeSet<String> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "killed::child_seals_until_it_is_killed",
            "--nocapture",
        ])
        .env(PATH, path)
        .env(RUN, run.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let acknowledged = |line: String| line.strip_prefix("acknowledged ").map(str::to_owned);
    let mut seen = BTreeSet::new();
    // Some are killed while they start, most after some acknowledgements and a while more, a few at the end.
    let wanted = match random.next_u32() % 10 {
        0 => 0,
        1 => 42,
        some => usize::try_from(some).unwrap(),
    };
    while seen.len() < wanted {
        seen.extend(acknowledged(lines.next().unwrap().unwrap()));
    }
    for _ in 0..random.next_u32() % 400_000 {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // The kill may have cut the last line short.
    let mut rest: Vec<_> = lines.map_while(Result::ok).collect();
    rest.pop();
    seen.extend(rest.into_iter().filter_map(acknowledged));
    seen
}

/// Covers: AU-3.
#[test]
fn a_killed_process_leaves_every_seal_and_failure_that_it_acknowledged() {
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[9; 32]);
    let (mut seals, mut failures) = (0, 0);
    for first in (0..MOMENTS).step_by(usize::try_from(RUNS_PER_TRAIL).unwrap()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut acknowledged = BTreeSet::new();
        for run in first..first + RUNS_PER_TRAIL {
            acknowledged.extend(kill_one(&path, run, &mut random));
            let begun = files_of(&path)
                .unwrap()
                .iter()
                .any(|file| std::fs::read(file).unwrap().contains(&b'\n'));
            if !begun {
                assert!(acknowledged.is_empty());
                continue;
            }
            let (records, _) = records(&path);
            let recorded: BTreeSet<_> = records
                .iter()
                .filter_map(|record| {
                    let shard = record.shard()?;
                    match record.name() {
                        "sealed" => Some(shard.to_owned()),
                        "verification_failed" => {
                            let (run, _) = shard.split_once('-')?;
                            Some(format!("failure-{run}"))
                        }
                        _ => None,
                    }
                })
                .collect();
            let missing: Vec<_> = acknowledged.difference(&recorded).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
        let of_failures = |name: &&String| name.starts_with("failure");
        let failed = acknowledged.iter().filter(of_failures).count();
        failures += failed;
        seals += acknowledged.len() - failed;
    }
    assert!(seals > 0 && failures > 0, "{seals} {failures}");
}
