//! `--audit`, and `vram audit`: what was done is recorded, and what is recorded can be checked.

use std::path::{Path, PathBuf};

use serde_json::Value;
use vram_seal::{SignatureAlgorithm, SigningKey};

use crate::model::{safetensors, write};
use crate::run::{Ran, run, vram};

/// A folder with a model, a key pair and room for a trail.
struct Desk {
    folder: tempfile::TempDir,
    model: PathBuf,
    key: PathBuf,
    public: PathBuf,
    trail: PathBuf,
}

impl Desk {
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

    /// Runs a command on the simulated device with the trail.
    fn record(&self, command: &str, rest: &[&str]) -> Ran {
        let mut vram = vram();
        vram.args([command, "--simulated", "--audit"])
            .arg(&self.trail)
            .arg("--signing-key")
            .arg(&self.key);
        if command == "seal" {
            vram.arg(&self.model);
        }
        Ran::of(vram.args(rest))
    }

    fn sealed() -> Self {
        let desk = Self::new();
        let ran = desk.record("seal", &[]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        desk
    }

    /// `vram audit verify`, with further options.
    fn verify(&self, options: &[&str]) -> Ran {
        let mut vram = vram();
        vram.args(["audit", "verify"])
            .arg(&self.trail)
            .arg("--key")
            .arg(&self.public);
        Ran::of(vram.args(options))
    }

    fn show(&self, options: &[&str]) -> Ran {
        let mut vram = vram();
        vram.args(["audit", "show"]).arg(&self.trail);
        Ran::of(vram.args(options))
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.trail).unwrap()
    }

    fn put(&self, text: &str) {
        std::fs::write(&self.trail, text).unwrap();
    }
}

/// A key pair in files, the private one closed to others.
pub(crate) fn keys(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let key = SigningKey::generate(SignatureAlgorithm::Ed25519).unwrap();
    let private = key.expose_pkcs8_pem().unwrap();
    let public = key.verifying_key().to_spki_pem().unwrap();
    let private = write(folder, format!("{name}.key"), private.as_bytes());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let closed = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&private, closed).unwrap();
    }
    let public = write(folder, format!("{name}.pem"), public.as_bytes());
    (private, public)
}

fn events(ran: &Ran) -> Vec<String> {
    let document = ran.json();
    let records = document["records"].as_array().unwrap();
    let name = |record: &Value| record["event"]["event"].as_str().unwrap().to_owned();
    records.iter().map(name).collect()
}

#[test]
fn a_seal_is_recorded_and_the_trail_is_intact() {
    let desk = Desk::sealed();

    let ran = desk.verify(&[]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.text().contains("Intact."), "{}", ran.text());
    assert!(ran.text().contains("closed in order"), "{}", ran.text());
    assert!(ran.text().contains("all of it"), "{}", ran.text());
    let document = desk.verify(&["--json"]).json();
    assert_eq!(document["command"], "audit verify");
    assert_eq!(document["intact"], true);
    assert_eq!(document["summary"]["ending"]["ending"], "closed");
}

#[test]
fn a_document_says_which_trail_was_kept() {
    let desk = Desk::new();

    let sealed = desk.record("seal", &["--json"]).json();

    let verified = desk.verify(&["--json"]).json();
    assert_eq!(sealed["audit"]["trail_id"], verified["summary"]["id"]);
}

#[test]
fn a_drill_is_recorded_after_a_seal_in_the_same_trail() {
    let desk = Desk::sealed();

    let drilled = desk.record("drill", &["--size", "5000"]);

    assert_eq!(drilled.code, 0, "{}", drilled.stderr);
    assert_eq!(desk.verify(&[]).code, 0);
    let of_drill = desk.show(&["--json", "--shard", "drill"]);
    let told = events(&of_drill);
    let expected = ["allocated", "sealed", "verified", "verification_failed"];
    assert_eq!(told[..4], expected);
    let critical = events(&desk.show(&["--json", "--critical", "--event", "verification_failed"]));
    assert_eq!(critical, ["verification_failed"]);
    let stops = events(&desk.show(&["--json", "--event", "manager_stopped"]));
    assert_eq!(stops, ["manager_stopped"]);
}

