//! A process that is killed while it appends.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::json;
use vram_audit::{Options, Records, Source, Trail, Urgency, Verifier, files_of};

use crate::memory::{key, public_key};

const PATH: &str = "VRAM_AUDIT_TEST_TRAIL";
const RUN: &str = "VRAM_AUDIT_TEST_RUN";

/// Moments at which a process is killed.
const MOMENTS: u64 = 200;

/// Processes that continue one trail, each after the one before was killed.
const RUNS_PER_TRAIL: u64 = 5;

/// What runs in the process that is killed; alone it does nothing.
#[test]
fn child_appends_until_it_is_killed() {
    let (Ok(path), Ok(run)) = (env::var(PATH), env::var(RUN)) else {
        return;
    };
    let options = Options::new("killed")
        .unwrap()
        .checkpoint_every(5)
        .rotate_at(16 << 10);
    let trail = Trail::open(&path, key(), options).unwrap();
    let mut out = std::io::stdout();
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

/// Starts a process, kills it at some moment, and returns what it had acknowledged until then.
fn kill_one(path: &Path, run: u64, random: &mut TestRng) -> BTreeSet<String> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "killed::child_appends_until_it_is_killed",
            "--nocapture",
        ])
        .env(PATH, path)
        .env(RUN, run.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let acknowledged = |line: String| line.strip_prefix("acknowledged ").map(str::to_owned);
    let mut seen = BTreeSet::new();
    // Some are killed while they open the trail, the others after some acknowledgements and a while more.
    let wanted = usize::try_from(random.next_u32() % 6).unwrap();
    while seen.len() < wanted {
        seen.extend(acknowledged(lines.next().unwrap().unwrap()));
    }
    for _ in 0..random.next_u32() % 20_000 {
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

#[test]
fn a_killed_process_leaves_an_intact_trail_with_all_that_it_acknowledged() {
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]);
    let (mut verified, mut acknowledged_at_all) = (0, 0);
    for first in (0..MOMENTS).step_by(usize::try_from(RUNS_PER_TRAIL).unwrap()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let mut acknowledged = BTreeSet::new();
        for run in first..first + RUNS_PER_TRAIL {
            acknowledged.extend(kill_one(&path, run, &mut random));
            let files = files_of(&path).unwrap();
            let begun = files.iter().any(|file| file.metadata().unwrap().len() > 0);
            if !begun {
                assert!(acknowledged.is_empty());
                continue;
            }
            let verdict = Verifier::new([public_key()]).verify_files(&files).unwrap();
            if verdict.summary().records == 0 && acknowledged.is_empty() {
                continue;
            }
            assert!(verdict.is_intact(), "{verdict:?}");
            verified += 1;
            let recorded: BTreeSet<_> = Records::new(files.into_iter().map(Source::file))
                .map(Result::unwrap)
                .filter_map(|record| Some(record.event.get("id")?.as_str()?.to_owned()))
                .collect();
            let missing: Vec<_> = acknowledged.difference(&recorded).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
        acknowledged_at_all += acknowledged.len();
    }
    assert!(verified > 0 && acknowledged_at_all > 0);
}
