//! The scenarios of `tests/features`, each a test of its own, run by `cucumber` over both drivers.
//!
//! `VRAM_TEST_DRIVER=simulated` (the default) makes simulated devices; `VRAM_TEST_DRIVER=gpu` takes the machine's
//! first GPU, and fails if there is none. The feature files and the steps are the same. The files are part of the
//! program, which needs nothing else to run.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "tests compute on known values"
)]

mod audit;
mod child;
#[path = "../drivers/content.rs"]
mod content;
mod interference;
mod log;
mod runner;
mod scenarios;
mod scene;
mod search;
mod self_test;
mod skipping;
mod steps;
mod verity;
mod world;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = scenarios::trials(arguments.nocapture);
    trials.extend(self_test::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}
