//! `vram challenge`, `vram attest` and `vram verify-evidence`.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::model;
use crate::run::{Ran, has, run, vram};

/// Private and public keys that `openssl` wrote.
const KEYS: [(&str, &str, &str); 2] = [
    (
        "ed25519",
        include_str!("../../../vram-seal/tests/vectors/keys/ed25519.pem"),
        include_str!("../../../vram-seal/tests/vectors/keys/ed25519.pub.pem"),
    ),
    (
        "p256",
        include_str!("../../../vram-seal/tests/vectors/keys/p256.pem"),
        include_str!("../../../vram-seal/tests/vectors/keys/p256.pub.pem"),
    ),
];

/// What has to be accepted of a small file on a simulated device.
const RELAXED: [&str; 5] = [
    "--accept-simulated",
    "--accept-warnings",
    "--accept-unproven-residency",
    "--profile",
    "development",
];

/// A folder with a model file, and both sides' keys.
struct Site {
    folder: TempDir,
    challenge: String,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, private, public) in KEYS {
            std::fs::write(folder.path().join(format!("{name}.pub")), public).unwrap();
            private_file(&folder.path().join(format!("{name}.key")), private);
        }
        let site = Self {
            folder,
            challenge: run(["challenge"]).text().trim_end().to_owned(),
        };
        site.write("model.bin", &bytes(600_001));
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Attests `model.bin` into `evidence.json`.
    fn attest(&self, key: &str, more: &[&str]) -> Ran {
        let mut arguments = vec!["attest", "--simulated", "model.bin", "-o", "evidence.json"];
        let key = format!("{key}.key");
        arguments.extend(["--challenge", &self.challenge, "--signing-key", &key]);
        arguments.extend(more);
        self.run(arguments)
    }

    /// Verifies `evidence.json` with everything known, and with `more`.
    fn verify(&self, key: &str, more: &[&str]) -> Ran {
        let key = format!("{key}.pub");
        let mut arguments = vec!["verify-evidence", "evidence.json", "--key", &key];
        arguments.extend(more);
        self.run(arguments)
    }

    fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ran {
        Ran::of(vram().current_dir(&self.folder).args(arguments))
    }
}

