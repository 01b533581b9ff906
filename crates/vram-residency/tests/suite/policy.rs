//! What the driver says of devices and regions is judged, and what breaks the policy is refused.

use std::sync::Arc;

use vram_policy::{CheckId, Enforcement, Policy, Profile, Status, Verdict};
use vram_residency::{Error, Manager, Progress, SealRequest, Stage};
use vram_sim::{DeviceModel, Machine};
use vram_sys::{CUdevice_attribute, CUpointer_attribute, CUresult, Function};

use crate::support::*;
use crate::witness::{card, sound};

/// Each of these alone, reported by the driver for a region at that moment, and the check that refuses it.
const VIOLATIONS: [(CUpointer_attribute, u64, CheckId); 8] = [
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
        1,
        CheckId::RegionDeviceMemory,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
        1,
        CheckId::RegionDeviceMemory,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
        0x1000,
        CheckId::RegionDeviceMemory,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_SIZE,
        1 << 30,
        CheckId::RegionDeviceMemory,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED,
        1,
        CheckId::RegionNotManaged,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_HOST_POINTER,
        0x1000,
        CheckId::RegionNoHostAlias,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE,
        1,
        CheckId::RegionNotExportable,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES,
        1,
        CheckId::RegionNotExportable,
    ),
];

/// Requires that exactly this check refused, that it was told as that, and that the manager stopped.
fn require_refused(manager: &Manager, recorder: &Recorder, error: &Error, check: CheckId) {
    let Error::Policy(refusal) = error else {
        panic!("{check}: {error:?}")
    };
    let ids: Vec<_> = refusal.findings().iter().map(|found| found.id).collect();
    assert_eq!(ids, [check], "{refusal}");
    let told = recorder.told("policy_violation");
    assert_eq!(told.len(), 1, "{check}: {}", recorder.json());
    assert_eq!(told[0]["shard"], "one");
    assert_eq!(told[0]["checks"], serde_json::json!([check.as_str()]));
    let reason = manager.stop_reason().unwrap();
    assert!(reason.contains(check.as_str()), "{reason}");
    assert!(error.is_fatal() && error.is_policy_refusal() && !error.is_retriable());
}

fn recorded(machine: &Machine) -> (Manager, Arc<Recorder>) {
    let recorder = Recorder::new();
    let builder = builder().observer(recorder.clone());
    (builder.build(&platform(machine)).unwrap(), recorder)
}

/// Covers: VP-001, VP-003, VP-005.
#[test]
fn test_vram_policy_enforced() {
    for (attribute, value, check) in VIOLATIONS {
        // While sealing: nothing is uploaded into such memory.
        let machine = machine();
        let (manager, recorder) = recorded(&machine);
        machine.set_pointer_attribute(0, attribute, value).unwrap();
        let mut never_read = Unreadable;
        let request = SealRequest::reader(id("one"), &mut never_read, 5000);
        let error = manager.seal(request).unwrap_err();
        require_refused(&manager, &recorder, &error, check);
        assert_eq!(recorder.count("sealed"), 0, "{check}");
        assert_eq!(recorder.count("freed"), 1, "{check}");
        assert_eq!(manager.capacity().unwrap().used.0, 0, "{check}");
        assert!(manager.shard_ids().is_empty(), "{check}");
        drop(manager);

        // And at every verification.
        machine.clear_attributes(0).unwrap();
        let (manager, recorder) = recorded(&machine);
        let shard = seal(&manager, "one", &weights(5000));
        let verified = manager.verify(&shard).unwrap();
        assert_eq!(verified.report.policy.verdict(), Verdict::Accepted);
        // Attributes prove no residency: a shard too small to be measured stays unproven.
        assert!(!verified.report.residency.is_proven());
        machine.set_pointer_attribute(0, attribute, value).unwrap();
        let error = manager.verify(&shard).unwrap_err();
        require_refused(&manager, &recorder, &error, check);
        assert_eq!(recorder.count("verified"), 1, "{check}");
        assert!(verified.permit.device_address().is_err(), "{check}");
        drop(shard);
        assert_eq!(manager.capacity().unwrap().used.0, 0, "{check}");
    }
}

