//! `vram seal --hold --audit`, killed: the trail holds what was acknowledged, and verifies to its last whole record.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::audit::keys;
use crate::model::{safetensors, write};
use crate::run::{run, vram};

/// Processes that are killed, each going on with the trail of the one before.
const KILLED: u64 = 24;

/// What the command says once everything is sealed, verified and recorded.
const ACKNOWLEDGED: &str = "holding 1 shard";

struct Site {
    folder: tempfile::TempDir,
    model: PathBuf,
    key: PathBuf,
    public: PathBuf,
    trail: PathBuf,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = write(folder.path(), "m.safetensors", &safetensors(5000));
        let (key, public) = keys(folder.path(), "writer");
        let trail = folder.path().join("audit.jsonl");
        Self {
            folder,
            model,
            key,
            public,
            trail,
        }
    }

    /// A process that seals, and then verifies without a pause.
    fn start(&self, shard: &str) -> Child {
        let said = std::fs::File::create(self.said()).unwrap();
        let mut command = vram();
        command
            .args(["seal", "--simulated", "--hold", "--verify-every", "1ms"])
            .args(["--id", shard, "--audit"])
            .arg(&self.trail)
            .arg("--signing-key")
            .arg(&self.key)
            .arg(&self.model);
        command.stdout(Stdio::piped()).stderr(said).spawn().unwrap()
    }

    /// Where it speaks to. A file: what is written there outlives the writer.
    fn said(&self) -> PathBuf {
        self.folder.path().join("said")
    }

    /// The shards that the trail says were sealed: of its whole lines, as it lies there.
    fn sealed(&self) -> Vec<String> {
        let Ok(text) = std::fs::read_to_string(&self.trail) else {
            return Vec::new();
        };
        let whole = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let records = whole.map(|line| serde_json::from_str::<Value>(line).unwrap());
        records
            .filter(|record| record["event"]["event"] == "sealed")
            .map(|record| {
                record["event"]["record"]["shard_id"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }
}

fn verifies(trail: &Path, public: &Path) {
    let (trail, public) = (trail.to_str().unwrap(), public.to_str().unwrap());
    let ran = run(["audit", "verify", trail, "--key", public]);
    assert_eq!(ran.code, 0, "{}{}", ran.text(), ran.stderr);
}

/// Sends SIGKILL, and waits until it is dead.
fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The shard is sealed, shown and verified once the command says that it holds it. It says so on stderr, after the
/// document on stdout, whose end is not read: the pipe has room for it.
fn wait_until_it_holds(site: &Site, child: &mut Child) {
    let mut out = BufReader::new(child.stdout.as_mut().unwrap());
    let mut line = String::new();
    while !line.contains("The shards are held now.") {
        line.clear();
        let read = out.read_line(&mut line).unwrap();
        assert!(
            read > 0,
            "{}",
            std::fs::read_to_string(site.said()).unwrap()
        );
    }
}

#[test]
fn a_holder_that_is_killed_leaves_a_trail_that_verifies_and_holds_every_seal_that_was_shown() {
    let site = Site::new();
    let chance = RandomState::new();
    let mut acknowledged = Vec::new();
    for number in 0..KILLED {
        let shard = format!("run-{number}");
        let mut child = site.start(&shard);
        // Half of them anywhere between their start and their work, half of them at work: after they said so, so that
        // there is something that was acknowledged, however slow the machine is.
        let draw = chance.hash_one(number);
        let moment = if number % 2 == 0 {
            Duration::from_micros(draw % 300_000)
        } else {
            wait_until_it_holds(&site, &mut child);
            Duration::from_micros(draw % 30_000)
        };
        std::thread::sleep(moment);
        kill(&mut child);

        let mut shown = String::new();
        let mut out = child.stdout.take().unwrap();
        out.read_to_string(&mut shown).unwrap();
        let said = std::fs::read_to_string(site.said()).unwrap();
        if number % 2 == 1 || said.contains(ACKNOWLEDGED) || shown.contains("Sealed") {
            acknowledged.push(shard);
        }
        if site.trail.exists() && !site.sealed().is_empty() {
            verifies(&site.trail, &site.public);
        }
        let sealed = site.sealed();
        for shard in &acknowledged {
            assert!(
                sealed.contains(shard),
                "{shard} was acknowledged and is not in the trail after {number} was killed: {said}"
            );
        }
    }

    assert!(acknowledged.len() >= usize::try_from(KILLED / 2).unwrap());
    // The next one goes on with what they left, and ends in order.
    let mut last = site.start("last");
    wait_until_it_holds(&site, &mut last);
    let pid = last.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(sent.unwrap().success());
    assert!(last.wait().unwrap().success());
    verifies(&site.trail, &site.public);
    assert!(site.sealed().contains(&"last".to_owned()));
}
