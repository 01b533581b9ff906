//! `cargo xtask miri`: what Miri can run of the crates with unsafe code, and of those that read what others wrote.
//!
//! Miri interprets a test and finds undefined behaviour: a read out of bounds, an alias that must not be, an uninitialised
//! byte. It runs Rust alone, and few calls of the system.

use clap::Args;

use crate::process;
use crate::suites::{self, Suite};
use crate::summary::{LeftOut, Summary};

/// Tests of vram-sys that ask the kernel with an ioctl, and that load libraries.
const SYSTEM: [&str; 9] = [
    "fs_verity::tests::a_file_without_fs_verity_has_no_measurement",
    "fs_verity::tests::a_file_that_can_not_be_asked_is_an_error_or_has_none",
    "fs_verity::tests::the_kernels_measurement_is_what_its_tool_prints",
    "fs_verity::tests::a_salt_is_told_from_no_salt",
    "fs_verity::tests::blocks_of_another_size_are_told_from_those_of_4096_bytes",
    "fs_verity::tests::another_algorithm_is_told_by_its_number",
    "load::tests",
    "nvml::tests::a_library_that_is_not_there_is_an_error",
    "nvml::tests::another_library_is_not_taken_for_it",
];

const SUITES: [Suite; 3] = [
    Suite {
        package: "vram-kernels",
        target: &["--lib"],
        filters: &[],
        // They go through all of the PTX, and hash it with ring, which is assembly.
        skip: &["ptx::tests"],
    },
    Suite {
        package: "vram-sys",
        target: &["--lib"],
        filters: &[],
        skip: &SYSTEM,
    },
    Suite {
        package: "vram-policy",
        target: &["--lib"],
        filters: &[],
        skip: &[],
    },
];

const LEFT_OUT: [LeftOut; 6] = [
    LeftOut {
        what: "of vram-kernels ptx::tests; of vram-sys the tests of fs_verity, load and nvml that need a system",
        why: "they go through all of the PTX and hash it with ring, ask the kernel, and load libraries",
    },
    LeftOut {
        what: "vram-sim, and vram-alloc over it",
        why: "the simulated driver maps memory with page protection (mmap, mprotect) and calls C++: Miri has neither",
    },
    LeftOut {
        what: "the kernels compiled for the CPU",
        why: "they are C++; cargo xtask tsan instruments them",
    },
    LeftOut {
        what: "vram-secret",
        why: "its pages are made with mmap, mlock and madvise, which Miri does not have",
    },
    LeftOut {
        what: "vram-seal, vram-audit, vram-provenance and vram-residency",
        why: "they forbid unsafe code, and ring, which they hash and sign with, is assembly",
    },
    LeftOut {
        what: "vram-observe and vram-cli",
        why: "they forbid unsafe code, and ask the system",
    },
];

#[derive(Args)]
pub(crate) struct Options {
    /// Print what was done as JSON on standard output.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let version = suites::version(&["cargo", "miri"], "miri,rust-src")?;
    let mut summary = Summary::new("miri", version, &LEFT_OUT);
    for suite in &SUITES {
        let mut command = suites::nightly();
        command
            .args(["miri", "test", "--locked", "--target-dir"])
            .arg(process::scratch().join("miri"))
            .args(suite.arguments())
            // Properties read their regressions from the disk.
            .env("MIRIFLAGS", "-Zmiri-disable-isolation")
            .env("PROPTEST_CASES", "4");
        summary.add(&suite.name(), suites::run(&mut command)?);
    }
    summary.finish(options.json)
}