/// Becomes what a test says once the upload is done.
#[derive(Debug)]
struct AfterUpload<'a>(&'a Machine, CUpointer_attribute, u64);

impl Progress for AfterUpload<'_> {
    fn advanced(&self, stage: Stage, done: u64, total: u64) {
        if stage == Stage::Upload && done == total {
            self.0.set_pointer_attribute(0, self.1, self.2).unwrap();
        }
    }
}

#[test]
fn a_region_that_changed_during_its_upload_is_not_signed() {
    for (attribute, value, check) in VIOLATIONS {
        let machine = machine();
        let (manager, recorder) = recorded(&machine);
        let change = AfterUpload(&machine, attribute, value);

        let bytes = weights(5000);
        let request = SealRequest::bytes(id("one"), &bytes).progress(&change);
        let error = manager.seal(request).unwrap_err();

        require_refused(&manager, &recorder, &error, check);
        assert_eq!(recorder.count("sealed"), 0, "{check}");
        assert_eq!(manager.capacity().unwrap().used.0, 0, "{check}");
    }
}

/// Covers: FZ-1.
#[test]
fn a_region_whose_freezing_was_undone_is_refused() {
    let machine = machine();
    let (manager, recorder) = recorded(&machine);
    let shard = seal(&manager, "one", &weights(5000));
    let verified = manager.verify(&shard).unwrap();
    let read_only = verified.report.policy.finding(CheckId::RegionReadOnly);
    assert_eq!(read_only.unwrap().status, Status::Pass);
    let address = verified.permit.device_address().unwrap().as_raw();

    let outsider = Outsider::new(&machine);
    let opened = outsider.allow_writes(address, shard.mapped().0);

    assert_eq!(opened, CUresult::CUDA_SUCCESS);
    let error = manager.verify(&shard).unwrap_err();
    require_refused(&manager, &recorder, &error, CheckId::RegionReadOnly);
    assert!(verified.permit.device_address().is_err());
}

#[test]
fn of_shards_verified_together_the_one_whose_freezing_was_undone_is_refused() {
    let machine = machine();
    let (manager, _) = recorded(&machine);
    let shards = [
        seal(&manager, "one", &weights(5000)),
        seal(&manager, "two", &weights(6000)),
    ];
    let verified = manager.verify(&shards[1]).unwrap();
    let address = verified.permit.device_address().unwrap().as_raw();
    let outsider = Outsider::new(&machine);
    outsider.allow_writes(address, shards[1].mapped().0);

    let verification = manager.verify_all(&shards).unwrap();

    let passed: Vec<_> = verification
        .outcomes()
        .iter()
        .map(|(_, found)| found.is_ok())
        .collect();
    assert_eq!(passed, [true, false]);
    assert!(manager.stop_reason().is_some());
}

#[test]
fn a_verification_asks_the_driver_about_a_region_twice_and_no_more() {
    let machine = machine();
    let (manager, _) = recorded(&machine);
    let shard = seal(&manager, "one", &weights(5000));
    machine.record();

    manager.inspect(&shard).unwrap();

    let calls = machine.stop_recording();
    let about = [
        Function::cuPointerGetAttributes,
        Function::cuPointerGetAttribute,
        Function::cuMemGetAccess,
        Function::cuDeviceGetAttribute,
        Function::cuMemGetInfo_v2,
    ];
    let asked: Vec<_> = calls
        .iter()
        .map(|call| call.function)
        .filter(|function| about.contains(function))
        .collect();
    assert_eq!(
        asked,
        [Function::cuPointerGetAttributes, Function::cuMemGetAccess]
    );
}

/// Covers: FZ-2.
#[test]
fn memory_that_software_freezes_is_refused_unless_that_was_asked_for() {
    let model = DeviceModel::without_vmm();
    let machine = Machine::builder().device(model).build().unwrap();
    let (manager, recorder) = recorded(&machine);

    let mut never_read = Unreadable;
    let request = SealRequest::reader(id("one"), &mut never_read, 5000);
    let error = manager.seal(request).unwrap_err();

    require_refused(&manager, &recorder, &error, CheckId::RegionNotExportable);
}

