use super::*;
use vram_observe::Witness as _;
use vram_observe::{ConfidentialSettings, card_attestation};
use vram_policy::{
    ComputeMode, ConfidentialCompute, DriverModel, EccFacts, HostFacts, LinkFacts, ManagementFacts,
    ProcessFacts, ProcessKind, RowRemapping, Virtualization,
};

const UUID: [u8; 16] = [1; 16];
const SLICE: [u8; 16] = [2; 16];
const BUS: &str = "0000:01:00.0";
const CARD: Card<'_> = Card {
    uuid: UUID,
    pci_bus_id: Some(BUS),
};

/// A card that has everything, so that nothing is unknown of it.
fn model() -> ManagedCardModel {
    ManagedCardModel {
        pages_pending_retirement: Some(false),
        confidential_ready: Some(true),
        driver_model: Some(DriverModel::Tcc),
        processes: Some(vec![
            SimulatedProcess::new(10, "python3", 7, ProcessKind::Compute),
            SimulatedProcess::new(11, "Xorg", 8, ProcessKind::Graphics),
            SimulatedProcess::new(12, "client", 9, ProcessKind::Mps),
        ]),
        ..ManagedCardModel::h100(UUID, BUS)
    }
}

fn library() -> SimulatedManagement {
    SimulatedManagement::new("580.159.04", vec![model()])
}

fn facts(library: &SimulatedManagement, card: &Card<'_>) -> ManagementFacts {
    vram_observe::management_facts(library, card, library)
}

fn process(pid: u32, name: &str, bytes: u64, kind: ProcessKind) -> ProcessFacts {
    ProcessFacts {
        pid,
        name: Some(name.to_owned()),
        bytes: Some(bytes),
        kind,
        ours: pid == std::process::id(),
    }
}

fn everything() -> ManagementFacts {
    ManagementFacts {
        unavailable: None,
        driver_version: Some("580.159.04".to_owned()),
        ecc: EccFacts {
            current: Some(true),
            pending: Some(true),
            corrected: Some(0),
            uncorrected: Some(0),
            uncorrected_lifetime: Some(0),
        },
        row_remapping: Some(RowRemapping {
            after_corrected: 0,
            after_uncorrected: 0,
            pending: false,
            failed: false,
        }),
        pages_pending_retirement: Some(false),
        mig_mode: Some(false),
        mig_slice: Some(false),
        virtualization: Some(Virtualization::None),
        confidential_compute: Some(ConfidentialCompute {
            enabled: false,
            developer_tools: false,
            ready: Some(true),
        }),
        persistence_mode: Some(true),
        compute_mode: Some(ComputeMode::Default),
        driver_model: Some(DriverModel::Tcc),
        processes: Some(vec![
            process(10, "python3", 7, ProcessKind::Compute),
            process(11, "Xorg", 8, ProcessKind::Graphics),
            process(12, "client", 9, ProcessKind::Mps),
        ]),
        link: LinkFacts {
            generation: Some(5),
            width: Some(16),
            chip_to_chip: Some(false),
        },
    }
}

/// What is not known any more where a function fails.
fn forget(function: Function, facts: &mut ManagementFacts) {
    match function {
        Function::nvmlSystemGetDriverVersion => facts.driver_version = None,
        // Found by its address then; not asked where the UUID is known; not asked of a whole card; no facts.
        Function::nvmlDeviceGetHandleByUUID
        | Function::nvmlDeviceGetConfComputeGpuAttestationReport
        | Function::nvmlDeviceGetConfComputeGpuCertificate
        | Function::nvmlDeviceGetHandleByPciBusId_v2
        | Function::nvmlDeviceGetDeviceHandleFromMigDeviceHandle => {}
        Function::nvmlDeviceIsMigDeviceHandle => facts.mig_slice = None,
        Function::nvmlDeviceGetEccMode => {
            facts.ecc.current = None;
            facts.ecc.pending = None;
        }
        Function::nvmlDeviceGetTotalEccErrors => {
            facts.ecc.corrected = None;
            facts.ecc.uncorrected = None;
            facts.ecc.uncorrected_lifetime = None;
        }
        Function::nvmlDeviceGetRemappedRows => facts.row_remapping = None,
        Function::nvmlDeviceGetRetiredPagesPendingStatus => facts.pages_pending_retirement = None,
        Function::nvmlDeviceGetMigMode => facts.mig_mode = None,
        Function::nvmlDeviceGetVirtualizationMode => facts.virtualization = None,
        Function::nvmlSystemGetConfComputeSettings => facts.confidential_compute = None,
        Function::nvmlSystemGetConfComputeGpusReadyState => {
            facts.confidential_compute.as_mut().unwrap().ready = None;
        }
        Function::nvmlDeviceGetPersistenceMode => facts.persistence_mode = None,
        Function::nvmlDeviceGetComputeMode => facts.compute_mode = None,
        Function::nvmlDeviceGetDriverModel => facts.driver_model = None,
        Function::nvmlDeviceGetComputeRunningProcesses_v3
        | Function::nvmlDeviceGetGraphicsRunningProcesses_v3
        | Function::nvmlDeviceGetMPSComputeRunningProcesses_v3 => facts.processes = None,
        Function::nvmlDeviceGetMaxPcieLinkGeneration => facts.link.generation = None,
        Function::nvmlDeviceGetMaxPcieLinkWidth => facts.link.width = None,
        Function::nvmlDeviceGetC2cModeInfoV => facts.link.chip_to_chip = None,
        other => panic!("{other} has no row here"),
    }
}

