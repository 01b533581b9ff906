//! The Python packages of the formats' authors, `securesystemslib` and `in-toto-attestation`: what is signed here
//! verifies there, what is signed there verifies here, and both refuse what was tampered with.

use std::{
    env,
    io::Write,
    path::Path,
    process::{Command, Output},
};

use vram_seal::{SigningKey, VerifyingKey, dsse::Envelope, statement::PAYLOAD_TYPE};

use crate::evidence_sample::statement;

/// A Python that has the packages, or `None`, said aloud. `VRAM_PYTHON` names another one than `python3`; with
/// `VRAM_REQUIRE_SECURESYSTEMSLIB` set, that there is none is a failure.
fn python(test: &str) -> Option<String> {
    let python = env::var("VRAM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python)
        .args([
            "-c",
            "import cryptography, securesystemslib.dsse, in_toto_attestation.v1.statement",
        ])
        .output()
        .is_ok_and(|output| output.status.success());
    if found {
        return Some(python);
    }
    assert!(
        env::var_os("VRAM_REQUIRE_SECURESYSTEMSLIB").is_none(),
        "{python} has no cryptography, securesystemslib and in-toto-attestation"
    );
    // Past the capture of output, so that it shows in every run.
    let line = format!(
        "SKIPPED {test}: {python} has no cryptography, securesystemslib and in-toto-attestation\n"
    );
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

fn run(python: &str, folder: &Path, arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/interoperability.py");
    let output = Command::new(python)
        .arg(script)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Keys that `openssl` wrote, one of each algorithm.
const KEYS: [(&str, &str); 2] = [
    ("ed25519", include_str!("../vectors/keys/ed25519.pem")),
    ("p256", include_str!("../vectors/keys/p256.pem")),
];

/// Covers: EV-5.
#[test]
fn what_is_signed_here_verifies_there_and_tampering_is_refused_there() {
    let Some(python) = python("what_is_signed_here_verifies_there_and_tampering_is_refused_there")
    else {
        return;
    };
    for (_, pem) in KEYS {
        let key = SigningKey::from_pkcs8_pem(pem).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let envelope = statement().sign(&key).unwrap().to_json().unwrap();
        std::fs::write(folder.path().join("envelope.json"), &envelope).unwrap();
        let public = key.verifying_key().to_spki_pem().unwrap();
        std::fs::write(folder.path().join("key.pub"), public).unwrap();
        let id = key.verifying_key().id().to_string();

        let output = run(&python, folder.path(), &["verify", &id]);

        let said = String::from_utf8(output.stdout).unwrap();
        let subject = statement().subjects()[0].digests().sha256().unwrap();
        assert!(
            said.contains(&format!("subject model:0 sha256 {subject}")),
            "{said}"
        );
        assert!(said.contains("predicate challenge 000102"), "{said}");
        assert!(
            said.contains(&format!("refused {} changes", envelope.len())),
            "{said}"
        );
    }
}

#[test]
fn what_is_signed_there_verifies_here_and_tampering_is_refused_here() {
    let Some(python) = python("what_is_signed_there_verifies_here_and_tampering_is_refused_here")
    else {
        return;
    };
    for (name, pem) in KEYS {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key.pem"), pem).unwrap();
        std::fs::write(folder.path().join("payload"), b"{\"any\":\"payload\"}").unwrap();

        run(&python, folder.path(), &["sign", name]);

        let key = SigningKey::from_pkcs8_pem(pem).unwrap();
        let public = std::fs::read_to_string(folder.path().join("key.pub")).unwrap();
        let public = VerifyingKey::from_spki_pem(&public).unwrap();
        assert_eq!(&public, key.verifying_key());
        let document = std::fs::read(folder.path().join("envelope.json")).unwrap();
        let envelope = Envelope::from_json(&document).unwrap();
        let verified = envelope.verify(&public, PAYLOAD_TYPE).unwrap();
        assert_eq!(verified.bytes(), b"{\"any\":\"payload\"}");

        for at in 0..document.len() {
            let mut changed = document.clone();
            changed[at] ^= 1;
            let Ok(envelope) = Envelope::from_json(&changed) else {
                continue;
            };
            if let Ok(verified) = envelope.verify(&public, PAYLOAD_TYPE) {
                // A key id or white space: nothing that is signed.
                assert_eq!(verified.bytes(), b"{\"any\":\"payload\"}", "byte {at}");
            }
        }
    }
}
