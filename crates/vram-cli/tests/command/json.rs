//! `--json`: one document on stdout, and nothing else there.

use crate::model::{safetensors, write};
use crate::run::{Ran, run, seal};

/// The document, which says which command it is of.
#[track_caller]
fn document(ran: &Ran, command: &str) -> serde_json::Value {
    let document = ran.json();
    assert_eq!(document["command"], command);
    assert_eq!(document["vram"], env!("CARGO_PKG_VERSION"));
    document
}

/// Covers: CL-2.
#[test]
fn every_command_prints_one_document() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "m.safetensors", &safetensors(5000));
    let path = path.to_str().unwrap();

    document(&run(["seal", "--simulated", "--json", path]), "seal");
    document(&run(["digest", "--json", path]), "digest");
    document(
        &run(["drill", "--simulated", "--json", "--size", "1"]),
        "drill",
    );
    document(&run(["devices", "--simulated", "--json"]), "devices");
}

#[test]
fn a_seal_is_told_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "m.safetensors", &safetensors(5000));

    let ran = seal(["--json".as_ref(), path.as_os_str()]);

    let document = document(&ran, "seal");
    let shard = &document["shards"][0];
    assert_eq!(shard["shard_id"], "m.safetensors");
    assert_eq!(shard["format"], "safetensors");
    assert_eq!(shard["freezing"], "mmu");
    assert_eq!(shard["device"]["simulated"], true);
    assert_eq!(shard["verification"]["passed"], true);
    assert_eq!(shard["verification"]["verity"], shard["verity"]);
    assert_eq!(shard["verification"]["policy"]["verdict"], "accepted");
    for step in ["upload", "freeze", "measure", "total"] {
        assert!(shard["steps"][step]["seconds"].is_number(), "{step}");
        assert!(
            shard["steps"][step]["bytes_per_second"].is_number(),
            "{step}"
        );
    }
}

/// Covers: CL-2.
#[test]
fn an_error_is_a_document_with_its_exit_code() {
    let zeros = format!("sha256:{}", "00".repeat(32));
    for (arguments, kind, code) in [
        (&["no/such/file"][..], "error", 1),
        (&["--id", "a", ".", "."], "usage", 2),
        (&["--expect", &zeros], "integrity", 3),
        (&["--simulated=integrated"], "policy", 4),
    ] {
        let simulated = if code == 4 { None } else { Some("--simulated") };
        let ran = run(["seal", "--json"].iter().chain(&simulated).chain(arguments));

        assert_eq!(ran.code, code, "{}", ran.stderr);
        let error = &document(&ran, "seal")["error"];
        assert_eq!(error["kind"], kind);
        assert_eq!(error["exit_code"], code);
        let message = error["message"].as_str().unwrap();
        assert!(
            ran.stderr.contains(&format!("vram: {message}\n")),
            "{}",
            ran.stderr
        );
    }
}

/// Covers: CL-2.
#[test]
fn a_policy_refusal_holds_its_findings() {
    let ran = run(["drill", "--json", "--simulated=integrated"]);

    let error = &document(&ran, "drill")["error"];
    assert_eq!(error["findings"][0]["id"], "device.own-memory");
    assert_eq!(error["findings"][0]["status"], "fail");
}

#[test]
fn a_file_that_can_not_be_hashed_has_an_error_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "m.bin", b"abc");

    let ran = run(["digest", "--json", "no/such/file", path.to_str().unwrap()]);

    assert_eq!(ran.code, 1);
    let files = &document(&ran, "digest")["files"];
    assert!(files[0]["error"].as_str().unwrap().contains("No such file"));
    assert_eq!(files[1]["size"], 3);
    assert_eq!(
        files[1]["sha256"],
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        files[1]["fsverity"],
        "700b6bd8510f0b4f9bac8b9cf0459151a1c4a99f467892bb4bd289a67df8e19c"
    );
}