#[test]
fn everything_that_a_card_has_is_a_fact() {
    assert_eq!(facts(&library(), &CARD), everything());
}

#[test]
fn a_function_that_fails_makes_exactly_its_facts_unknown() {
    let functions = Function::ALL.iter().copied();
    for function in functions.filter(|&function| function != Function::nvmlInit_v2) {
        for &fault in ManagementFault::ALL {
            let library = library();
            library.fail_always(function, fault);

            let mut expected = everything();
            forget(function, &mut expected);
            assert_eq!(facts(&library, &CARD), expected, "{function}: {fault:?}");
            library.clear_faults();
            assert_eq!(
                facts(&library, &CARD),
                everything(),
                "{function}: {fault:?}"
            );
        }
    }
}

#[test]
fn what_a_card_does_not_have_is_unknown() {
    let library = library();
    library
        .change(0, |card| {
            card.ecc_errors = None;
            card.driver_model = None;
            card.processes = None;
        })
        .unwrap();

    let mut expected = everything();
    forget(Function::nvmlDeviceGetTotalEccErrors, &mut expected);
    forget(Function::nvmlDeviceGetDriverModel, &mut expected);
    expected.processes = None;
    assert_eq!(facts(&library, &CARD), expected);
}

#[test]
fn what_changes_is_seen_at_the_next_call() {
    let library = library();
    assert_eq!(facts(&library, &CARD), everything());

    library
        .change(0, |card| {
            card.ecc_errors.as_mut().unwrap().uncorrected = 3;
            card.remapped_rows.as_mut().unwrap().pending = true;
            card.processes.as_mut().unwrap().clear();
        })
        .unwrap();

    let mut expected = everything();
    expected.ecc.uncorrected = Some(3);
    expected.row_remapping.as_mut().unwrap().pending = true;
    expected.processes = Some(vec![]);
    assert_eq!(facts(&library, &CARD), expected);
}

#[test]
fn of_a_slice_its_card_is_described_and_its_own_processes() {
    let library = library();
    library
        .change(0, |card| {
            card.mig_mode = Some(true);
            card.slices.push(MigSliceModel {
                uuid: SLICE,
                processes: vec![SimulatedProcess::new(20, "tenant", 1, ProcessKind::Compute)],
            });
        })
        .unwrap();
    let slice = Card {
        uuid: SLICE,
        pci_bus_id: Some(BUS),
    };

    let expected = ManagementFacts {
        mig_mode: Some(true),
        mig_slice: Some(true),
        processes: Some(vec![process(20, "tenant", 1, ProcessKind::Compute)]),
        ..everything()
    };
    assert_eq!(facts(&library, &slice), expected);
    // Of the whole card everybody is listed.
    assert_eq!(facts(&library, &CARD).processes.unwrap().len(), 4);
}

#[test]
fn a_slice_has_nothing_of_what_belongs_to_the_whole_card() {
    let library = library();
    let own = MigSliceModel {
        uuid: SLICE,
        processes: Vec::new(),
    };
    library.change(0, |card| card.slices.push(own)).unwrap();
    let slice = Card {
        uuid: SLICE,
        pci_bus_id: None,
    };
    // Without the card that it is of, only the slice itself is left to ask.
    let function = Function::nvmlDeviceGetDeviceHandleFromMigDeviceHandle;
    library.fail_always(function, ManagementFault::NoPermission);

    let expected = ManagementFacts {
        driver_version: everything().driver_version,
        mig_slice: Some(true),
        // Of the system, not of the card.
        confidential_compute: everything().confidential_compute,
        processes: Some(vec![]),
        ..ManagementFacts::default()
    };
    assert_eq!(facts(&library, &slice), expected);
}