/// Covers: AU-1.
#[test]
fn an_edited_removed_or_reordered_record_is_named() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let edited = |text: &str| text.replacen("m.safetensors", "n.safetensors", 1);
    let removed = |text: &str| {
        let mut lines = lines(text);
        lines.remove(5);
        lines.join("\n") + "\n"
    };
    let reordered = |text: &str| {
        let mut lines = lines(text);
        lines.swap(4, 5);
        lines.join("\n") + "\n"
    };
    let cut = |text: &str| text[..text.len() - 2].to_owned() + "x";
    type Tampering<'a> = &'a dyn Fn(&str) -> String;
    for (tamper, why) in [
        (&edited as Tampering<'_>, "edited"),
        (&removed, "removed"),
        (&reordered, "reordered"),
        (&cut, "edited"),
    ] {
        let desk = Desk::sealed();
        desk.put(&tamper(&desk.text()));

        let ran = desk.verify(&[]);

        assert_eq!(ran.code, 3, "{}", ran.text());
        assert!(ran.text().contains("Not intact:"), "{}", ran.text());
        assert!(ran.text().contains(why), "{why}: {}", ran.text());
        let document = desk.verify(&["--json"]).json();
        assert_eq!(document["intact"], false);
        assert_eq!(document["fault"]["why"], why);
        assert!(document["fault"]["line"].is_u64());
    }
}

/// Covers: AU-3.
#[test]
fn a_torn_last_line_is_no_tampering() {
    let desk = Desk::sealed();
    let text = desk.text();
    desk.put(&text[..text.len() - 30]);

    let ran = desk.verify(&[]);

    assert_eq!(ran.code, 0, "{}", ran.text());
    assert!(ran.text().contains("a torn last line"), "{}", ran.text());
    // And the next run goes on from there.
    assert_eq!(desk.record("seal", &[]).code, 0);
    let ran = desk.verify(&[]);
    assert!(ran.text().contains("Crashes"), "{}", ran.text());
}

#[test]
fn zeros_that_a_loss_of_power_left_are_no_tampering() {
    let desk = Desk::sealed();
    desk.put(&(desk.text() + &"\0".repeat(4096)));

    let ran = desk.verify(&[]);

    assert_eq!(ran.code, 0, "{}", ran.text());
    assert!(ran.text().contains("never written"), "{}", ran.text());
    let document = desk.verify(&["--json"]).json();
    assert_eq!(document["summary"]["ending"]["ending"], "zeroed");
    assert_eq!(document["summary"]["ending"]["bytes"], 4096);
}

#[cfg(unix)]
#[test]
fn a_copy_is_checked_and_shown_in_a_folder_that_others_may_write_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::sealed();
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(desk.folder.path(), open).unwrap();

    let verified = desk.verify(&[]);
    let shown = desk.show(&[]);

    assert_eq!(verified.code, 0, "{}", verified.stderr);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
}

#[test]
fn an_end_that_was_cut_off_is_found_by_the_head_that_was_noted() {
    let desk = Desk::new();
    let ran = desk.record("seal", &[]);
    let noted = ran.stderr.split("ends with ").nth(1).unwrap();
    let head = noted.split(';').next().unwrap();
    assert_eq!(desk.verify(&["--expect-head", head]).code, 0);
    let text = desk.text();
    let kept: Vec<_> = text.lines().take(6).collect();
    desk.put(&(kept.join("\n") + "\n"));

    assert_eq!(
        desk.verify(&[]).code,
        0,
        "nothing shows it without the head"
    );
    let ran = desk.verify(&["--expect-head", head]);

    assert_eq!(ran.code, 3, "{}", ran.text());
    assert!(ran.text().contains("truncated"), "{}", ran.text());
}

#[test]
fn another_key_vouches_for_nothing() {
    let desk = Desk::sealed();
    let (other_key, other) = keys(desk.folder.path(), "other");

    let mut command = vram();
    command.args(["audit", "verify"]).arg(&desk.trail);
    let ran = Ran::of(command.arg("--key").arg(other));

    assert_eq!(ran.code, 3, "{}", ran.text());
    let before = desk.text();
    let mut command = vram();
    command
        .args(["seal", "--simulated", "--audit"])
        .arg(&desk.trail);
    let ran = Ran::of(command.arg("--signing-key").arg(other_key));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("is not intact"), "{}", ran.stderr);
    assert_eq!(desk.text(), before);
}

#[test]
fn what_is_shown_is_chosen() {
    let desk = Desk::sealed();

    let table = desk.show(&["--key", desk.public.to_str().unwrap()]);
    let all = desk.show(&["--json", "--all"]).json();
    let last = desk.show(&["--json", "--last", "1"]);
    let none = desk.show(&["--since", "2999-01-01T00:00:00Z"]);

    assert_eq!(table.code, 0);
    for word in [
        "manager_started",
        "sealed",
        "m.safetensors",
        "manager_ended",
    ] {
        assert!(table.text().contains(word), "{}", table.text());
    }
    assert!(!table.stderr.contains("not verified"), "{}", table.stderr);
    assert_eq!(all["records"][0]["kind"], "genesis");
    assert_eq!(all["verified"], false);
    assert_eq!(events(&last), ["manager_ended"]);
    assert!(last.json()["matching"].as_u64().unwrap() > 1);
    assert_eq!(none.text(), "no such record\n");
    assert!(none.stderr.contains("not verified"), "{}", none.stderr);
}

