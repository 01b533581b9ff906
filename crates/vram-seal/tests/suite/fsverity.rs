//! The digests that `sha256sum` and `fsverity digest` print.

use std::{fs, process::Command};

use serde::Deserialize;
use vram_seal::{Digest, HashPlan, Salt, VerityDigest, hash_bytes};

#[derive(Deserialize)]
struct Row {
    size: usize,
    salt: String,
    content: Digest,
    verity: VerityDigest,
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| (at * 31 + at / 4096 * 17) as u8)
        .collect()
}

/// Covers: FN-2.3.
#[test]
fn digests_that_the_tools_printed() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../vectors/fsverity.json")).unwrap();
    assert_eq!(rows.len(), 76);
    let mut data = Vec::new();
    for Row {
        size,
        salt,
        content,
        verity,
    } in rows
    {
        if data.len() != size {
            data = pattern(size);
        }
        let digests = hash_bytes(&data, HashPlan::BOTH, &salt.parse().unwrap());
        assert_eq!(digests.content, Some(content), "{size} bytes");
        assert_eq!(
            digests.verity.unwrap().digest(),
            verity,
            "{size} bytes, salt {salt:?}"
        );
        if salt.is_empty() {
            assert_eq!(
                (Digest::of(&data), VerityDigest::of(&data)),
                (content, verity)
            );
        }
    }
}

/// Asks the tool itself where it is installed. Set `VRAM_REQUIRE_FSVERITY` to make it a failure
/// that it is not.
///
/// Covers: FN-2.3.
#[test]
fn digests_that_the_tool_prints_now() {
    if Command::new("fsverity").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("VRAM_REQUIRE_FSVERITY").is_none(),
            "fsverity is not installed"
        );
        eprintln!("fsverity is not installed: compared with its recorded digests only");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    // Sizes and salts that no list holds, the same in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..40 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let size = (state >> 33) as usize % (3 << 20);
        let salt = Salt::new(&state.to_be_bytes()[..(state >> 40) as usize % 9]).unwrap();
        let data = pattern(size);
        fs::write(&path, &data).unwrap();

        let mut command = Command::new("fsverity");
        command.args([
            "digest",
            "--compact",
            "--hash-alg=sha256",
            "--block-size=4096",
        ]);
        if !salt.is_none() {
            command.arg(format!("--salt={}", hex::encode(salt.as_bytes())));
        }
        let output = command.arg(&path).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let printed = String::from_utf8(output.stdout).unwrap();
        let ours = hash_bytes(&data, HashPlan::VERITY, &salt)
            .verity
            .unwrap()
            .digest();
        assert_eq!(ours.to_string(), printed.trim(), "{size} bytes, {salt:?}");
    }
}
