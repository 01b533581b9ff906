//! `vram seal --hold`: a process that goes on, and is asked how it is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

use crate::audit::keys;
use crate::model::{safetensors, write};
use crate::run::{Ran, run, vram};

/// A process that holds a shard. Killed if a test fails.
pub(crate) struct Held {
    child: Child,
    stderr: BufReader<ChildStderr>,
    address: String,
    said: String,
    folder: tempfile::TempDir,
}

impl Held {
    pub(crate) fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let command = Self::command(folder.path(), options);
        Self::of(command, folder)
    }

    fn command(folder: &Path, options: &[&str]) -> Command {
        let model = write(folder, "m.safetensors", &safetensors(5000));
        let mut command = vram();
        command
            .args(["seal", "--simulated", "--hold", "--metrics", "127.0.0.1:0"])
            .args(options)
            .arg(model);
        command
    }

    fn of(mut command: Command, folder: tempfile::TempDir) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut held = Self {
            child,
            stderr,
            address: String::new(),
            said: String::new(),
            folder,
        };
        let serving = held.until("serving http://");
        let address = serving.split("serving http://").nth(1).unwrap();
        held.address = address.split('/').next().unwrap().to_owned();
        held
    }

    /// Reads what it says until it says this.
    fn until(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended without {words:?}: {}", self.said);
            self.said.push_str(&line);
            if line.contains(words) {
                return line;
            }
        }
    }

    pub(crate) fn until_it_holds(mut self) -> Self {
        self.until("holding");
        self
    }

    /// The answer to these bytes: its status line, and what follows its head.
    fn ask(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.lines().next().unwrap().to_owned();
        (status, body.to_owned())
    }

    pub(crate) fn get(&self, path: &str) -> (String, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Lets no file of the process grow beyond so many bytes from now on.
    fn let_files_grow_to(&self, bytes: u64) {
        let pid = Pid::from_child(&self.child);
        let limit = Rlimit {
            current: Some(bytes),
            maximum: Some(bytes),
        };
        prlimit(Some(pid), Resource::Fsize, limit).unwrap();
    }

    /// Waits for its end: its exit code, stdout, and all that it said.
    fn end(mut self) -> (i32, String, String) {
        let mut stdout = String::new();
        let mut out = self.child.stdout.take().unwrap();
        out.read_to_string(&mut stdout).unwrap();
        self.stderr.read_to_string(&mut self.said).unwrap();
        let status = self.child.wait().unwrap();
        let said = std::mem::take(&mut self.said);
        assert!(!said.contains("panicked"), "{said}");
        (status.code().expect("no signal ends it"), stdout, said)
    }

    fn trail(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It has ended already, unless a test failed.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn value(text: &str, name: &str) -> Option<f64> {
    let is_it = |line: &&str| {
        line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} "))
    };
    text.lines().find(is_it)?.rsplit_once(' ')?.1.parse().ok()
}

/// Covers: OB-1.
#[test]
fn a_held_shard_is_verified_again_and_again_and_ends_on_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let held = Held::start(&["--verify-every", "20ms"]).until_it_holds();
        // Each answer is another moment: it gets there, or the test hangs.
        loop {
            let (status, text) = held.get("/metrics");
            assert_eq!(status, "HTTP/1.1 200 OK");
            if value(&text, "vram_verifications_total").is_some_and(|times| times >= 4.0) {
                assert_eq!(value(&text, "vram_ready"), Some(1.0), "{text}");
                assert_eq!(value(&text, "vram_shards"), Some(1.0), "{text}");
                break;
            }
        }
        let (status, body) = held.get("/readyz");
        assert_eq!(status, "HTTP/1.1 200 OK", "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["ok"], true);
        assert!(body["verified_seconds_ago"].is_number());
        assert_eq!(held.get("/healthz").0, "HTTP/1.1 200 OK");

        held.signal(signal);
        let (code, stdout, said) = held.end();

        assert_eq!(code, 0, "{said}");
        assert!(stdout.contains("The shards are held now."), "{stdout}");
    }
}

/// Covers: EX-2.4.
#[test]
fn a_signal_wipes_the_shards_and_closes_the_trail() {
    let folder = tempfile::tempdir().unwrap();
    let (key, public) = keys(folder.path(), "writer");
    let trail = folder.path().join("audit.jsonl");
    let trail_words = [trail.to_str().unwrap(), key.to_str().unwrap()];
    let options = ["--audit", trail_words[0], "--signing-key", trail_words[1]];
    let command = Held::command(folder.path(), &options);
    let held = Held::of(command, folder).until_it_holds();
    let (_, text) = held.get("/metrics");
    assert_eq!(value(&text, "vram_audit_running"), Some(1.0), "{text}");
    let path = held.trail();

    held.signal("-TERM");
    let kept = std::fs::read_to_string(&path).is_ok();
    assert!(kept);
    // The folder goes with what holds it: look before.
    let mut held = held;
    held.child.wait().unwrap();
    let verified = run([
        "audit",
        "verify",
        path.to_str().unwrap(),
        "--json",
        "--key",
        public.to_str().unwrap(),
    ]);
    let shown = run(["audit", "show", path.to_str().unwrap(), "--json"]).json();
    let (code, _, said) = held.end();

    assert_eq!(code, 0, "{said}");
    assert!(said.contains("ends with"), "{said}");
    assert_eq!(verified.code, 0, "{}", verified.text());
    assert_eq!(verified.json()["summary"]["ending"]["ending"], "closed");
    let records = shown["records"].as_array().unwrap();
    let names: Vec<_> = records
        .iter()
        .map(|record| record["event"]["event"].as_str().unwrap())
        .collect();
    assert_eq!(names[names.len() - 2..], ["freed", "manager_ended"]);
}