#[test]
fn software_freezing_that_was_asked_for_lowers_what_it_cannot_keep_and_says_so() {
    for profile in Profile::ALL {
        let machine = card();
        let recorder = Recorder::new();
        let manager = builder()
            .policy(Policy::new(*profile))
            .witness(Arc::new(sound()))
            .without_mmu_freezing()
            .observer(recorder.clone())
            .build(&platform(&machine))
            .unwrap();
        let of_region = || {
            let told = recorder.told("policy_warning");
            told.into_iter()
                .filter(|event| event["shard"] == "one")
                .collect::<Vec<_>>()
        };

        let shard = seal(&manager, "one", &weights(5000));

        let told = of_region();
        assert_eq!(told.len(), 1, "{}", recorder.json());
        assert_eq!(told[0]["findings"][0]["id"], "region.not-exportable");
        assert_eq!(told[0]["findings"][0]["raised_or_lowered_from"], "refuse");
        let report = manager.verify(&shard).unwrap().report.policy;
        assert_eq!(report.verdict(), Verdict::AcceptedWithWarnings);
        let finding = report.finding(CheckId::RegionNotExportable).unwrap();
        assert_eq!(finding.enforcement, Enforcement::Warn);
        assert_eq!(finding.raised_or_lowered_from, Some(Enforcement::Refuse));
        assert_eq!(of_region().len(), 1, "told once");
        // Nothing else is lowered with it.
        let managed = CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED;
        machine.set_pointer_attribute(0, managed, 1).unwrap();
        assert!(matches!(manager.verify(&shard), Err(Error::Policy(_))));
    }
}

#[test]
fn shards_that_are_verified_together_are_judged_too() {
    let machine = machine();
    let manager = manager(&machine);
    let shards = [
        seal(&manager, "one", &weights(5000)),
        seal(&manager, "two", &weights(6000)),
    ];
    assert!(manager.verify_all(&shards).unwrap().passed());
    let managed = CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED;
    machine.set_pointer_attribute(0, managed, 1).unwrap();

    let verification = manager.verify_all(&shards).unwrap();

    for (_, outcome) in verification.outcomes() {
        assert!(matches!(outcome, Err(Error::Policy(_))));
    }
    assert!(verification.into_permits().is_err());
    assert!(manager.stop_reason().is_some());
}

/// Covers: PO-1.
#[test]
fn a_driver_that_will_not_say_is_not_believed() {
    let machine = machine();
    let manager = manager(&machine);
    let shard = seal(&manager, "one", &weights(5000));
    for function in [
        Function::cuPointerGetAttributes,
        Function::cuPointerGetAttribute,
    ] {
        machine.fail_always(function, CUresult::CUDA_ERROR_NOT_SUPPORTED);
    }

    assert!(matches!(manager.verify(&shard), Err(Error::Policy(_))));
}

/// Covers: VP-002.
#[test]
fn test_unified_memory_disabled() {
    let unlike = [
        DeviceModel::integrated(),
        DeviceModel::coherent(),
        DeviceModel::h100().with_attribute(
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS,
            1,
        ),
    ];
    for model in unlike {
        let machine = Machine::builder().device(model).build().unwrap();
        let recorder = Recorder::new();

        let error = builder()
            .observer(recorder.clone())
            .build(&platform(&machine))
            .unwrap_err();

        assert!(matches!(error, Error::Policy(_)), "{error:?}");
        assert!(error.to_string().contains("device.own-memory"), "{error}");
        assert_eq!(recorder.names(), ["policy_violation"]);
        assert!(machine.live().is_empty(), "{:?}", machine.live());
    }
    // What every discrete card can do is no reason.
    let machine = Machine::builder()
        .device(DeviceModel::h100())
        .build()
        .unwrap();
    assert!(builder().build(&platform(&machine)).is_ok());
}
