//! The choice between a GPU and the simulation.

use std::path::Path;
use std::process::Command;

use crate::model::write;
use crate::run::{Ran, run, vram};

/// The command where no GPU is visible: without a driver, or with one that is told to show none.
pub(crate) fn without_gpu() -> Command {
    let mut command = vram();
    command.env("CUDA_VISIBLE_DEVICES", "-1");
    command
}

/// A `libcuda.so.1` of this C code.
pub(crate) fn driver(folder: &Path, code: &str) {
    let source = write(folder, "driver.c", code.as_bytes());
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let status = Command::new(compiler)
        .args(["-shared", "-fPIC", "-w", "-o"])
        .args([&folder.join("libcuda.so.1"), &source])
        .status();
    assert!(status.unwrap().success());
}

/// Covers: TS-1.4.
#[test]
fn without_a_gpu_the_simulation_is_used_and_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "m.bin", b"bytes");

    let ran = Ran::of(without_gpu().args(["seal", "--json"]).arg(path));

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("simulated device, not a GPU"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("NVIDIA driver"), "{}", ran.stderr);
    let document = ran.json();
    assert_eq!(document["simulated"], true);
    assert_eq!(document["shards"][0]["simulated"], true);
    let because = document["simulated_because"].as_str().unwrap();
    assert!(because.contains("NVIDIA driver"), "{because}");
}

/// Covers: TS-1.4.
#[test]
fn who_asks_for_a_gpu_gets_no_simulation() {
    for option in ["--gpu", "--require-gpu"] {
        let ran = Ran::of(without_gpu().args(["seal", option]));

        assert_eq!(ran.code, 1, "{}", ran.text());
        assert_eq!(ran.text(), "");
        assert!(!ran.stderr.contains("simulated"), "{}", ran.stderr);
    }
}

#[test]
fn both_at_once_is_a_usage_error() {
    assert_eq!(run(["seal", "--gpu", "--simulated"]).code, 2);
}

/// Covers: SI-1.
#[cfg(target_os = "linux")]
#[test]
fn a_driver_that_does_not_work_is_an_error_and_no_reason_to_simulate() {
    let folder = tempfile::tempdir().unwrap();
    driver(folder.path(), "int nothing(void) { return 0; }");

    for command in ["seal", "drill", "devices"] {
        let ran = Ran::of(vram().env("LD_LIBRARY_PATH", folder.path()).arg(command));

        assert_eq!(ran.code, 1, "{}", ran.text());
        assert!(ran.stderr.contains("has no function"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("simulated"), "{}", ran.stderr);
    }
}
