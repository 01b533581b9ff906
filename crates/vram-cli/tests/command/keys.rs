//! Where secrets come from, and the key pairs that `vram keygen` makes.
#![cfg(unix)]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use vram_seal::{SealKey, SigningKey, VerifyingKey};

use crate::model::{write, write_secret};
use crate::run::{Ran, has, run, seal, vram};

const TOKEN: &str = "a token of thirty-two bytes, yes";

/// A folder with the token in a file.
fn desk() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let token = write_secret(folder.path(), "token", TOKEN.as_bytes());
    (folder, token)
}

fn seal_key(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.json()["seal_key"].clone()
}

/// The key that a seal of the sample was made with.
fn key_id(arguments: &[&str]) -> String {
    let ran = seal([&["--json"], arguments].concat());
    seal_key(&ran)["id"].as_str().unwrap().to_owned()
}

/// Covers: XK-1.
#[test]
fn every_source_of_one_token_gives_one_key() {
    let (folder, token) = desk();
    let token = token.to_str().unwrap();
    let expected = key_id(&["--token-file", token]);

    let environment = vram()
        .env("A_TOKEN", TOKEN)
        .key_with(&["--token-env", "A_TOKEN"]);
    assert_eq!(environment, expected);
    let file = Stdio::from(File::open(token).unwrap());
    assert_eq!(vram().stdin(file).key_with(&["--token-fd", "0"]), expected);
    let credential = vram()
        .env("CREDENTIALS_DIRECTORY", folder.path())
        .key_with(&["--token-credential", "token"]);
    assert_eq!(credential, expected);
    let hex = write_secret(
        folder.path(),
        "hex",
        format!("{}\n", hex(TOKEN.as_bytes())).as_bytes(),
    );
    let hex = [
        "--secret-form",
        "hex",
        "--token-file",
        hex.to_str().unwrap(),
    ];
    assert_eq!(key_id(&hex), expected);

    assert_ne!(
        key_id(&["--token-file", token, "--worker", "other"]),
        expected
    );
    assert_ne!(key_id(&["--key-file", token]), expected);
    assert_ne!(
        key_id(&[]),
        key_id(&[]),
        "a random key is another each time"
    );
}

/// The key that this command seals with, given more arguments.
trait KeyOf {
    fn key_with(&mut self, arguments: &[&str]) -> String;
}

