//! `cargo xtask tsan`: the tests with threads, instrumented to find data races.
//!
//! The sanitizer needs a nightly compiler, and the standard library instrumented too. The kernels' C++ for the CPU is
//! compiled with it as well: its C++ compiler speaks to the same run-time library. Nothing is suppressed.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process;
use crate::suites::{self, Suite};
use crate::summary::{LeftOut, Summary};

const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// What a program that raced ends with.
const RACED: i32 = 66;

const SUITES: [Suite; 5] = [
    Suite {
        package: "vram-tests",
        target: &["--test", "drivers"],
        filters: &["concurrency::"],
        skip: &[],
    },
    Suite {
        package: "vram-alloc",
        target: &["--test", "simulated"],
        filters: &["threads::", "budget::"],
        skip: &[],
    },
    Suite {
        package: "vram-residency",
        target: &["--test", "suite"],
        filters: &["crew::", "recheck::", "sets::"],
        skip: &[],
    },
    Suite {
        package: "vram-audit",
        target: &["--test", "suite"],
        filters: &["overload::"],
        skip: &[],
    },
    Suite {
        package: "vram-sim",
        target: &["--test", "conformance"],
        filters: &["machines::", "contexts::"],
        skip: &[],
    },
];

const LEFT_OUT: [LeftOut; 3] = [
    LeftOut {
        what: "tests on one thread",
        why: "they have nothing to race with, and take ten times as long",
    },
    LeftOut {
        what: "accesses within ring's C and assembly",
        why: "they are not instrumented: a race there would not be seen. ring has no threads of its own",
    },
    LeftOut {
        what: "the GPU",
        why: "everything runs on the simulated driver",
    },
];

/// Two threads that write without a lock between them: what can't see that sees nothing.
const RACE: &str = "static mut SHARED: u64 = 0;
fn main() {
    let threads: Vec<_> = (0..2)
        .map(|_| std::thread::spawn(|| for _ in 0..1000 { unsafe { SHARED = SHARED.wrapping_add(1) } }))
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let seen = unsafe { SHARED };
    println!(\"{seen}\");
}
";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Print what was done as JSON on standard output.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let version = suites::version(&["rustc"], "rust-src")?;
    let mut summary = Summary::new("ThreadSanitizer", version, &LEFT_OUT);
    summary.add("a planted race", find_planted_race()?);
    for suite in &SUITES {
        let mut command = suites::nightly();
        command
            .args(["test", "-Zbuild-std", "--locked", "--target", TRIPLE])
            .arg("--target-dir")
            .arg(process::scratch().join("tsan"))
            .args(suite.arguments())
            // Calls of the system that pass libc by are not seen: memory that one thread gives back and another
            // gets would look as if both had it.
            .env("RUSTFLAGS", "-Zsanitizer=thread --cfg rustix_use_libc")
            .env("CXXFLAGS_x86_64_unknown_linux_gnu", "-fsanitize=thread")
            .env("TSAN_OPTIONS", format!("exitcode={RACED}"))
            // To name the lines of a panic that a test is about takes longer than it waits.
            .env("RUST_BACKTRACE", "0")
            // Every case takes ten times as long.
            .env("PROPTEST_CASES", "16");
        summary.add(&suite.name(), suites::run(&mut command)?);
    }
    summary.finish(options.json)
}

/// The sanitizer must see a race that is there, or its silence says nothing.
fn find_planted_race() -> anyhow::Result<Result<String, String>> {
    let folder = process::scratch().join("tsan").join("planted");
    fs::create_dir_all(&folder)?;
    let (source, program) = (folder.join("race.rs"), folder.join("race"));
    fs::write(&source, RACE)?;
    process::run(
        Command::new("rustup")
            .args([
                "run",
                "nightly",
                "rustc",
                "-Zsanitizer=thread",
                // The standard library as it comes is not instrumented: what races is all here.
                "-Cunsafe-allow-abi-mismatch=sanitizer",
                "--edition=2021",
            ])
            .args(["-Aunsafe_op_in_unsafe_fn", "-Astatic_mut_refs", "-o"])
            .args([&program, &source]),
    )?;
    let output = Command::new(&program)
        .env("TSAN_OPTIONS", format!("exitcode={RACED}"))
        .output()
        .with_context(|| program.display().to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let Some(status) = output.status.code() else {
        bail!("the program with the planted race ended by a signal: {said}");
    };
    let found = status == RACED && said.contains("ThreadSanitizer: data race");
    Ok(if found {
        Ok("found".to_owned())
    } else {
        Err(format!("not found: the program ended with {status}"))
    })
}
