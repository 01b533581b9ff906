//! What the library says arrives as facts.

use std::fs;

use vram_observe::{Card, ManagementLibrary, ThisMachine, Witness as _};
use vram_policy::{ComputeMode, ConfidentialCompute, ManagementFacts, ProcessKind, Virtualization};

use crate::stand_in::{CARD, SLICE, StandIn, everything};

#[test]
fn everything_that_the_library_says_is_a_fact() {
    let Some(library) = StandIn::new() else {
        return;
    };

    assert_eq!(library.facts(&CARD), everything());
}

#[test]
fn what_changes_is_seen_at_the_next_call() {
    let Some(mut library) = StandIn::new() else {
        return;
    };
    let machine = library.machine();
    assert_eq!(machine.management(&CARD), everything());

    library.says("uncorrected", 99);
    library.says("rows.failed", 1);
    library.says("ecc.pending", 0);
    library.says("c2c", 1);
    library.says("developer-tools", 1);

    let mut expected = everything();
    expected.ecc.uncorrected = Some(99);
    expected.ecc.pending = Some(false);
    expected.row_remapping.as_mut().unwrap().failed = true;
    expected.link.chip_to_chip = Some(true);
    expected.confidential_compute = Some(ConfidentialCompute {
        enabled: true,
        developer_tools: true,
        ready: Some(true),
    });
    assert_eq!(machine.management(&CARD), expected);
}

#[test]
fn of_a_slice_its_card_is_described_and_its_own_processes() {
    let Some(mut library) = StandIn::new() else {
        return;
    };
    library.says("mig", 1);

    let facts = library.facts(&SLICE);

    let pids: Vec<_> = facts
        .processes
        .iter()
        .flatten()
        .map(|process| process.pid)
        .collect();
    assert_eq!(pids, [4_000_000_005]);
    let expected = ManagementFacts {
        mig_mode: Some(true),
        mig_slice: Some(true),
        processes: facts.processes.clone(),
        ..everything()
    };
    assert_eq!(facts, expected);
}

#[test]
fn a_card_of_another_uuid_is_found_by_its_address() {
    let Some(library) = StandIn::new() else {
        return;
    };

    let facts = library.facts(&Card {
        uuid: [9; 16],
        ..CARD
    });

    assert_eq!(facts, everything());
}

#[test]
fn what_an_address_finds_on_a_divided_card_may_be_a_slice() {
    let Some(mut library) = StandIn::new() else {
        return;
    };
    library.says("mig", 1);

    let facts = library.facts(&Card {
        uuid: [9; 16],
        ..CARD
    });

    let expected = ManagementFacts {
        mig_mode: Some(true),
        mig_slice: None,
        ..everything()
    };
    assert_eq!(facts, expected);
}

#[test]
fn a_card_that_the_library_does_not_know_leaves_nothing_but_the_driver_known() {
    let Some(library) = StandIn::new() else {
        return;
    };
    let unknown = [
        Card {
            uuid: [9; 16],
            pci_bus_id: None,
        },
        Card {
            uuid: [9; 16],
            pci_bus_id: Some("0000:99:00.0"),
        },
    ];
    for card in unknown {
        let facts = library.facts(&card);

        let why = facts.unavailable.clone().unwrap();
        assert!(why.contains("no such card"), "{why}");
        let expected = ManagementFacts {
            unavailable: Some(why),
            driver_version: everything().driver_version,
            ..ManagementFacts::default()
        };
        assert_eq!(facts, expected);
    }
}

#[test]
fn a_process_is_ours_by_its_id_and_named_by_the_system() {
    let Some(mut library) = StandIn::new() else {
        return;
    };
    library.says("our-pid", std::process::id().into());

    let processes = library.facts(&CARD).processes.unwrap();

    let ours = processes.iter().find(|process| process.ours).unwrap();
    assert_eq!(ours.pid, std::process::id());
    assert_eq!(ours.kind, ProcessKind::Compute);
    let name = fs::read_to_string("/proc/self/comm").unwrap();
    assert_eq!(ours.name.as_deref(), Some(name.trim_end()));
    assert_eq!(processes.iter().filter(|process| process.ours).count(), 1);
}

#[test]
fn a_list_that_grows_while_it_is_read_is_read_again() {
    let Some(mut library) = StandIn::new() else {
        return;
    };
    library.says("grow", 2);

    assert_eq!(library.facts(&CARD), everything());
}

#[test]
fn a_list_that_never_stops_growing_is_unknown() {
    let Some(mut library) = StandIn::new() else {
        return;
    };
    library.says("grow", 1_000_000);

    let expected = ManagementFacts {
        processes: None,
        ..everything()
    };
    assert_eq!(library.facts(&CARD), expected);
}

#[test]
fn modes_are_told_apart_by_the_librarys_numbers() {
    let Some(mut library) = StandIn::new() else {
        return;
    };
    let virtualization = [
        (0, Virtualization::None),
        (1, Virtualization::Passthrough),
        (2, Virtualization::VgpuGuest),
        (3, Virtualization::VgpuHost),
        (4, Virtualization::VgpuHost),
        (77, Virtualization::Other(77)),
    ];
    for (number, mode) in virtualization {
        library.says("virtualization", number);
        assert_eq!(library.facts(&CARD).virtualization, Some(mode));
    }
    let compute = [
        (0, ComputeMode::Default),
        (1, ComputeMode::Other(1)),
        (2, ComputeMode::Prohibited),
        (3, ComputeMode::ExclusiveProcess),
        (77, ComputeMode::Other(77)),
    ];
    for (number, mode) in compute {
        library.says("compute-mode", number);
        assert_eq!(library.facts(&CARD).compute_mode, Some(mode));
    }
}

#[test]
fn a_switch_that_is_neither_on_nor_off_is_unknown() {
    let Some(mut library) = StandIn::new() else {
        return;
    };
    library.says("ecc", 7);
    library.says("mig", 7);

    let facts = library.facts(&CARD);

    assert_eq!((facts.ecc.current, facts.ecc.pending), (None, None));
    assert_eq!(facts.mig_mode, None);
}

#[test]
fn what_an_old_library_lacks_is_unknown() {
    let Some(library) = StandIn::old() else {
        return;
    };

    let mut expected = everything();
    expected.confidential_compute = None;
    expected.link.chip_to_chip = None;
    assert_eq!(library.facts(&CARD), expected);
}

#[test]
fn a_library_that_comes_later_is_found_later() {
    let Some(library) = StandIn::new() else {
        return;
    };
    let later = library.path().with_file_name("later.so");
    let machine = ThisMachine::with(ManagementLibrary::at(&later));

    let absent = machine.management(&CARD);
    let why = absent.unavailable.clone().unwrap();
    assert!(why.contains("could not be loaded"), "{why}");
    let nothing = ManagementFacts {
        unavailable: Some(why),
        ..ManagementFacts::default()
    };
    assert_eq!(absent, nothing);

    fs::copy(library.path(), &later).unwrap();
    assert_eq!(machine.management(&CARD), everything());
}

#[test]
fn another_library_is_not_taken_for_it() {
    let machine = ThisMachine::with(ManagementLibrary::at("libc.so.6"));

    let why = machine.management(&CARD).unavailable.unwrap();

    assert!(why.contains("nvmlInit_v2"), "{why}");
}
