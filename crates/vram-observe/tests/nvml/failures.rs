//! Each function failing alone makes exactly its facts unknown.

use vram_observe::ManagementFunction as Function;
use vram_policy::{EccFacts, ManagementFacts};

use crate::stand_in::{CARD, SLICE, StandIn, everything};

/// `nvmlReturn_t` of several kinds: not supported, no permission, not found, symbol not found, card lost,
/// unknown.
const CODES: &[i64] = &[3, 4, 6, 13, 15, 999];

/// What is not known any more where a function fails.
fn forget(function: Function, facts: &mut ManagementFacts) {
    match function {
        Function::nvmlSystemGetDriverVersion => facts.driver_version = None,
        // It is found by its address then; what is looked up by UUID again isn't.
        Function::nvmlDeviceGetHandleByUUID => {
            facts.row_remapping = None;
            facts.link.chip_to_chip = None;
        }
        // Not asked where the UUID is known, where the card is no slice, on Linux, and where nobody wants the
        // card's attestation.
        Function::nvmlDeviceGetHandleByPciBusId_v2
        | Function::nvmlDeviceGetConfComputeGpuAttestationReport
        | Function::nvmlDeviceGetConfComputeGpuCertificate
        | Function::nvmlDeviceGetDeviceHandleFromMigDeviceHandle
        | Function::nvmlDeviceGetDriverModel => {}
        Function::nvmlDeviceIsMigDeviceHandle => facts.mig_slice = None,
        Function::nvmlDeviceGetEccMode => {
            facts.ecc.current = None;
            facts.ecc.pending = None;
        }
        Function::nvmlDeviceGetTotalEccErrors => {
            facts.ecc = EccFacts {
                current: facts.ecc.current,
                pending: facts.ecc.pending,
                ..EccFacts::default()
            };
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
fn a_function_that_fails_makes_exactly_its_facts_unknown() {
    for &function in Function::ALL {
        if function == Function::nvmlInit_v2 {
            continue;
        }
        for &code in CODES {
            let Some(mut library) = StandIn::new() else {
                return;
            };
            library.fails(function.name(), code);

            let mut expected = everything();
            forget(function, &mut expected);
            assert_eq!(library.facts(&CARD), expected, "{function} answers {code}");
        }
    }
}

#[test]
fn a_function_that_works_again_is_asked_again() {
    let Some(mut library) = StandIn::new() else {
        return;
    };
    let machine = library.machine();
    let facts =
        |machine: &vram_observe::ThisMachine| vram_observe::Witness::management(machine, &CARD);
    for &function in Function::ALL {
        library.fails(function.name(), 999);
    }
    assert!(facts(&machine).unavailable.is_some());

    for &function in Function::ALL {
        library.fails(function.name(), 0);
    }
    assert_eq!(facts(&machine), everything());
}

#[test]
fn a_library_that_does_not_start_says_why_and_nothing_else() {
    let reasons = [
        (9, "kernel driver is not loaded"),
        (18, "different versions"),
        (4, "no permission"),
        (999, "nvmlInit_v2"),
    ];
    for (code, reason) in reasons {
        let Some(mut library) = StandIn::new() else {
            return;
        };
        library.fails("nvmlInit_v2", code);

        let facts = library.facts(&CARD);

        let why = facts.unavailable.clone().unwrap();
        assert!(why.contains(reason), "{why}");
        let nothing = ManagementFacts {
            unavailable: Some(why),
            ..ManagementFacts::default()
        };
        assert_eq!(facts, nothing);
    }
}

#[test]
fn a_refusal_says_more_than_an_absence() {
    let Some(mut library) = StandIn::new() else {
        return;
    };
    library.fails("nvmlDeviceGetHandleByPciBusId_v2", 4);

    let facts = library.facts(&vram_observe::Card {
        uuid: [9; 16],
        ..CARD
    });

    let why = facts.unavailable.unwrap();
    assert!(why.contains("no permission"), "{why}");
}

#[test]
fn a_slice_whose_card_is_not_given_is_asked_itself_and_knows_little() {
    let Some(mut library) = StandIn::new() else {
        return;
    };
    library.fails("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", 4);

    let facts = library.facts(&SLICE);

    assert_eq!(facts.mig_slice, Some(true));
    assert_eq!(facts.ecc, EccFacts::default());
    assert_eq!(facts.row_remapping, None);
    assert!(facts.processes.is_some());
}
