//! What is observed of the machine that runs the test, whatever machine it is.
#![cfg(test)]
#![cfg(target_os = "linux")]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "tests compute on known values"
)]

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

/// A UUID as the driver has it, of the text that the library prints.
fn parsed(uuid: &str) -> [u8; 16] {
    let digits: String = uuid.chars().skip(4).filter(|&c| c != '-').collect();
    let byte = |position| u8::from_str_radix(&digits[2 * position..2 * position + 2], 16).unwrap();
    std::array::from_fn(byte)
}

#[test]
fn cards_of_this_machine_are_described_as_the_library_describes_them() {
    let path = std::ffi::OsStr::new("libnvidia-ml.so.1");
    let Ok(library) = nvml_wrapper::Nvml::builder().lib_path(path).init() else {
        eprintln!("SKIPPED: there is no NVIDIA management library on this machine");
        return;
    };
    let machine = ThisMachine::new();
    for index in 0..library.device_count().unwrap() {
        let device = library.device_by_index(index).unwrap();
        let uuid = device.uuid().unwrap();
        let card = Card {
            uuid: parsed(&uuid),
            pci_bus_id: None,
        };

        let facts = machine.management(&card);

        eprintln!("{uuid}: {}", serde_json::to_string_pretty(&facts).unwrap());
        assert_eq!(card.gpu_uuid(), uuid);
        assert_eq!(facts.unavailable, None);
        assert_eq!(facts.driver_version, library.sys_driver_version().ok());
        let ecc = device.is_ecc_enabled().ok();
        assert_eq!(facts.ecc.current, ecc.map(|ecc| ecc.currently_enabled));
        assert_eq!(facts.link.generation, device.max_pcie_link_gen().ok());
        assert_eq!(facts.mig_slice, Some(false));
    }
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