#[test]
fn a_trail_that_fails_ends_what_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let (key, _) = keys(folder.path(), "writer");
    let trail = folder.path().join("audit.jsonl");
    let model = write(folder.path(), "m.safetensors", &safetensors(5000));
    // A write beyond a limit on file sizes is to be an error rather than a signal.
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"trap '' XFSZ; exec "$@""#, "sh"])
        .arg(vram().get_program())
        .args(["seal", "--simulated", "--hold", "--verify-every", "1ms"])
        .args(["--metrics", "127.0.0.1:0", "--audit"])
        .arg(&trail)
        .arg("--signing-key")
        .arg(&key)
        .arg(&model);
    let held = Held::of(command, folder).until_it_holds();

    held.let_files_grow_to(1);
    let (code, _, said) = held.end();

    assert_eq!(code, 1, "{said}");
    assert!(said.contains("could not be recorded"), "{said}");
    assert!(said.contains("could not be closed"), "{said}");
}

#[test]
fn what_is_asked_in_another_way_is_refused() {
    let held = Held::start(&[]).until_it_holds();

    let (nowhere, _) = held.get("/secrets");
    let (posted, _) = held.ask("POST /metrics HTTP/1.1\r\n\r\n");
    let (garbage, _) = held.ask("\u{1}\u{2}\r\n\r\n");
    let (head, body) = held.ask("HEAD /readyz HTTP/1.1\r\n\r\n");
    let (long, _) = held.ask(&format!("GET /{} HTTP/1.1", "a".repeat(8192 - 14)));

    assert_eq!(nowhere, "HTTP/1.1 404 Not Found");
    assert_eq!(posted, "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(garbage, "HTTP/1.1 400 Bad Request");
    assert_eq!(long, "HTTP/1.1 431 Request Header Fields Too Large");
    assert_eq!((&*head, &*body), ("HTTP/1.1 200 OK", ""));
    // A client that says nothing keeps nobody from being served.
    let _silent = TcpStream::connect(&held.address).unwrap();
    assert_eq!(held.get("/healthz").0, "HTTP/1.1 200 OK");
    held.signal("-TERM");
    assert_eq!(held.end().0, 0);
}

#[test]
fn one_document_says_where_metrics_are_served() {
    let held = Held::start(&["--json", "--verify-every", "1h"]).until_it_holds();
    let address = held.address.clone();

    held.signal("-TERM");
    let (code, stdout, said) = held.end();

    assert_eq!(code, 0, "{said}");
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["hold"]["metrics"], address);
    assert_eq!(document["hold"]["verify_every_seconds"], 3600.0);
}

/// Covers: OB-2.
#[test]
fn metrics_are_not_served_to_others_unless_that_is_asked_for() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9464"] {
        let ran = run(["seal", "--simulated", "--hold", "--metrics", address]);

        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("--metrics-public"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("simulated device"), "{}", ran.stderr);
    }
    let held = Held::start(&["--metrics-public"]).until_it_holds();
    held.signal("-TERM");
    assert_eq!(held.end().0, 0);
}

#[test]
fn an_address_that_is_taken_is_refused_before_anything_is_sealed() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let ran = Ran::of(vram().args(["seal", "--simulated", "--hold", "--metrics", &address]));

    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("can't be served on"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("simulated device"), "{}", ran.stderr);
}

#[test]
fn what_belongs_to_holding_needs_it() {
    for options in [
        &["--verify-every", "1s"][..],
        &["--metrics", "127.0.0.1:0"],
        &["--hold", "--metrics-public"],
        &["--hold", "--verify-every", "0s"],
        &["--hold", "--verify-every", "soon"],
        &["--hold", "--verify-every=-1s"],
    ] {
        let ran = run([&["seal", "--simulated"], options].concat());

        assert_eq!(ran.code, 2, "{options:?}: {}", ran.stderr);
    }
}