#[test]
fn a_machine_without_the_library_says_so() {
    let facts = facts(&SimulatedManagement::absent(), &CARD);

    let why = facts.unavailable.clone().unwrap();
    assert!(why.contains("could not be loaded"), "{why}");
    let nothing = ManagementFacts {
        unavailable: Some(why),
        ..ManagementFacts::default()
    };
    assert_eq!(facts, nothing);
}

#[test]
fn a_lost_card_is_unavailable() {
    let library = library();
    library.change(0, |card| card.lost = true).unwrap();

    let facts = facts(&library, &CARD);

    assert!(facts.unavailable.unwrap().contains("lost"));
    assert_eq!(facts.ecc, EccFacts::default());
}

#[test]
fn a_card_that_is_lost_while_it_is_described_is_unknown_from_then_on() {
    let library = library();
    library.start().unwrap();
    let card = library.card_by_uuid(&CARD.gpu_uuid()).unwrap();
    assert!(card.ecc_mode().is_ok());

    library.change(0, |card| card.lost = true).unwrap();

    let function = Function::nvmlDeviceGetEccMode;
    assert_eq!(card.ecc_mode(), Err(Error::CardLost { function }));
}

#[test]
fn the_nth_call_fails_once_and_calls_are_counted() {
    let library = library();
    let function = Function::nvmlDeviceGetTotalEccErrors;
    library.fail_nth(function, 2, ManagementFault::Unknown);

    // Corrected, uncorrected, lifetime: the second is refused.
    let first = facts(&library, &CARD).ecc;
    let second = facts(&library, &CARD).ecc;

    assert_eq!(first.uncorrected, None);
    assert_eq!(first.uncorrected_lifetime, Some(0));
    assert_eq!(second, everything().ecc);
    assert_eq!(library.calls(function), 6);
    assert_eq!(library.pending_faults(), 0);
}

#[test]
fn nothing_answers_before_the_library_was_started() {
    let library = library();

    assert!(library.driver_version().is_err());
    library.start().unwrap();
    assert!(library.driver_version().is_ok());
}

#[test]
fn there_is_no_card_beyond_the_last() {
    let refused = library().change(1, |_| ()).unwrap_err();

    assert!(matches!(
        refused,
        SimError::NoSuchDevice {
            device: 1,
            count: 1
        }
    ));
}

#[test]
fn a_witness_sees_the_host_as_it_is_at_the_moment() {
    let witness = SimulatedWitness::new(HostFacts::default(), library());
    assert_eq!(witness.host(), HostFacts::default());

    witness.change_host(|host| host.traced = Some(true));

    assert_eq!(witness.host().traced, Some(true));
    assert_eq!(witness.looks_at_host(), 2);
    assert_eq!(witness.management(&CARD), everything());
}

fn confidential(enabled: bool) -> SimulatedManagement {
    let library = library();
    let settings = ConfidentialSettings {
        enabled,
        developer_tools: false,
    };
    let change = |card: &mut ManagedCardModel| card.confidential = Some(settings);
    library.change(0, change).unwrap();
    library
}

#[test]
fn a_confidential_card_attests_over_the_nonce_and_says_that_it_is_simulated() {
    let found = card_attestation(&confidential(true), &CARD, &[9; 32]).unwrap();

    assert!(found.report.starts_with(b"simulated"));
    assert!(found.report.ends_with(&[9; 32]));
    assert!(found.certificates.starts_with(b"simulated"));
}

#[test]
fn a_card_that_is_not_confidential_does_not_attest() {
    let refused = card_attestation(&confidential(false), &CARD, &[9; 32]).unwrap_err();

    assert!(matches!(refused, Error::NotSupported { .. }), "{refused}");
}

#[test]
fn an_attestation_fails_with_each_of_its_functions() {
    for function in [
        Function::nvmlDeviceGetConfComputeGpuAttestationReport,
        Function::nvmlDeviceGetConfComputeGpuCertificate,
    ] {
        let library = confidential(true);
        library.fail_always(function, ManagementFault::Unknown);

        let refused = card_attestation(&library, &CARD, &[9; 32]).unwrap_err();

        assert!(refused.to_string().contains(function.name()), "{refused}");
    }
}
