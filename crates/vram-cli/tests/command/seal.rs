//! `vram seal`, where all is well.

use vram_seal::{Digest, VerityDigest};

use crate::model::{gguf, safetensors, write, write_secret};
use crate::run::{Ran, seal, vram};

#[test]
fn a_file_is_sealed_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = safetensors(10_000);
    let path = write(folder.path(), "layers.safetensors", &bytes);

    let ran = seal([&path]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = ran.text();
    for expected in [
        "Sealed    layers.safetensors",
        "Simulated H100 80GB HBM3 (simulated)",
        "GPU-7672616d-2d73-696d-2d66-6c6565740001",
        &format!("{} bytes", bytes.len()),
        &Digest::of(&bytes).to_string(),
        &VerityDigest::of(&bytes).to_string(),
        "SafeTensors, 1 tensor\n",
        "by the device's MMU",
        "Sealed and verified: 1 shard",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    for step in ["Upload", "Freeze", "Measure", "Total", "Verified"] {
        let line = text.lines().find(|line| line.starts_with(step)).unwrap();
        assert!(line.contains("s "), "a time in {line}");
        assert!(
            line.contains("B/s") == (step != "Freeze"),
            "a rate in {line}"
        );
    }
}

#[test]
fn without_a_path_a_sample_is_sealed_that_is_always_the_same() {
    let ran = seal(["--json"]);

    let shard = &ran.json()["shards"][0];
    assert_eq!(shard["sample"], true);
    assert_eq!(shard["tensors"], 2);
    assert_eq!(
        shard["content"],
        "a999584360bacdf5a9d07a38c5f2a51901cf3c86c3506b326a1b05a2f4bc6396"
    );
}

#[test]
fn a_folder_is_sealed_as_one_set() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "b.gguf", &gguf());
    write(folder.path(), "a.safetensors", &safetensors(5000));
    write(folder.path(), "config.json", b"{}");

    let ran = seal(["--model".as_ref(), "m".as_ref(), folder.path()]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = ran.text();
    for expected in [
        "a.safetensors",
        "1 of 2",
        "b.gguf",
        "2 of 2",
        "GGUF, 1 tensor",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert_eq!(text.matches("Model     m\n").count(), 2);
    assert!(text.contains("2 shards"), "{text}");
}

#[test]
fn several_paths_are_sealed_each_on_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let one = write(folder.path(), "one.bin", b"some bytes");
    let two = write(folder.path(), "two.gguf", &gguf());

    let document = seal(["--json".as_ref(), one.as_os_str(), two.as_os_str()]).json();

    let shards = document["shards"].as_array().unwrap();
    let ids: Vec<_> = shards.iter().map(|shard| &shard["shard_id"]).collect();
    assert_eq!(ids, ["one.bin", "two.gguf"]);
    assert!(shards.iter().all(|shard| shard["position"].is_null()));
    assert_eq!(shards[0]["format"], "opaque");
    assert_eq!(shards[1]["path"], two.to_str().unwrap());
}

#[test]
fn the_digests_expected_are_accepted_when_they_are_right() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = safetensors(9000);
    let path = write(folder.path(), "m.safetensors", &bytes);
    let content = format!("sha256:{}", Digest::of(&bytes));
    let verity = format!("fsverity:{}", VerityDigest::of(&bytes));

    let ran = Ran::of(
        vram()
            .args(["seal", "--simulated", "--id", "layers:0", "--model", "m"])
            .args(["--expect", &content, "--expect", &verity])
            .args(["--budget", "1GiB", "--max-size", "1MiB"])
            .arg(path),
    );

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.text().contains("layers:0"), "{}", ran.text());
}

#[test]
fn every_way_of_hashing_seals_and_says_who_hashed() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = safetensors(9000);
    let path = write(folder.path(), "m.safetensors", &bytes);
    let verity = VerityDigest::of(&bytes).to_string();
    for (hashing, text) in [
        ("both", "content and verity by the host"),
        ("verity", "verity by the host, and measured"),
        ("trusted", "by the device alone"),
    ] {
        let arguments = ["--hashing", hashing, "--expect-verity", &verity];
        let sealed = |format: &[&str]| {
            let mut command = vram();
            command.args(["seal", "--simulated"]).args(arguments);
            Ran::of(command.args(format).arg(&path))
        };

        let (shown, document) = (sealed(&[]), sealed(&["--json"]).json());

        assert_eq!(shown.code, 0, "{}", shown.stderr);
        assert!(shown.text().contains(text), "{}", shown.text());
        let upload = shown.text().contains("read, hashed and copied");
        assert_eq!(upload, hashing != "trusted");
        let shard = &document["shards"][0];
        assert_eq!(shard["hashing"], hashing);
        assert_eq!(shard["verity"], verity.as_str());
        assert_eq!(shard["content"].is_null(), hashing != "both");
        assert!(document["sealing"]["seconds"].is_number(), "{document}");
    }
}

#[test]
fn digests_are_expected_by_name_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "m.bin", b"bytes");
    let content = Digest::of(b"bytes").to_string();
    let verity = VerityDigest::of(b"bytes").to_string();

    let right = Ran::of(
        vram()
            .args(["seal", "--simulated", "--expect-sha256", &content])
            .args(["--expect-verity", &verity])
            .arg(&path),
    );

    assert_eq!(right.code, 0, "{}", right.stderr);
}

#[test]
fn a_folder_is_sealed_without_content_digests_where_they_are_not_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.safetensors", "b.safetensors", "c.safetensors"] {
        write(folder.path(), name, &safetensors(5000));
    }

    let arguments = ["--json".as_ref(), "--hashing".as_ref(), "verity".as_ref()];
    let document = seal(arguments.into_iter().chain([folder.path()])).json();

    let shards = document["shards"].as_array().unwrap();
    assert_eq!(shards.len(), 3);
    for shard in shards {
        assert_eq!(shard["hashing"], "verity");
        assert!(shard["content"].is_null());
    }
}

/// Covers: FZ-2.
#[test]
fn a_device_that_freezes_in_software_is_told_as_such_and_used_only_where_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "m.bin", b"bytes");
    let seal = |arguments: &[&str]| {
        let mut command = vram();
        Ran::of(
            command
                .args(["seal", "--simulated=vgpu"])
                .args(arguments)
                .arg(&path),
        )
    };

    let refused = seal(&[]);
    let ran = seal(&["--set=region.not-exportable=warn"]);

    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("region.not-exportable"),
        "{}",
        refused.stderr
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.text().contains("by software only"), "{}", ran.text());
}

#[test]
fn a_token_file_is_taken_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let token = write_secret(folder.path(), "token", &[7; 32]);
    let path = write(folder.path(), "m.bin", b"bytes");

    let ran = seal(["--token-file".as_ref(), token.as_os_str(), path.as_os_str()]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_no_utf_8_is_sealed() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let folder = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"m\xff.gguf");
    let path = write(folder.path(), name, &gguf());

    let named = seal(["--id".as_ref(), "m".as_ref(), path.as_os_str()]);
    let unnamed = seal([&path]);

    assert_eq!(named.code, 0, "{}", named.stderr);
    assert_eq!(unnamed.code, 1, "{}", unnamed.text());
    assert!(unnamed.stderr.contains("--id"), "{}", unnamed.stderr);
}