#[cfg(unix)]
fn private_file(path: &Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

#[cfg(not(unix))]
fn private_file(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn bytes(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

/// The kinds of the failures of a refusal.
fn kinds(ran: &Ran) -> Vec<String> {
    let document = ran.json();
    assert_eq!(document["verified"], false, "{document}");
    let failures = document["failures"].as_array().unwrap();
    let kind = |failure: &Value| failure["kind"].as_str().unwrap().to_owned();
    let mut kinds: Vec<_> = failures.iter().map(kind).collect();
    kinds.dedup();
    kinds
}

/// Covers: EV-2.
#[test]
fn a_challenge_is_32_bytes_and_never_the_same() {
    let challenge = run(["challenge"]);
    let document = run(["challenge", "--json"]).json();

    assert_eq!(challenge.text().trim_end().len(), 64);
    assert_ne!(document["challenge"], challenge.text().trim_end());
}

/// Covers: VP-006.
#[test]
fn evidence_is_verified_by_whoever_has_the_file_and_the_challenge() {
    for (key, ..) in KEYS {
        let site = Site::new();
        let attested = site.attest(key, &["--id", "model:0"]);
        assert_eq!(attested.code, 0, "{}", attested.stderr);
        assert!(
            attested.text().contains("verify-evidence"),
            "{}",
            attested.text()
        );

        let challenge = ["--challenge", &site.challenge];
        let given = [challenge.as_slice(), &["--shard", "model:0=model.bin"]].concat();
        let verified = site.verify(key, &[&given, RELAXED.as_slice(), &["--json"]].concat());

        assert_eq!(verified.code, 0, "{} {}", verified.text(), verified.stderr);
        let document = verified.json();
        assert_eq!(document["verified"], true);
        assert_eq!(document["challenge_was_compared"], true);
        assert_eq!(document["digests_were_compared"], true);
        assert_eq!(document["answer_was_recomputed"], true);
        assert_eq!(document["statement"]["subject"][0]["name"], "model:0");
        let shown = site.verify(key, &[&given, RELAXED.as_slice()].concat());
        assert!(shown.text().contains("Accepted."), "{}", shown.text());
        assert!(
            shown.text().contains("computed here too"),
            "{}",
            shown.text()
        );
    }
}

/// Covers: EV-3.
#[test]
fn the_answer_is_what_fsverity_prints_with_the_challenge_as_salt() {
    if !has("fsverity") {
        return;
    }
    let site = Site::new();
    assert_eq!(site.attest("ed25519", &[]).code, 0);

    let digest = |salted: &[&str]| {
        let mut fsverity = Command::new("fsverity");
        fsverity.args(["digest", "--compact"]).args(salted);
        let said = fsverity.arg(site.path("model.bin")).output().unwrap();
        String::from_utf8(said.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    };
    let verified = site.verify("ed25519", &[RELAXED.as_slice(), &["--json"]].concat());
    let statement = &verified.json()["statement"];
    let shard = &statement["predicate"]["shards"][0];
    let salt = format!("--salt={}", site.challenge);
    assert_eq!(shard["challengedVerity"], digest(&[&salt]));
    let subject = &statement["subject"][0]["digest"];
    assert_eq!(subject["fsverity_sha256"], digest(&[]));
}

/// Covers: EV-4.
#[test]
fn each_thing_that_is_not_as_it_must_be_is_named() {
    let site = Site::new();
    assert_eq!(site.attest("ed25519", &[]).code, 0);
    site.write("model.bin.changed", &bytes(600_002));
    let named = format!("model.bin={}", site.path("model.bin").display());
    let changed = format!("model.bin={}", site.path("model.bin.changed").display());
    let other = "11".repeat(32);
    let cases: &[(&[&str], &[&str], i32)] = &[
        (&["--challenge", &other], &["challenge"], 3),
        (&["--max-age", "1ms"], &["age"], 3),
        (&["--shard", &changed], &["digests"], 3),
        (
            &[
                "--shard",
                &format!("another={}", site.path("model.bin").display()),
            ],
            &["digests"],
            3,
        ),
    ];
    for (more, expected, code) in cases {
        let ran = site.verify("ed25519", &[*more, &RELAXED, &["--json"]].concat());

        assert_eq!(kinds(&ran), *expected, "{}", ran.text());
        assert_eq!(ran.code, *code);
        let text = site.verify("ed25519", &[*more, &RELAXED].concat());
        assert!(text.text().contains("Refused."), "{}", text.text());
    }
    // Each relaxation is needed, and without any the device and its policy are all that is wrong.
    let strict = site.verify("ed25519", &["--json", "--shard", &named]);
    assert_eq!(
        kinds(&strict),
        ["device", "policy", "residency"],
        "{}",
        strict.text()
    );
    assert_eq!(strict.code, 4);
    let both = site.verify("ed25519", &["--json", "--shard", &changed]);
    assert_eq!(both.code, 3, "bytes are worse than policy");
    let required = [&RELAXED, ["--require-check", "region.read-only"].as_slice()].concat();
    assert_eq!(site.verify("ed25519", &required).code, 0);
}

/// Covers: EV-1.
#[test]
fn what_the_given_key_did_not_sign_is_not_looked_into() {
    let site = Site::new();
    assert_eq!(site.attest("ed25519", &[]).code, 0);
    let evidence = std::fs::read(site.path("evidence.json")).unwrap();

    let other = site.verify("p256", &["--json", "--model", "model.bin"]);
    assert_eq!(kinds(&other), ["signature"]);
    assert_eq!(other.code, 3);

    // Bytes all over it, and one in each part; a line break behind it; and what is no evidence at all.
    let mut forged = vec![
        [evidence.clone(), b"\n".to_vec()].concat(),
        Vec::new(),
        b"{}".to_vec(),
    ];
    let spread = (0..evidence.len()).step_by(evidence.len() / 24);
    let text = str::from_utf8(&evidence).unwrap();
    let document: Value = serde_json::from_str(text).unwrap();
    let signature = &document["signatures"][0];
    let parts = [
        &document["payload"],
        &document["payloadType"],
        &signature["keyid"],
        &signature["sig"],
    ];
    let middles = parts.map(|part| {
        let part = part.as_str().unwrap();
        text.find(part).unwrap() + part.len() / 2
    });
    for at in spread.chain(middles).chain([evidence.len() - 1]) {
        let mut changed = evidence.clone();
        changed[at] ^= 1;
        forged.push(changed);
    }
    for evidence in forged {
        site.write("evidence.json", &evidence);

        let ran = site.verify("ed25519", &RELAXED);

        assert_eq!(ran.code, 3, "{}", ran.text());
    }
    site.write("evidence.json", &vec![b' '; (16 << 20) + 2]);
    assert_eq!(site.verify("ed25519", &RELAXED).code, 3);
}

#[test]
fn what_is_printed_is_the_evidence_and_nothing_else() {
    let site = Site::new();
    let attest = [
        "attest",
        "--simulated",
        "model.bin",
        "--challenge",
        &site.challenge,
    ];
    let attest = [attest.as_slice(), &["--signing-key", "ed25519.key"]].concat();

    let printed = site.run(attest.clone());
    let document = site.run([attest, vec!["--json"]].concat()).json();

    for evidence in [
        printed.stdout.as_slice(),
        document["envelope"].as_str().unwrap().as_bytes(),
    ] {
        let mut command = vram();
        command.args(["verify-evidence", "-", "--key"]);
        command.arg(site.path("ed25519.pub")).args(RELAXED);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(evidence).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    assert_eq!(document["command"], "attest");
    assert_eq!(
        document["statement"]["predicate"]["device"]["simulated"],
        true
    );
}

#[test]
fn a_folder_is_attested_and_verified_whole() {
    let site = Site::new();
    std::fs::create_dir(site.path("folder")).unwrap();
    // Not the same bytes twice, so that it shows which are whose.
    let other = model::gguf();
    std::fs::copy(gguf(&site), site.path("folder/a.gguf")).unwrap();
    std::fs::write(site.path("folder/b.gguf"), &other).unwrap();
    let attest = ["attest", "--simulated", "folder", "-o", "evidence.json"];
    let signed = ["--challenge", &site.challenge, "--signing-key", "p256.key"];
    let ran = site.run([attest.as_slice(), &signed].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let given = ["--challenge", &site.challenge, "--model", "folder"];
    let verify = || site.verify("p256", &[&given, RELAXED.as_slice(), &["--json"]].concat());

    let whole = verify();
    assert_eq!(whole.code, 0, "{}", whole.text());
    assert_eq!(whole.json()["answer_was_recomputed"], true);

    let swap = || {
        let rename = |from, to| std::fs::rename(site.path(from), site.path(to)).unwrap();
        rename("folder/a.gguf", "aside");
        rename("folder/b.gguf", "folder/a.gguf");
        rename("aside", "folder/b.gguf");
    };
    swap();
    let swapped = verify();
    assert_eq!(swapped.code, 3);
    assert_eq!(kinds(&swapped), ["digests"]);
    swap();
    assert_eq!(verify().code, 0);

    std::fs::remove_file(site.path("folder/b.gguf")).unwrap();
    let part = verify();
    assert_eq!(kinds(&part), ["digests"]);
    assert_eq!(part.json()["failures"][0]["shard"], "b.gguf");
}

/// The smallest GGUF file: no tensors, no metadata.
fn gguf(site: &Site) -> PathBuf {
    let mut file = b"GGUF".to_vec();
    file.extend_from_slice(&3_u32.to_le_bytes());
    file.extend_from_slice(&[0; 16]);
    site.write("smallest.gguf", &file);
    site.path("smallest.gguf")
}

#[test]
fn a_confidential_devices_report_is_carried() {
    let site = Site::new();
    let attest = [
        "attest",
        "--simulated=confidential-compute",
        "model.bin",
        "--json",
    ];
    let signed = ["--challenge", &site.challenge, "--signing-key", "p256.key"];

    let document = site.run([attest.as_slice(), &signed].concat()).json();

    let carried = &document["statement"]["predicate"]["confidentialCompute"];
    assert_eq!(carried["kind"], "report", "{carried}");
    assert_eq!(carried["nonce"].as_str().unwrap().len(), 64);
}

#[test]
fn what_can_not_be_signed_or_written_is_refused_before_anything_is_sealed() {
    let site = Site::new();
    let attest = ["attest", "--simulated", "--json", "model.bin"];
    let challenge = ["--challenge", site.challenge.as_str()];
    let zeros = "00".repeat(32);
    let cases: &[(&[&str], i32)] = &[
        (&challenge, 2),
        (&["--signing-key", "ed25519.key"], 2),
        (&["--signing-key", "ed25519.key", "--challenge", "abcd"], 2),
        (&["--signing-key", "ed25519.key", "--challenge", &zeros], 2),
        (
            &[challenge[0], challenge[1], "--signing-key", "ed25519.pub"],
            1,
        ),
        (
            &[challenge[0], challenge[1], "--signing-key", "absent.key"],
            1,
        ),
        (
            &[
                challenge[0],
                challenge[1],
                "--signing-key",
                "ed25519.key",
                "-o",
                "absent/e",
            ],
            1,
        ),
        (
            &[
                challenge[0],
                challenge[1],
                "--signing-key",
                "ed25519.key",
                "-o",
                ".",
            ],
            1,
        ),
    ];
    for (more, code) in cases {
        let ran = site.run([attest.as_slice(), more].concat());

        assert_eq!(ran.code, *code, "{more:?}: {}", ran.stderr);
        assert!(
            !ran.stderr.contains("simulated device"),
            "{more:?}: {}",
            ran.stderr
        );
    }
    let absent: Vec<OsString> = ["verify-evidence", "absent", "--key"]
        .map(Into::into)
        .into();
    let key = site.path("ed25519.pub").into_os_string();
    assert_eq!(run([absent.clone(), vec![key]].concat()).code, 1);
    let no_key = site.path("ed25519.key").into_os_string();
    assert_eq!(run([absent, vec![no_key]].concat()).code, 1);
}

#[test]
fn a_trail_records_that_evidence_was_made() {
    let site = Site::new();
    let ran = site.attest("ed25519", &["--audit", "trail.jsonl"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    let verified = site.run(["audit", "verify", "trail.jsonl", "--key", "ed25519.pub"]);
    assert_eq!(verified.code, 0, "{}", verified.text());
    let trail = std::fs::read_to_string(site.path("trail.jsonl")).unwrap();
    assert!(trail.contains("evidence_made"), "{trail}");
    assert!(trail.contains(&site.challenge), "{trail}");
}

/// A Python that has the packages of the formats' authors, or `None`, said aloud; with
/// `VRAM_REQUIRE_SECURESYSTEMSLIB` set, that there is none is a failure.
fn python() -> Option<String> {
    let python = std::env::var("VRAM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let packages = "import cryptography, securesystemslib.dsse, in_toto_attestation.v1.statement";
    let asked = Command::new(&python).args(["-c", packages]).output();
    if asked.is_ok_and(|said| said.status.success()) {
        return Some(python);
    }
    let required = std::env::var_os("VRAM_REQUIRE_SECURESYSTEMSLIB").is_some();
    assert!(!required, "{python} lacks the packages");
    eprintln!("SKIPPED: {python} has no securesystemslib and in-toto-attestation");
    None
}

/// Covers: EV-5.
#[test]
fn others_tools_verify_what_the_command_signed_and_refuse_every_change() {
    let Some(python) = python() else {
        return;
    };
    for (key, ..) in KEYS {
        let site = Site::new();
        let document = site.attest(key, &["--json"]).json();
        std::fs::rename(site.path("evidence.json"), site.path("envelope.json")).unwrap();
        std::fs::rename(site.path(&format!("{key}.pub")), site.path("key.pub")).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR"));
        let script = script.join("../vram-seal/tests/suite/interoperability.py");
        let len = std::fs::metadata(site.path("envelope.json")).unwrap().len();

        let mut tool = Command::new(&python);
        tool.arg(script)
            .args(["verify", document["signer"].as_str().unwrap()]);
        let said = tool.current_dir(&site.folder).output().unwrap();

        let text = String::from_utf8_lossy(&said.stdout);
        assert!(
            said.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&said.stderr)
        );
        assert!(
            text.contains(&format!("predicate challenge {}", site.challenge)),
            "{text}"
        );
        assert!(text.contains("subject model.bin fsverity_sha256"), "{text}");
        assert!(text.contains(&format!("refused {len} changes")), "{text}");
    }
}

#[test]
fn the_age_of_evidence_counts_from_when_it_has_arrived() {
    let site = Site::new();
    let mut command = vram();
    command.args(["verify-evidence", "-", "--clock-skew", "1ms", "--key"]);
    command.arg(site.path("ed25519.pub")).args(RELAXED);
    let mut waiting = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Made while the verifier waits: not in its future.
    let attest = ["attest", "--simulated", "model.bin", "--challenge"];
    let signed = [
        &site.challenge,
        "--signing-key",
        "ed25519.key",
        "-o",
        "later.json",
    ];
    let ran = site.run([attest.as_slice(), &signed].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let evidence = std::fs::read(site.path("later.json")).unwrap();

    waiting.stdin.take().unwrap().write_all(&evidence).unwrap();

    assert_eq!(waiting.wait().unwrap().code(), Some(0));
}

#[test]
fn a_source_of_expectations_can_be_demanded() {
    let site = Site::new();
    let attest = ["attest", "--simulated", "model.bin", "--challenge"];
    let signed = [
        &site.challenge,
        "--signing-key",
        "ed25519.key",
        "-o",
        "plain.json",
    ];
    let ran = site.run([attest.as_slice(), &signed].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let verify = |source| {
        let mut command = vram();
        command.args([
            "verify-evidence",
            "--require-expected-from",
            source,
            "--key",
        ]);
        command.arg(site.path("ed25519.pub")).args(RELAXED);
        command.arg(site.path("plain.json"));
        command.output().unwrap()
    };

    assert_eq!(verify("none").status.code(), Some(0));
    let refused = verify("model-signature");
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stdout).contains("came from: none"));
    assert_eq!(verify("hearsay").status.code(), Some(2));
}
