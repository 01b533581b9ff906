//! What `vram seal` refuses: with which exit code, and in which words.

use std::path::Path;
use std::process::Command;

use crate::model::{gguf, safetensors, write, write_secret};
use crate::run::{Ran, run, seal, vram};

/// Asserts an exit code, one line of error that holds `words`, and nothing on stdout.
#[track_caller]
fn refused(ran: &Ran, code: i32, words: &str) {
    assert_eq!(ran.code, code, "{}", ran.stderr);
    assert_eq!(ran.text(), "");
    assert!(ran.stderr.contains(words), "{words} in {}", ran.stderr);
}

/// Seals one file of a fresh folder.
fn seal_bytes(name: &str, bytes: &[u8], options: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), name, bytes);
    Ran::of(vram().args(["seal", "--simulated"]).args(options).arg(path))
}

#[test]
fn a_missing_file_is_named_before_anything_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "good.bin", b"bytes");

    let ran = seal([good.as_path(), Path::new("no/such.gguf")]);

    refused(&ran, 1, "no/such.gguf: No such file");
    assert!(!ran.stderr.contains("simulated"), "no device was opened");
}

#[test]
fn a_folder_without_models_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "README.md", b"nothing");

    refused(&seal([folder.path()]), 1, "no *.safetensors or *.gguf file");
}

#[test]
fn an_empty_file_is_refused() {
    refused(&seal_bytes("m.bin", b"", &[]), 1, "has 0 bytes");
}

#[test]
fn a_truncated_model_is_refused() {
    let bytes = safetensors(5000);

    let ran = seal_bytes("m.safetensors", &bytes[..4000], &[]);

    refused(&ran, 1, "m.safetensors: ");
}

/// Covers: RP-003.
#[test]
fn a_file_over_the_maximum_is_refused() {
    let ran = seal_bytes("m.bin", &[1; 5000], &["--max-size", "4999"]);

    refused(&ran, 1, "over the maximum of 4999 bytes");
}

#[test]
fn a_file_over_the_budget_is_refused() {
    let ran = seal_bytes("m.bin", &[1; (2 << 20) + 1], &["--budget", "8MiB"]);

    refused(&ran, 1, "out of device memory");
}

/// Covers: PR-4.
#[test]
fn bytes_other_than_expected_are_an_integrity_failure() {
    for kind in ["sha256", "fsverity"] {
        let expected = format!("{kind}:{}", "00".repeat(32));
        let ran = seal_bytes("m.bin", b"bytes", &["--expect", &expected]);
        refused(&ran, 3, "is not what was expected");
    }
}

/// Covers: CL-1.
#[test]
fn a_device_without_its_own_memory_is_refused_by_policy() {
    for kind in ["integrated", "coherent"] {
        let ran = run(["seal", &format!("--simulated={kind}")]);
        refused(&ran, 4, "refused by policy: device.own-memory");
    }
}

/// Covers: CL-1.
#[test]
fn what_is_no_id_size_or_digest_is_a_usage_error() {
    for (options, words) in [
        (["--id", "../../etc"], "holds '/'"),
        (["--id", ".hidden"], "starts with '.'"),
        (["--id", "a..b"], "single dots"),
        (["--id", "a\nb"], "a-z A-Z 0-9"),
        (["--model", ""], "the model reference is empty"),
        (["--budget", "lots"], "40GiB"),
        (["--expect", "sha256:12"], "2 characters"),
        (["--device", "first"], "--device"),
    ] {
        let ran = seal_bytes("m.bin", b"bytes", &options);
        refused(&ran, 2, words);
    }
}

#[test]
fn what_is_said_of_one_file_is_not_taken_for_several() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "m.gguf", &gguf());
    let digest = format!("sha256:{}", "00".repeat(32));
    for option in [["--id", "a"], ["--expect", &digest]] {
        let set = Ran::of(vram().arg("seal").args(option).arg(folder.path()));
        let two = Ran::of(vram().arg("seal").args(option).arg(&file).arg(&file));

        refused(&set, 2, "give one file");
        refused(&two, 2, "see vram seal --help");
    }
}

#[test]
fn a_digest_that_was_not_trusted_rightly_is_an_integrity_failure() {
    let wrong = "00".repeat(32);
    for (options, words) in [
        (
            ["--hashing", "trusted", "--expect-verity", &wrong],
            "is not what was trusted",
        ),
        (
            ["--hashing", "verity", "--expect-verity", &wrong],
            "is not what was expected",
        ),
        (
            ["--hashing", "both", "--expect-sha256", &wrong],
            "is not what was expected",
        ),
    ] {
        refused(&seal_bytes("m.bin", b"bytes", &options), 3, words);
    }
}

#[test]
fn digests_that_hashing_so_does_not_give_are_a_usage_error() {
    let digest = "00".repeat(32);
    let content = format!("sha256:{digest}");
    let cases: [(&[&str], &str); 6] = [
        (
            &["--hashing", "trusted"],
            "give one file and --expect-verity",
        ),
        (
            &["--hashing", "trusted", "--expect-sha256", &digest],
            "computed by --hashing both alone",
        ),
        (
            &["--hashing", "verity", "--expect", &content],
            "computed by --hashing both alone",
        ),
        (
            &["--expect", &content, "--expect-sha256", &digest],
            "once for each kind",
        ),
        (
            &["--hashing", "none"],
            "possible values: both, verity, trusted",
        ),
        (&["--expect-verity", "12"], "2 characters"),
    ];
    for (options, words) in cases {
        refused(&seal_bytes("m.bin", b"bytes", options), 2, words);
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "m.gguf", &gguf());
    let arguments = ["--hashing".as_ref(), "trusted".as_ref(), folder.path()];
    refused(&seal(arguments), 2, "give one file");
}

#[test]
fn a_kind_of_digest_is_expected_once() {
    let digest = format!("sha256:{}", "00".repeat(32));

    let ran = seal_bytes(
        "m.bin",
        b"bytes",
        &["--expect", &digest, "--expect", &digest],
    );

    refused(&ran, 2, "once for each kind");
}

#[test]
fn two_files_of_one_name_are_not_one_shard() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let paths = [&one, &two].map(|folder| write(folder.path(), "m.gguf", &gguf()));

    refused(&seal(paths), 1, "m.gguf is sealed already");
}

#[test]
fn a_device_that_does_not_exist_is_refused_with_those_that_do() {
    let ran = seal(["--device", "7"]);

    refused(
        &ran,
        1,
        "no device 7; choose one of 0 (Simulated H100 80GB HBM3)",
    );
}

/// Covers: CI-005.
#[test]
fn a_short_token_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let token = write_secret(folder.path(), "token", b"hunter2");

    let ran = seal(["--token-file".as_ref(), token.as_os_str()]);

    refused(&ran, 1, "the token is 7 bytes long, at least 32");
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

/// Covers: IV-005.
#[test]
fn a_control_character_in_a_name_does_not_reach_the_terminal() {
    let ran = seal(["no/such\u{1b}[31m\nfile"]);

    refused(&ran, 1, r"no/such\u{1b}[31m\nfile: No such file");
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
}

/// Covers: HI-1.
#[cfg(unix)]
#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe.gguf");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );

    refused(&seal([&path]), 1, "give a regular file");
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "m.gguf", &gguf());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&path).is_ok() {
        eprintln!("SKIPPED: whoever runs this may read everything");
        return;
    }

    refused(&seal([&path]), 1, "Permission denied");
}
