//! A process that closes itself, seen from within. Each test runs in a child process: nothing undoes it.
#![cfg(test)]
#![cfg(target_os = "linux")]

use std::process::{Command, ExitStatus};

use vram_observe::{ThisMachine, Witness as _, harden};

/// Says to this program that it is the child.
const CHILD: &str = "VRAM_OBSERVE_HARDENING_CHILD";

/// Runs one test of this program again, in a process of its own.
fn in_a_child(test: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .status()
        .unwrap()
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

#[test]
fn a_hardened_process_sees_itself_closed() {
    if !is_child() {
        assert!(in_a_child("a_hardened_process_sees_itself_closed").success());
        return;
    }
    let machine = ThisMachine::new();
    let before = machine.host();
    assert_eq!(before.dumpable, Some(true), "as every process begins");

    let done = harden();

    assert!(done.is_complete(), "{done:?}");
    let after = machine.host();
    assert_eq!(after.core_limit, Some(0));
    assert_eq!(after.dumpable, Some(false));
    // The rest is as it was, though the process's own files belong to root now.
    assert_eq!(after.traced, before.traced);
    assert_eq!(after.kernel_release, before.kernel_release);
}

#[test]
fn the_limit_cannot_be_raised_again() {
    if !is_child() {
        assert!(in_a_child("the_limit_cannot_be_raised_again").success());
        return;
    }
    assert!(harden().is_complete());

    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();

    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let numbers: Vec<_> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(numbers, ["0", "0"], "soft and hard: {core}");
}

#[test]
fn hardening_twice_is_hardening() {
    if !is_child() {
        assert!(in_a_child("hardening_twice_is_hardening").success());
        return;
    }
    assert!(harden().is_complete());
    assert!(harden().is_complete());
}

#[test]
fn a_process_that_was_not_hardened_is_not_taken_for_one() {
    if is_child() {
        return;
    }
    assert_eq!(ThisMachine::new().host().dumpable, Some(true));
}
