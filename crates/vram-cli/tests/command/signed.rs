//! `vram seal --model-signature`, with what the package `model-signing` signs, by its own command: what it refuses is
//! refused here.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use vram_seal::{Digest, VerifyingKey, dsse::Envelope, statement::PAYLOAD_TYPE};

use crate::model::{gguf, safetensors, write};
use crate::run::{Ran, vram};

/// A Python that has the package, or `None`, said aloud. `VRAM_PYTHON` names another one than `python3`; with
/// `VRAM_REQUIRE_MODEL_SIGNING` set, that there is none is a failure.
fn python(test: &str) -> Option<String> {
    let python = std::env::var("VRAM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python)
        .args(["-c", "import model_signing, OpenSSL"])
        .output()
        .is_ok_and(|output| output.status.success());
    if found {
        return Some(python);
    }
    assert!(
        std::env::var_os("VRAM_REQUIRE_MODEL_SIGNING").is_none(),
        "{python} has no model-signing and pyopenssl"
    );
    // Past the capture of output, so that it shows in every run.
    let line = format!("SKIPPED {test}: {python} has no model-signing and pyopenssl\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

/// A model in a folder, a key beside it, and the package that signs.
struct Rig {
    python: String,
    folder: TempDir,
}

fn files() -> [(&'static str, Vec<u8>); 5] {
    [
        ("a.safetensors", safetensors(100_000)),
        ("b.gguf", gguf()),
        ("config.json", b"{}".to_vec()),
        ("tokenizer/vocab.txt", b"words".to_vec()),
        ("tokenizer/empty", Vec::new()),
    ]
}

impl Rig {
    /// `None` where there is no package to sign with, which was said.
    fn new(test: &str) -> Option<Self> {
        let python = python(test)?;
        let rig = Self {
            python,
            folder: tempfile::tempdir().unwrap(),
        };
        rig.write_model();
        rig.script(&["key", "p256", &rig.text("signer")]);
        Some(rig)
    }

    fn write_model(&self) {
        std::fs::create_dir_all(self.model().join("tokenizer")).unwrap();
        for (name, bytes) in files() {
            write(&self.model(), name, &bytes);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn model(&self) -> PathBuf {
        self.path("model")
    }

    /// Runs the script beside this file.
    fn script(&self, arguments: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command/signed.py");
        let mut command = Command::new(&self.python);
        let output = command.arg(script).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    /// Runs the package's own command; says whether it ended well.
    fn theirs(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new(&self.python);
        let output = command
            .args(["-m", "model_signing"])
            .args(arguments)
            .output();
        output.unwrap().status.success()
    }

    /// Signs the model with its key, by the package's own command.
    fn sign(&self, signature: &str) {
        let (model, key) = (self.text("model"), self.text("signer.key"));
        let signature = self.text(signature);
        let arguments = [
            "sign",
            "key",
            &model,
            "--signature",
            &signature,
            "--private_key",
            &key,
        ];
        assert!(self.theirs(&arguments));
    }

    fn sign_shards(&self, signature: &str, size: &str) {
        let (model, key) = (self.text("model"), self.text("signer.key"));
        self.script(&["shards", &model, &self.text(signature), &key, size]);
    }

    /// Whether the package finds the model as signed.
    fn they_accept(&self, signature: &str) -> bool {
        let (model, key) = (self.text("model"), self.text("signer.pub"));
        let signature = self.text(signature);
        self.theirs(&[
            "verify",
            "key",
            &model,
            "--signature",
            &signature,
            "--public_key",
            &key,
        ])
    }

    /// Seals the model as signed, with other options.
    fn seal_with(&self, signature: &str, options: &[&str]) -> Ran {
        let mut command = vram();
        command.args(["seal", "--simulated", "--json", "--model-signature"]);
        command.arg(self.path(signature)).args(options);
        Ran::of(command.arg(self.model()))
    }

    fn seal(&self, signature: &str) -> Ran {
        self.seal_with(signature, &["--public-key", &self.text("signer.pub")])
    }
}

#[track_caller]
fn refused(ran: &Ran, code: i32, said: &str) {
    assert_eq!(ran.code, code, "{}", ran.stderr);
    let message = &ran.json()["error"]["message"];
    let message = message.as_str().unwrap();
    assert!(message.contains(said), "{said:?} in {message}");
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Covers: PR-1.
#[test]
fn a_signed_folder_is_sealed_and_says_by_whom_it_was_signed() {
    let Some(rig) = Rig::new("a_signed_folder_is_sealed_and_says_by_whom_it_was_signed") else {
        return;
    };
    // Within the model, as it is published.
    rig.sign("model/model.sig");

    let ran = rig.seal("model/model.sig");

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let document = ran.json();
    let shards = document["shards"].as_array().unwrap();
    assert_eq!(shards.len(), 2);
    for (shard, (name, bytes)) in shards.iter().zip(files()) {
        assert_eq!(shard["shard_id"], name);
        assert_eq!(shard["content"], Digest::of(&bytes).to_string());
        assert_eq!(shard["expected_from"], "model-signature");
    }
    let signature = &document["model_signature"];
    assert_eq!(signature["model"], "model");
    assert_eq!(signature["layout"], "files");
    assert_eq!(signature["signer"]["kind"], "public-key");
    assert_eq!(
        signature["checked"],
        serde_json::json!(["config.json", "tokenizer/empty", "tokenizer/vocab.txt"])
    );
    assert_eq!(signature["uncovered"], serde_json::json!(["model.sig"]));

    let shown = Ran::of(
        vram()
            .args(["seal", "--simulated", "--model-signature"])
            .arg(rig.path("model/model.sig"))
            .arg("--public-key")
            .arg(rig.path("signer.pub"))
            .arg(rig.model()),
    );
    let text = shown.text();
    assert!(text.contains("the P-256 key with SHA-256 "), "{text}");
    assert!(text.contains("3 other files as signed"), "{text}");
    assert!(
        text.contains("1 other file that nobody stands for"),
        "{text}"
    );
    assert_eq!(text.matches("as the model was signed").count(), 2);
}

/// Covers: PR-2.
#[test]
fn a_folder_that_is_not_as_signed_is_refused_here_and_there() {
    let test = "a_folder_that_is_not_as_signed_is_refused_here_and_there";
    type Change = (&'static str, fn(&Path), &'static str);
    let changes: [Change; 10] = [
        (
            "a changed model file",
            |model| flip(&model.join("a.safetensors"), 5000),
            "content digest",
        ),
        (
            "a changed other file",
            |model| flip(&model.join("config.json"), 0),
            "\"config.json\" has other bytes",
        ),
        (
            "a longer model file",
            |model| {
                let mut bytes = std::fs::read(model.join("b.gguf")).unwrap();
                bytes.push(0);
                std::fs::write(model.join("b.gguf"), bytes).unwrap();
            },
            "belong to no tensor",
        ),
        (
            "an added model file",
            |model| {
                write(model, "c.safetensors", &safetensors(10));
            },
            "\"c.safetensors\" was not signed",
        ),
        (
            "an added other file",
            |model| {
                write(model, "tokenizer/run.py", b"import os");
            },
            "\"tokenizer/run.py\" was not signed",
        ),
        (
            "a removed model file",
            |model| std::fs::remove_file(model.join("b.gguf")).unwrap(),
            "\"b.gguf\" was signed and is missing",
        ),
        (
            "a removed other file",
            |model| std::fs::remove_file(model.join("tokenizer/empty")).unwrap(),
            "\"tokenizer/empty\" was signed and is missing",
        ),
        (
            "a renamed file",
            |model| {
                std::fs::rename(model.join("a.safetensors"), model.join("z.safetensors")).unwrap();
            },
            "\"z.safetensors\" was not signed",
        ),
        (
            "a symbolic link",
            |model| {
                let aside = model.parent().unwrap().join("aside");
                std::fs::rename(model.join("a.safetensors"), &aside).unwrap();
                std::os::unix::fs::symlink(aside, model.join("a.safetensors")).unwrap();
            },
            "\"a.safetensors\" is a symbolic link",
        ),
        (
            "two files that changed places",
            |model| {
                let swap = |from: &str, to: &str| {
                    std::fs::rename(model.join(from), model.join(to)).unwrap();
                };
                swap("config.json", "aside");
                swap("tokenizer/vocab.txt", "config.json");
                swap("aside", "tokenizer/vocab.txt");
            },
            "has other bytes",
        ),
    ];
    let Some(rig) = Rig::new(test) else { return };
    rig.sign("model.sig");
    for (what, change, said) in changes {
        std::fs::remove_dir_all(rig.model()).unwrap();
        rig.write_model();
        assert_eq!(rig.seal("model.sig").code, 0, "before {what}");

        change(&rig.model());

        // What can't even be read as a model is refused before its bytes are compared.
        let code = if said == "belong to no tensor" { 1 } else { 3 };
        refused(&rig.seal("model.sig"), code, said);
        assert!(!rig.they_accept("model.sig"), "they accept {what}");
    }
}

#[test]
fn file_shards_are_compared_shard_by_shard() {
    let Some(rig) = Rig::new("file_shards_are_compared_shard_by_shard") else {
        return;
    };
    rig.sign_shards("model.sig", "30000");

    let ran = rig.seal("model.sig");

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let signature = &ran.json()["model_signature"];
    assert_eq!(
        (&signature["layout"], &signature["shard_size"]),
        (&"shards".into(), &30_000.into())
    );
    assert_eq!(
        signature["checked"],
        serde_json::json!(["config.json", "tokenizer/vocab.txt"])
    );
    // An empty file has no shard: this layout can't name it.
    assert_eq!(
        signature["uncovered"],
        serde_json::json!(["tokenizer/empty"])
    );

    let model = rig.model().join("a.safetensors");
    let good = std::fs::read(&model).unwrap();
    for at in [0, 29_999, 30_000, 89_999, good.len() - 1] {
        flip(&model, at);
        let ran = rig.seal("model.sig");
        assert_eq!(
            ran.code,
            if at == 0 { 1 } else { 3 },
            "byte {at}: {}",
            ran.stderr
        );
        std::fs::write(&model, &good).unwrap();
    }
    std::fs::write(&model, [&good[..], &[0]].concat()).unwrap();
    refused(&rig.seal("model.sig"), 3, "expected 100");
    std::fs::write(&model, &good[..90_000]).unwrap();
    assert_ne!(rig.seal("model.sig").code, 0);
    std::fs::write(&model, &good).unwrap();
    flip(&rig.model().join("tokenizer/vocab.txt"), 2);
    refused(
        &rig.seal("model.sig"),
        3,
        "\"tokenizer/vocab.txt\" has other bytes",
    );
    assert!(!rig.they_accept("model.sig"));
}

/// Covers: PR-1.
#[test]
fn another_key_and_another_models_signature_are_refused() {
    let Some(rig) = Rig::new("another_key_and_another_models_signature_are_refused") else {
        return;
    };
    rig.sign("model.sig");
    rig.script(&["key", "p256", &rig.text("other")]);
    rig.script(&["key", "p521", &rig.text("large")]);
    let seal = |key: &str| rig.seal_with("model.sig", &["--public-key", &rig.text(key)]);

    refused(&seal("other.pub"), 3, "by another key");
    refused(&seal("large.pub"), 1, "P-521");
    refused(&seal("signer.key"), 1, "PRIVATE KEY");

    // A bundle whose statement was exchanged for that of another model by the same signer.
    flip(&rig.model().join("config.json"), 0);
    rig.sign("other.sig");
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(rig.path(name)).unwrap()).unwrap()
    };
    let (mut mixed, other) = (read("model.sig"), read("other.sig"));
    mixed["dsseEnvelope"]["payload"] = other["dsseEnvelope"]["payload"].clone();
    std::fs::write(rig.path("mixed.sig"), mixed.to_string()).unwrap();
    refused(&rig.seal("mixed.sig"), 3, "does not verify");
    // That of the model before the change.
    refused(&rig.seal("model.sig"), 3, "\"config.json\" has other bytes");
    assert_eq!(rig.seal("other.sig").code, 0);
}

#[test]
fn certificates_lead_to_the_given_root_and_have_not_expired() {
    let Some(rig) = Rig::new("certificates_lead_to_the_given_root_and_have_not_expired") else {
        return;
    };
    rig.script(&["certificates", rig.folder.path().to_str().unwrap()]);
    let sign = |certificate: &str, signature: &str| {
        let (model, key, root) = (
            rig.text("model"),
            rig.text("signer.key"),
            rig.text("root.pem"),
        );
        assert!(rig.theirs(&[
            "sign",
            "certificate",
            &model,
            "--signature",
            &rig.text(signature),
            "--private_key",
            &key,
            "--signing_certificate",
            &rig.text(certificate),
            "--certificate_chain",
            &root,
        ]));
    };
    sign("signer.pem", "model.sig");
    sign("expired.pem", "expired.sig");
    let seal = |signature: &str, root: &str, more: &[&str]| {
        let root = rig.text(root);
        rig.seal_with(signature, &[&["--root", &root], more].concat())
    };

    let good = seal("model.sig", "root.pem", &[]);

    assert_eq!(good.code, 0, "{}", good.stderr);
    let signer = &good.json()["model_signature"]["signer"];
    assert_eq!(
        (&signer["kind"], &signer["subject"]),
        (&"certificate".into(), &"CN=Signer".into())
    );
    refused(&seal("model.sig", "other-root.pem", &[]), 3, "not trusted");
    refused(&seal("expired.sig", "root.pem", &[]), 3, "was valid until");
    let then = seal("expired.sig", "root.pem", &["--allow-expired-certificate"]);
    assert_eq!(then.code, 0, "{}", then.stderr);
    refused(&rig.seal("model.sig"), 1, "give the root certificate");
    // Certificates that may lie between are trusted for nothing.
    let chain = rig.text("root.pem");
    refused(
        &seal(
            "model.sig",
            "other-root.pem",
            &["--certificate-chain", &chain],
        ),
        3,
        "not trusted",
    );
}

#[test]
fn links_are_followed_where_it_is_asked_for() {
    let Some(rig) = Rig::new("links_are_followed_where_it_is_asked_for") else {
        return;
    };
    rig.sign("model.sig");
    // As a download cache has them.
    let blobs = rig.path("blobs");
    std::fs::create_dir(&blobs).unwrap();
    for name in ["a.safetensors", "config.json"] {
        std::fs::rename(rig.model().join(name), blobs.join(name)).unwrap();
        std::os::unix::fs::symlink(Path::new("../blobs").join(name), rig.model().join(name))
            .unwrap();
    }
    let key = rig.text("signer.pub");
    let follow = || rig.seal_with("model.sig", &["--public-key", &key, "--follow-links"]);

    refused(&rig.seal("model.sig"), 3, "is a symbolic link");
    assert_eq!(follow().code, 0, "{}", follow().stderr);

    flip(&blobs.join("config.json"), 0);
    refused(&follow(), 3, "\"config.json\" has other bytes");
    flip(&blobs.join("config.json"), 0);
    // What lies behind a link to a folder was not signed.
    std::os::unix::fs::symlink(&blobs, rig.model().join("more")).unwrap();
    refused(&follow(), 3, "\"more\" is a symbolic link");
}

#[test]
fn what_the_signer_left_out_is_not_sealed() {
    let Some(rig) = Rig::new("what_the_signer_left_out_is_not_sealed") else {
        return;
    };
    let (model, key) = (rig.text("model"), rig.text("signer.key"));
    let sign = |left_out: &str| {
        let left_out = rig.text(left_out);
        assert!(rig.theirs(&[
            "sign",
            "key",
            &model,
            "--signature",
            &rig.text("model.sig"),
            "--private_key",
            &key,
            "--ignore-paths",
            &left_out,
        ]));
    };

    sign("model/tokenizer");
    let ran = rig.seal("model.sig");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        ran.json()["model_signature"]["uncovered"],
        serde_json::json!(["tokenizer"])
    );

    sign("model/b.gguf");
    refused(
        &rig.seal("model.sig"),
        3,
        "\"b.gguf\" is a model file that the signature leaves out",
    );
}

#[test]
fn a_single_file_can_be_signed_alone() {
    let Some(rig) = Rig::new("a_single_file_can_be_signed_alone") else {
        return;
    };
    let file = rig.text("model/a.safetensors");
    let key = rig.text("signer.key");
    let signature = rig.text("file.sig");
    assert!(rig.theirs(&[
        "sign",
        "key",
        &file,
        "--signature",
        &signature,
        "--private_key",
        &key
    ]));
    rig.sign("model.sig");
    let seal = |signature: &str, path: &str| {
        let mut command = vram();
        command
            .args(["seal", "--simulated", "--json", "--model-signature"])
            .arg(rig.path(signature));
        Ran::of(
            command
                .arg("--public-key")
                .arg(rig.path("signer.pub"))
                .arg(path),
        )
    };

    let good = seal("file.sig", &file);

    assert_eq!(good.code, 0, "{}", good.stderr);
    assert_eq!(good.json()["shards"][0]["expected_from"], "model-signature");
    refused(&seal("model.sig", &file), 2, "give the folder");
    refused(&seal("file.sig", &rig.text("model")), 3, "was not signed");
    flip(Path::new(&file), 9000);
    refused(&seal("file.sig", &file), 3, "content digest");
}

/// Covers: PR-3.
#[test]
fn evidence_says_that_a_publisher_stands_for_the_digests() {
    use std::os::unix::fs::PermissionsExt as _;

    let Some(rig) = Rig::new("evidence_says_that_a_publisher_stands_for_the_digests") else {
        return;
    };
    rig.sign("model.sig");
    rig.script(&["key", "p256", &rig.text("witness")]);
    let owner = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(rig.path("witness.key"), owner).unwrap();
    let mut command = vram();
    command.args(["attest", "--simulated", "--challenge", &"5a".repeat(32)]);
    command.arg("--signing-key").arg(rig.path("witness.key"));
    command.arg("--model-signature").arg(rig.path("model.sig"));
    command.arg("--public-key").arg(rig.path("signer.pub"));

    let ran = Ran::of(command.arg(rig.model()));

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let key = std::fs::read_to_string(rig.path("witness.pub")).unwrap();
    let key = VerifyingKey::from_spki_pem(&key).unwrap();
    let envelope = Envelope::from_json(&ran.stdout).unwrap();
    let payload = envelope.verify(&key, PAYLOAD_TYPE).unwrap();
    let statement: Value = serde_json::from_slice(payload.bytes()).unwrap();
    let shards = statement["predicate"]["shards"].as_array().unwrap();
    assert_eq!(shards.len(), 2);
    for shard in shards {
        assert_eq!(shard["expectedFrom"], "model-signature");
    }
}

#[test]
fn a_keyless_signature_is_refused_by_name_without_a_device() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "m.gguf", &gguf());
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vram-provenance/tests/vectors");
    let mut command = vram();
    command.args(["seal", "--simulated", "--json", "--model-signature"]);
    command
        .arg(vectors.join("keyless.sig"))
        .arg("--root")
        .arg(vectors.join("root.pem"));

    let ran = Ran::of(command.arg(folder.path()));

    refused(&ran, 1, "keyless");
}