impl KeyOf for std::process::Command {
    fn key_with(&mut self, arguments: &[&str]) -> String {
        let ran = Ran::of(self.args(["seal", "--simulated", "--json"]).args(arguments));
        seal_key(&ran)["id"].as_str().unwrap().to_owned()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_document_names_the_key_and_what_protects_it_and_the_record_names_it_too() {
    let (_folder, token) = desk();
    let key = SealKey::from_bytes(TOKEN.as_bytes()).unwrap();

    let ran = seal(["--json", "--key-file", token.to_str().unwrap()]);

    let shown = seal_key(&ran);
    assert_eq!(shown["id"], key.id().to_string());
    assert_eq!(shown["origin"], "key");
    assert!(shown["locked"].is_boolean());
    #[cfg(target_os = "linux")]
    assert_eq!(
        (&shown["kept_from_dumps"], &shown["kept_from_forks"]),
        (&true.into(), &true.into())
    );
    let text = String::from_utf8(ran.stdout).unwrap();
    assert!(!text.contains(TOKEN));
}

/// Covers: XK-1.
#[test]
fn a_secret_that_others_can_reach_is_refused_and_nothing_is_sealed() {
    let (folder, token) = desk();
    let link = folder.path().join("link");
    symlink(&token, &link).unwrap();
    let loose = write_secret(folder.path(), "loose", TOKEN.as_bytes());
    fs::set_permissions(&loose, Permissions::from_mode(0o640)).unwrap();
    let key = folder.path().join("signing.pem");
    assert_eq!(run([Path::new("keygen"), &key]).code, 0);
    fs::set_permissions(&key, Permissions::from_mode(0o604)).unwrap();
    let trail = folder.path().join("audit.jsonl");

    let words = |option: &str, path: &Path| [option.to_owned(), path.display().to_string()];
    for (arguments, expected) in [
        (words("--token-file", &link), "symbolic link"),
        (words("--token-file", &loose), "mode is 0640"),
        (words("--key-file", &loose), "chmod 600"),
        (words("--token-file", folder.path()), "a folder"),
    ] {
        let ran = seal(&arguments);
        assert_eq!(ran.code, 1, "{arguments:?}");
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert_eq!(ran.text(), "");
    }
    let ran = seal([words("--signing-key", &key), words("--audit", &trail)].concat());
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("mode is 0604"), "{}", ran.stderr);
    assert!(!trail.exists());
}

#[test]
fn options_of_secrets_that_make_no_sense_together_are_a_usage_error() {
    for arguments in [
        ["--token-env=A", "--key-env=B"].as_slice(),
        &["--key-env=A", "--worker=b"],
        &["--previous-key-file=a"],
        &["--previous-until=2030-01-01T00:00:00Z"],
        &["--token-fd=x"],
        &["--secret-form=base64", "--token-env=A"],
        &["--signing-key=a", "--signing-key-env=B", "--audit=c"],
        &["--audit=c"],
    ] {
        let ran = seal(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
    }
}

/// Covers: XK-2.
#[test]
fn a_previous_key_is_accepted_until_its_time_and_refused_once_that_is_over() {
    let (folder, token) = desk();
    let old = write_secret(folder.path(), "old", &[b'o'; 32]);
    let arguments = |until: &str| {
        [
            "--json",
            "--token-file",
            token.to_str().unwrap(),
            "--previous-token-file",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([
            old.display().to_string(),
            "--previous-until".to_owned(),
            until.to_owned(),
        ])
        .collect::<Vec<_>>()
    };

    let accepted = seal(arguments("2500-01-01T00:00:00Z"));
    let over = seal(arguments("2020-01-01T00:00:00Z"));

    let previous = &seal_key(&accepted)["previous"][0];
    assert_eq!(
        previous["id"],
        key_id(&["--token-file", old.to_str().unwrap()])
    );
    assert_eq!(previous["until"], "2500-01-01T00:00:00Z");
    assert_eq!(over.code, 1);
    assert!(
        over.stderr.contains("2020-01-01T00:00:00Z"),
        "{}",
        over.stderr
    );
}

#[test]
fn a_pair_is_written_closed_to_others_and_one_half_is_that_of_the_other() {
    let folder = tempfile::tempdir().unwrap();
    for (algorithm, name) in [("ed25519", "ed25519"), ("p256", "ecdsa-p256-sha256")] {
        let private = folder.path().join(format!("{algorithm}.pem"));
        let public = folder.path().join(format!("{algorithm}.pub.pem"));

        let ran = run([
            "keygen",
            "--json",
            "--algorithm",
            algorithm,
            private.to_str().unwrap(),
        ]);

        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(fs::metadata(&private).unwrap().mode() & 0o7777, 0o600);
        let secret = SigningKey::from_pkcs8_pem(&fs::read_to_string(&private).unwrap()).unwrap();
        let open = VerifyingKey::from_spki_pem(&fs::read_to_string(&public).unwrap()).unwrap();
        assert_eq!(secret.verifying_key(), &open);
        let document = ran.json();
        assert_eq!(document["algorithm"], name);
        assert_eq!(document["key_id"], open.id().to_string());
        assert_eq!(document["public"], public.to_str().unwrap());
        assert!(!ran.text().contains("PRIVATE"));

        if has("openssl") {
            let command = |input: &Path, more: &[&str]| {
                let mut openssl = std::process::Command::new("openssl");
                openssl.arg("pkey").arg("-in").arg(input).args(more);
                openssl.output().unwrap().stdout
            };
            assert_eq!(command(&private, &["-pubout"]), fs::read(&public).unwrap());
        }
    }
}

/// Covers: XK-1.
#[test]
fn what_is_there_is_never_overwritten_and_half_a_pair_is_never_left() {
    let folder = tempfile::tempdir().unwrap();
    let (private, public) = (
        folder.path().join("key.pem"),
        folder.path().join("key.pub.pem"),
    );
    let keygen = || run([Path::new("keygen"), &private]);

    for there in [&private, &public] {
        write(folder.path(), there, b"precious");
        let ran = keygen();
        assert_eq!(ran.code, 1);
        assert!(ran.stderr.contains("exists"), "{}", ran.stderr);
        assert_eq!(fs::read(there).unwrap(), b"precious");
        fs::remove_file(there).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    symlink(folder.path().join("elsewhere"), &private).unwrap();
    assert_eq!(keygen().code, 1, "a link to nowhere is not followed");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_made_key_signs_a_trail_that_its_public_half_verifies_from_every_source() {
    let folder = tempfile::tempdir().unwrap();
    let private = folder.path().join("key.pem");
    assert_eq!(
        run(["keygen", "--algorithm", "p256", private.to_str().unwrap()]).code,
        0
    );
    let public = folder.path().join("key.pub.pem");
    let pem = fs::read_to_string(&private).unwrap();
    let sealed = |name: &str, command: &mut std::process::Command, source: &[&str]| {
        let trail = folder.path().join(name);
        let ran = Ran::of(
            command
                .args(["seal", "--simulated", "--audit"])
                .arg(&trail)
                .args(source),
        );
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let paths = [Path::new("verify"), &trail, Path::new("--key"), &public];
        let verified = run([Path::new("audit")].into_iter().chain(paths));
        assert_eq!(verified.code, 0, "{}", verified.stderr);
    };

    sealed(
        "file",
        &mut vram(),
        &["--signing-key", private.to_str().unwrap()],
    );
    sealed(
        "variable",
        vram().env("A_KEY", &pem),
        &["--signing-key-env", "A_KEY"],
    );
    let file = File::open(&private).unwrap();
    sealed(
        "descriptor",
        vram().stdin(Stdio::from(file)),
        &["--signing-key-fd", "0"],
    );
    let credentials = &mut vram();
    credentials.env("CREDENTIALS_DIRECTORY", folder.path());
    sealed(
        "credential",
        credentials,
        &["--signing-key-credential", "key.pem"],
    );
}