#[test]
fn records_that_no_signature_covers_are_shown_as_such() {
    let desk = Desk::sealed();
    let key = ["--key", desk.public.to_str().unwrap()];
    let with_key = |rest: &[&str]| desk.show(&[&key, rest].concat());
    let whole = with_key(&["--json", "--all"]).json();
    let last = whole["records"].as_array().unwrap().last().unwrap();
    assert_eq!(whole["signed_through"], last["seq"]);
    assert!(!with_key(&[]).text().contains('?'));
    // Its writer is killed before the next checkpoint.
    let text = desk.text();
    let allocated = text.find(r#""event":"allocated""#).unwrap();
    let end = allocated + text[allocated..].find('\n').unwrap() + 1;
    desk.put(&text[..end]);

    let document = with_key(&["--json", "--all"]).json();
    let table = with_key(&["--all"]);
    let unverified = desk.show(&["--all"]);

    assert_eq!(document["verified"], true);
    let records = document["records"].as_array().unwrap();
    let (allocated, signed) = records.split_last().unwrap();
    let checkpoint = signed
        .iter()
        .rfind(|record| record["kind"] == "checkpoint")
        .unwrap();
    assert_eq!(document["signed_through"], checkpoint["seq"]);
    let marked = |text: &str| {
        let lines = text.lines().filter(|line| line.contains(" ? "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (checkpoint, last) = (&checkpoint["seq"], &allocated["seq"]);
    let expected = last.as_u64().unwrap() - checkpoint.as_u64().unwrap();
    let marked_lines = marked(table.text());
    assert_eq!(u64::try_from(marked_lines.len()).unwrap(), expected);
    let last_line = marked_lines.last().unwrap();
    assert!(last_line.trim_start().starts_with(&format!("{last} ?")));
    assert!(table.stderr.contains("not signed"), "{}", table.stderr);
    assert!(marked(unverified.text()).is_empty());
    let document = desk.show(&["--json"]).json();
    assert!(document["signed_through"].is_null());
}

#[test]
fn nothing_is_shown_of_a_trail_that_is_verified_and_not_intact() {
    let desk = Desk::sealed();
    desk.put(&desk.text().replacen("m.safetensors", "n.safetensors", 1));

    let ran = desk.show(&["--key", desk.public.to_str().unwrap()]);

    assert_eq!(ran.code, 3);
    assert_eq!(ran.text(), "");
    assert!(ran.stderr.contains("edited"), "{}", ran.stderr);
}

#[test]
fn a_record_does_not_draw_on_the_screen() {
    let desk = Desk::sealed();
    desk.put(&desk.text().replacen("m.safetensors", r"\u001b[2J\u202e", 1));

    let ran = desk.show(&[]);

    assert!(
        !ran.text().contains(['\u{1b}', '\u{202e}']),
        "{}",
        ran.text()
    );
}

#[test]
fn a_trail_needs_a_key_and_a_key_a_trail() {
    let desk = Desk::new();
    for option in ["--audit", "--signing-key", "--audit-name"] {
        let ran = run(["seal", "--simulated", option, "x"]);

        assert_eq!(ran.code, 2, "{option}: {}", ran.stderr);
    }
    let ran = run(["audit", "verify", desk.trail.to_str().unwrap()]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[test]
fn what_is_no_key_is_refused_before_anything_is_sealed() {
    let desk = Desk::new();
    let mut command = vram();
    command
        .args(["seal", "--simulated", "--audit"])
        .arg(&desk.trail)
        .arg("--signing-key")
        .arg(&desk.public);

    let ran = Ran::of(&mut command);

    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("can't be used"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("simulated"), "no device was opened");
    assert!(!desk.trail.exists());
}

/// Covers: CI-006.
#[test]
fn no_private_key_is_in_a_trail() {
    let desk = Desk::sealed();
    let pem = std::fs::read_to_string(&desk.key).unwrap();
    let secret = pem.lines().nth(1).unwrap();

    assert!(!desk.text().contains(secret));
    let shown = desk.show(&["--all", "--json"]);
    assert!(!shown.text().contains(secret));
}