#[test]
fn signals_right_after_the_first_do_not_cut_the_end_short() {
    let folder = tempfile::tempdir().unwrap();
    let (key, _) = keys(folder.path(), "writer");
    let trail = folder.path().join("audit.jsonl");
    let words = [trail.to_str().unwrap(), key.to_str().unwrap()];
    let command = Held::command(
        folder.path(),
        &["--audit", words[0], "--signing-key", words[1]],
    );
    let held = Held::of(command, folder).until_it_holds();

    let pid = Pid::from_child(&held.child);
    for signal in [Signal::TERM, Signal::INT, Signal::TERM, Signal::HUP] {
        kill_process(pid, signal).unwrap();
    }
    let (code, _, said) = held.end();

    assert_eq!(code, 0, "{said}");
    assert!(said.contains("ends with"), "{said}");
}

#[test]
fn a_terminal_that_hangs_up_ends_it_in_order() {
    let held = Held::start(&[]).until_it_holds();

    held.signal("-HUP");
    let (code, _, said) = held.end();

    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_signal_before_everything_is_sealed_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let (key, public) = keys(folder.path(), "writer");
    let trail = folder.path().join("audit.jsonl");
    let words = [trail.to_str().unwrap(), key.to_str().unwrap()];
    let options = ["--json", "--audit", words[0], "--signing-key", words[1]];
    let mut command = Held::command(folder.path(), &options);
    command.arg(write(
        folder.path(),
        "n.safetensors",
        &safetensors(64 << 20),
    ));
    // It listens for signals before it says where it serves, and seals after.
    let mut held = Held::of(command, folder);

    held.signal("-TERM");
    let stdout = {
        let mut stdout = String::new();
        let mut out = held.child.stdout.take().unwrap();
        out.read_to_string(&mut stdout).unwrap();
        stdout
    };
    held.stderr.read_to_string(&mut held.said).unwrap();
    let status = held.child.wait().unwrap();
    let ran = run([
        "audit",
        "verify",
        "--json",
        "--key",
        public.to_str().unwrap(),
        words[0],
    ]);

    assert_eq!(status.code(), Some(1), "{}", held.said);
    assert!(held.said.contains("a signal came before"), "{}", held.said);
    assert!(held.said.contains("ends with"), "{}", held.said);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert!(document["error"].is_object(), "{stdout}");
    assert!(document["shards"].is_null(), "{stdout}");
    assert_eq!(ran.json()["summary"]["ending"]["ending"], "closed");
}

#[test]
fn idle_clients_keep_nobody_from_learning_of_the_health() {
    let held = Held::start(&[]).until_it_holds();
    let idle: Vec<_> = (0..16)
        .map(|_| TcpStream::connect(&held.address).unwrap())
        .collect();

    assert_eq!(held.get("/healthz").0, "HTTP/1.1 200 OK");

    drop(idle);
    held.signal("-TERM");
    assert_eq!(held.end().0, 0);
}

#[test]
fn neither_shards_nor_trail_wait_for_a_client() {
    let folder = tempfile::tempdir().unwrap();
    let (key, _) = keys(folder.path(), "writer");
    let trail = folder.path().join("audit.jsonl");
    let words = [trail.to_str().unwrap(), key.to_str().unwrap()];
    let command = Held::command(
        folder.path(),
        &["--audit", words[0], "--signing-key", words[1]],
    );
    let mut held = Held::of(command, folder).until_it_holds();
    let mut idle = TcpStream::connect(&held.address).unwrap();
    // Whoever is answered came after: the idle one is being served by then.
    held.get("/healthz");

    held.signal("-TERM");
    held.until("ends with");

    // A client that was waited for would have been hung up on by now.
    idle.set_nonblocking(true).unwrap();
    let kind = idle.read(&mut [0]).unwrap_err().kind();
    assert_eq!(kind, std::io::ErrorKind::WouldBlock);
    drop(idle);
    assert_eq!(held.end().0, 0);
}

#[test]
fn a_run_that_fails_closes_its_trail() {
    let folder = tempfile::tempdir().unwrap();
    let (key, public) = keys(folder.path(), "writer");
    let trail = folder.path().join("audit.jsonl");
    let model = write(folder.path(), "m.safetensors", &safetensors(5000));
    let none = format!("sha256:{}", "0".repeat(64));
    let challenge = "1".repeat(64);
    for (command, code) in [
        (&["seal", "--expect", &none][..], 3),
        (&["attest", "--challenge", &challenge, "--expect", &none], 3),
    ] {
        let mut all = vram();
        all.args(command).arg("--simulated").arg(&model);
        all.arg("--audit")
            .arg(&trail)
            .arg("--signing-key")
            .arg(&key);
        let ran = Ran::of(&mut all);

        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(ran.stderr.contains("ends with"), "{}", ran.stderr);
        let trail = trail.to_str().unwrap();
        let verified = run([
            "audit",
            "verify",
            "--json",
            "--key",
            public.to_str().unwrap(),
            trail,
        ]);
        assert_eq!(verified.json()["summary"]["ending"]["ending"], "closed");
    }
}
