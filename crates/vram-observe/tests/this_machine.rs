//! What is observed of the machine that runs the test, whatever machine it is.
#![cfg(test)]
#![cfg(target_os = "linux")]

use std::fs;
use std::process::Command;

use vram_observe::{Card, ManagementLibrary, ThisMachine, Witness as _};
use vram_policy::{ManagementFacts, OperatingSystem};

#[test]
fn the_kernel_is_the_one_that_runs() {
    let host = ThisMachine::new().host();

    let uname = Command::new("uname").arg("-r").output().unwrap();
    let release = String::from_utf8(uname.stdout).unwrap();
    assert_eq!(host.kernel_release.as_deref(), Some(release.trim()));
    assert_eq!(host.system, Some(OperatingSystem::Linux));
}

#[test]
fn whether_the_process_is_traced_is_known() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let traced = !status.lines().any(|line| line == "TracerPid:\t0");

    assert_eq!(ThisMachine::new().host().traced, Some(traced));
}

#[test]
fn settings_of_the_process_are_known() {
    let host = ThisMachine::new().host();

    assert!(host.core_limit.is_some());
    assert!(host.dumpable.is_some());
    assert!(host.environment.is_some());
    assert!(host.dxg_device.is_some());
}

#[test]
fn without_a_management_library_nothing_of_a_card_is_known_and_it_is_said() {
    let card = Card {
        uuid: [7; 16],
        pci_bus_id: None,
    };
    let machine = ThisMachine::with(ManagementLibrary::at("libvram-no-such-library.so.1"));

    let facts = machine.management(&card);

    let why = facts.unavailable.clone().unwrap();
    assert!(why.contains("libvram-no-such-library.so.1"), "{why}");
    assert!(why.contains("install the NVIDIA driver"), "{why}");
    let nothing = ManagementFacts {
        unavailable: Some(why),
        ..ManagementFacts::default()
    };
    assert_eq!(facts, nothing);
}

#[test]
fn a_witness_can_be_shared_between_threads() {
    let machine = std::sync::Arc::new(ThisMachine::new());
    let card = Card {
        uuid: [7; 16],
        pci_bus_id: None,
    };
    let expected = machine.host();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert_eq!(machine.host(), expected);
                machine.management(&card)
            });
        }
    });
}
