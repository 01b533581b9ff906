//! `vram seal` with digests from elsewhere: checksum files, a download cache, the kernel.

use std::path::{Path, PathBuf};
use std::process::Command;

use vram_seal::Digest;

use crate::model::{gguf, safetensors, write};
use crate::run::{Ran, has, skipped, vram};

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

#[track_caller]
fn sealed(ran: &Ran, source: &str) {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for shard in ran.json()["shards"].as_array().unwrap() {
        assert_eq!(shard["expected_from"], source);
    }
}

/// A folder of two models, and what sha256sum writes of them.
fn summed(binary: bool) -> Option<(tempfile::TempDir, PathBuf)> {
    if !has("sha256sum") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a\nb.safetensors", &safetensors(5000));
    write(folder.path(), "c.gguf", &gguf());
    write(folder.path(), "config.json", b"{}");
    let mut sums = Command::new("sha256sum");
    if binary {
        sums.arg("--binary");
    }
    let names = ["./c.gguf", "a\nb.safetensors", "config.json"];
    let output = sums
        .args(names)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let list = write(folder.path(), "SHA256SUMS", &output.stdout);
    Some((folder, list))
}

#[test]
fn what_sha256sum_lists_is_expected_of_files_and_folders() {
    for binary in [false, true] {
        let Some((folder, list)) = summed(binary) else {
            return;
        };
        let options = ["--checksums", list.to_str().unwrap()];

        sealed(&seal(&options, folder.path()), "checksum-file");
        sealed(
            &seal(&options, &folder.path().join("c.gguf")),
            "checksum-file",
        );

        let mut changed = gguf();
        *changed.last_mut().unwrap() ^= 1;
        write(folder.path(), "c.gguf", &changed);
        refused(&seal(&options, folder.path()), 3, "content digest");
    }
}

#[test]
fn names_count_from_the_lists_own_folder() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    std::fs::create_dir(&model).unwrap();
    write(&model, "m.gguf", &gguf());
    let digest = Digest::of(&gguf());
    let above = write(
        folder.path(),
        "above",
        format!("{digest}  model/m.gguf\n").as_bytes(),
    );
    let bare = write(
        folder.path(),
        "bare",
        format!("{digest}  m.gguf\n").as_bytes(),
    );
    let apart = tempfile::tempdir().unwrap();
    let apart = write(
        apart.path(),
        "list",
        format!("{digest}  m.gguf\n").as_bytes(),
    );
    let seal = |list: &Path| seal(&["--checksums", list.to_str().unwrap()], &model);

    sealed(&seal(&above), "checksum-file");
    refused(&seal(&bare), 1, "doesn't list it");
    sealed(&seal(&apart), "checksum-file");
}

/// Covers: PR-4.
#[test]
fn a_file_that_is_not_listed_is_refused_and_a_line_that_is_none_too() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.gguf", &gguf());
    write(folder.path(), "b.gguf", &gguf());
    let digest = Digest::of(&gguf());
    let list = |text: &str| write(folder.path(), "list", text.as_bytes());
    let seal = |list: &Path| seal(&["--checksums", list.to_str().unwrap()], folder.path());

    refused(
        &seal(&list(&format!("{digest}  a.gguf\n"))),
        1,
        "b.gguf has no expected digest",
    );
    refused(
        &seal(&list("d41d8cd98f00b204e9800998ecf8427e  a.gguf\n")),
        1,
        "line 1",
    );
    refused(&seal(&list("")), 1, "no checksum");
    refused(&seal(folder.path()), 1, "not a regular file");
}

/// The Hugging Face cache: a snapshot of links to blobs.
fn cache(bytes: &[u8], blob: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("models--a--b");
    let snapshot = repository.join("snapshots/0123abcd");
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir(repository.join("blobs")).unwrap();
    write(&repository.join("blobs"), blob, bytes);
    let link = snapshot.join("model.gguf");
    std::os::unix::fs::symlink(Path::new("../../blobs").join(blob), link).unwrap();
    (folder, snapshot)
}

#[test]
fn the_names_of_a_caches_blobs_are_expected() {
    let from_cache = ["--expect-from", "cache"];
    let digest = Digest::of(&gguf()).to_string();
    let (_folder, snapshot) = cache(&gguf(), &digest);

    sealed(&seal(&from_cache, &snapshot), "content-addressed-cache");
    sealed(
        &seal(&from_cache, &snapshot.join("model.gguf")),
        "content-addressed-cache",
    );

    let mut damaged = gguf();
    *damaged.last_mut().unwrap() ^= 1;
    let (_folder, snapshot) = cache(&damaged, &digest);
    refused(&seal(&from_cache, &snapshot), 3, "content digest");
    let (_folder, snapshot) = cache(&gguf(), &"ab".repeat(20));
    refused(&seal(&from_cache, &snapshot), 1, "git's SHA-1");
    let plain = tempfile::tempdir().unwrap();
    write(plain.path(), "m.gguf", &gguf());
    refused(&seal(&from_cache, plain.path()), 1, "no link into a cache");
}

#[test]
fn the_kernels_measurement_lets_the_host_hash_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "m.gguf", &gguf());
    let options = ["--expect-from", "kernel", "--hashing", "trusted"];

    refused(&seal(&options, &path), 1, "fs-verity is not enabled");

    if !has("fsverity") {
        return;
    }
    let enabled = Command::new("fsverity").arg("enable").arg(&path).output();
    if !enabled.unwrap().status.success() {
        // A matter of the file system, which the switch doesn't promise.
        skipped("fs-verity can't be enabled in this file system, so the kernel measures no file");
        return;
    }
    let ran = seal(&options, folder.path());
    sealed(&ran, "kernel");
    assert_eq!(ran.json()["shards"][0]["hashing"], "trusted");
}

#[test]
fn one_source_is_enough_and_content_has_to_be_hashed() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "m.gguf", &gguf());
    let file = path.to_str().unwrap();
    let expect = format!("sha256:{}", Digest::of(&gguf()));
    for options in [
        &["--checksums", file, "--expect-from", "cache"][..],
        &["--checksums", file, "--expect", &expect],
        &[
            "--model-signature",
            file,
            "--public-key",
            file,
            "--expect",
            &expect,
        ],
    ] {
        refused(&seal(options, &path), 2, "choose one source");
    }
    for options in [
        &["--checksums", file, "--hashing", "verity"][..],
        &["--expect-from", "cache", "--hashing", "trusted"],
        &[
            "--model-signature",
            file,
            "--public-key",
            file,
            "--hashing",
            "verity",
        ],
    ] {
        refused(&seal(options, &path), 2, "--hashing both");
    }
    refused(
        &seal(&["--model-signature", file], &path),
        2,
        "whom to trust",
    );
    let two = Ran::of(
        vram()
            .args(["seal", "--simulated", "--json", "--checksums", file])
            .args(["--hashing", "both"]),
    );
    refused(&two, 2, "nothing known of the sample");
    for options in [
        &["--public-key", file][..],
        &["--root", file],
        &[
            "--model-signature",
            file,
            "--certificate-chain",
            file,
            "--public-key",
            file,
        ],
        &[
            "--model-signature",
            file,
            "--root",
            file,
            "--public-key",
            file,
        ],
    ] {
        let ran = seal(options, &path);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
    }
}
