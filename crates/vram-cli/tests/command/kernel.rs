//! `vram seal --expect-from kernel`: what the kernel measures of files with fs-verity.
//!
//! Most file systems can't enable it. `cargo xtask fsverity` runs these tests where it can be.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::model::{gguf, safetensors, write};
use crate::run::{Ran, has, skipped, vram};

const FROM_KERNEL: [&str; 4] = ["--expect-from", "kernel", "--hashing", "trusted"];

fn seal(options: &[&str], path: &Path) -> Ran {
    let mut command = vram();
    command
        .args(["seal", "--simulated", "--json"])
        .args(options);
    Ran::of(command.arg(path))
}

#[track_caller]
fn refused(ran: &Ran, code: i32, said: &str) {
    assert_eq!(ran.code, code, "{}", ran.stderr);
    let message = &ran.json()["error"]["message"];
    let message = message.as_str().unwrap();
    assert!(message.contains(said), "{said:?} in {message}");
}

/// Enables fs-verity on a file. If it can't be, that is shown; with `VRAM_REQUIRE_KERNEL_VERITY` set, it is a failure.
fn enabled(options: &[&str], path: &Path) -> bool {
    if !has("fsverity") {
        return false;
    }
    let mut enable = Command::new("fsverity");
    let output = enable.arg("enable").args(options).arg(path).output();
    let output = output.unwrap();
    if output.status.success() {
        return true;
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        std::env::var_os("VRAM_REQUIRE_KERNEL_VERITY").is_none(),
        "fs-verity can't be enabled with {options:?}: {said}"
    );
    skipped("fs-verity can't be enabled in this file system, so the kernel measures no file");
    false
}

/// What `fsverity measure` prints: the kernel's word, by another program.
fn measured(path: &Path) -> String {
    let output = Command::new("fsverity").arg("measure").arg(path).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    text.split_whitespace().next().unwrap().to_owned()
}

fn model(folder: &tempfile::TempDir) -> PathBuf {
    write(folder.path(), "m.gguf", &gguf())
}

#[test]
fn a_file_without_fs_verity_has_no_digest_of_the_kernels() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(&folder);

    refused(&seal(&FROM_KERNEL, &path), 1, "fs-verity is not enabled");
}

#[test]
fn the_kernels_measurement_lets_the_host_hash_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "m.safetensors", &safetensors(700_000));
    if !enabled(&[], &path) {
        return;
    }

    let ran = seal(&FROM_KERNEL, folder.path());

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let shard = &ran.json()["shards"][0];
    assert_eq!(shard["expected_from"], "kernel");
    assert_eq!(shard["hashing"], "trusted");
    let digest = shard["verity"].as_str().unwrap();
    assert_eq!(format!("sha256:{digest}"), measured(&path));
}

#[test]
fn hashing_on_the_host_as_well_agrees_with_the_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(&folder);
    if !enabled(&[], &path) {
        return;
    }

    for hashing in ["both", "verity"] {
        let ran = seal(&["--expect-from", "kernel", "--hashing", hashing], &path);

        assert_eq!(ran.code, 0, "{hashing}: {}", ran.stderr);
        assert_eq!(ran.json()["shards"][0]["expected_from"], "kernel");
    }
}

#[test]
fn a_folder_with_one_file_that_the_kernel_does_not_measure_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(&folder);
    write(folder.path(), "plain.safetensors", &safetensors(5000));
    if !enabled(&[], &path) {
        return;
    }

    let ran = seal(&FROM_KERNEL, folder.path());

    refused(&ran, 1, "plain.safetensors has no expected digest");
}

#[test]
fn another_digest_than_the_kernels_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(&folder);
    if !enabled(&[], &path) {
        return;
    }
    let digest = measured(&path).replace("sha256:", "fsverity:");
    let last = if digest.ends_with('0') { "1" } else { "0" };
    let changed = format!("{}{last}", &digest[..digest.len() - 1]);
    let trusting = |digest: &str| seal(&["--expect", digest, "--hashing", "trusted"], &path);

    let (right, wrong) = (trusting(&digest), trusting(&changed));

    assert_eq!(right.code, 0, "{}", right.stderr);
    assert_eq!(right.json()["shards"][0]["expected_from"], "caller");
    refused(&wrong, 3, "is not what was trusted");
}

#[test]
fn a_file_measured_with_a_salt_is_refused_by_that_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(&folder);
    if !enabled(&["--salt=0102030405"], &path) {
        return;
    }

    refused(&seal(&FROM_KERNEL, &path), 1, "a salt of 5 bytes");
}

#[test]
fn a_file_measured_in_other_blocks_is_refused_by_their_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(&folder);
    // Linux has them since 6.3.
    if !enabled(&["--block-size=1024"], &path) {
        return;
    }

    refused(&seal(&FROM_KERNEL, &path), 1, "blocks of 1024 bytes");
}

#[test]
fn a_file_measured_with_another_algorithm_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = model(&folder);
    if !enabled(&["--hash-alg=sha512"], &path) {
        return;
    }

    refused(&seal(&FROM_KERNEL, &path), 1, "of SHA-512");
}
