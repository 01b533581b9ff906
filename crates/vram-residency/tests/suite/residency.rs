//! Where shards lie, by measurement: what is measured, and what is said of it. On a simulated device the rates are
//! the processor's, so what they come to is not looked at, but that it is said to be simulated.

use std::sync::Arc;

use vram_alloc::{Allocator, AllocatorConfig, MappedBuffer};
use vram_policy::residency::{
    LinkKind, NEEDED_CACHES, RateSource, ResidencyReason as Why, ResidencyStatus, ResidencyVerdict,
};
use vram_residency::{Error, Manager, ResidencyProver};
use vram_sim::Machine;
use vram_sys::{CUdevice_attribute, CUresult, Function};

use crate::support::*;
use crate::witness::{card, sound, unsound};

/// The cache that the simulated device is said to have.
const CACHE: u64 = 64 << 10;

fn small_cache() -> Machine {
    let machine = card();
    let attribute = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE;
    let bytes = i32::try_from(CACHE).unwrap();
    machine.set_device_attribute(0, attribute, bytes).unwrap();
    machine
}

fn witnessed(machine: &Machine) -> Manager {
    let witness = Arc::new(sound());
    builder()
        .witness(witness)
        .build(&platform(machine))
        .unwrap()
}

/// Says that it is simulated, proves nothing, and was stopped by nothing that was missing.
fn require_judged(verdict: &ResidencyVerdict) {
    assert!(verdict.simulated && !verdict.is_proven(), "{verdict}");
    assert!(verdict.to_string().starts_with("simulated: "), "{verdict}");
    let missing = [
        Why::NotTimed,
        Why::CacheUnknown,
        Why::OwnMemoryUnknown,
        Why::NoOwnMemory,
        Why::TooSmall,
        Why::LinkUnknown,
        Why::LinkNotMeasured,
        Why::OutOfRange,
    ];
    assert!(!missing.contains(&verdict.reason), "{verdict}");
}

#[test]
fn a_shard_is_read_window_by_window_beside_the_devices_own_memory() {
    let machine = small_cache();
    let manager = witnessed(&machine);
    let len = (4 << 20) + 12_345;
    let shard = seal(&manager, "one", &weights(len));
    let before = manager.capacity().unwrap();

    let verdict = manager.residency_proof(&shard).unwrap();

    require_judged(&verdict);
    assert_eq!(verdict.bytes, len as u64);
    assert_eq!(verdict.source, RateSource::Read);
    assert_eq!(verdict.windows, len as u64 / (2 * NEEDED_CACHES * CACHE));
    assert!(verdict.passes >= 3);
    assert_eq!(verdict.link, Some(LinkKind::PciExpress));
    assert!(verdict.ceiling.unwrap() >= verdict.measured_copy.unwrap());
    assert!(verdict.control_rate.is_some() && verdict.rate.is_some());
    assert!(verdict.rate < verdict.observed_rate);
    // Windows and what was copied are given back; the prover keeps its sums.
    let after = manager.capacity().unwrap();
    assert_eq!(after.used, before.used);
    assert!(after.scratch.0 - before.scratch.0 <= 2 << 20);
    // A simulated device's verdict stops nothing.
    assert!(manager.verify(&shard).is_ok());
}

#[test]
fn host_memory_is_measured_through_the_same_function() {
    let machine = small_cache();
    let manager = witnessed(&machine);
    let shard = seal(&manager, "one", &weights(2 << 20));
    let device = platform(&machine).open(0).unwrap();
    let elsewhere = MappedBuffer::new(&device, 2 << 20).unwrap();

    let error = manager.residency_of(&elsewhere).unwrap_err();
    assert!(
        matches!(error, Error::Memory(vram_alloc::Error::WrongDevice { .. })),
        "{error}"
    );
    drop(shard);

    let allocator = Allocator::new(&device, AllocatorConfig::default()).unwrap();
    let mut prover = ResidencyProver::new(&allocator).unwrap();
    let facts = vram_policy::DeviceFacts::default();
    let verdict = prover.prove(&elsewhere, &facts).unwrap();
    assert_eq!(verdict.reason, Why::OwnMemoryUnknown, "{verdict}");
    assert!(verdict.rate.is_some());
}

/// Covers: RE-2.
#[test]
fn a_shard_that_the_cache_could_answer_for_is_too_small() {
    let machine = card();
    let manager = witnessed(&machine);
    let shard = seal(&manager, "one", &weights(1 << 20));

    let verdict = manager.residency_proof(&shard).unwrap();
    let report = manager.verify(&shard).unwrap().report;

    for verdict in [verdict, report.residency] {
        assert_eq!(verdict.status, ResidencyStatus::Unproven, "{verdict}");
        assert_eq!(verdict.reason, Why::TooSmall, "{verdict}");
        assert_eq!(verdict.window_needed, Some(NEEDED_CACHES * (50 << 20)));
    }
}

/// Covers: VP-005.
#[test]
fn verifying_a_large_shard_says_where_it_lies_for_free() {
    let machine = small_cache();
    let manager = witnessed(&machine);
    let shard = seal(&manager, "one", &weights(1 << 20));
    let launches = machine.calls(Function::cuLaunchKernel);

    let first = manager.verify(&shard).unwrap().report;
    let each = machine.calls(Function::cuLaunchKernel) - launches;
    let copies = machine.calls(Function::cuMemHostAlloc);
    let again = manager.verify(&shard).unwrap().report;

    for report in [&first, &again] {
        let verdict = &report.residency;
        assert!(verdict.simulated && !verdict.is_proven(), "{verdict}");
        assert_eq!(verdict.source, RateSource::Verification);
        assert_eq!(
            (verdict.bytes, verdict.windows, verdict.passes),
            (1 << 20, 1, 1)
        );
        assert_eq!(verdict.link, Some(LinkKind::PciExpress));
        assert!(verdict.measured_copy.is_some(), "{verdict}");
        assert_ne!(verdict.status, ResidencyStatus::Contradicted, "{verdict}");
        let json = serde_json::to_value(report).unwrap();
        assert_eq!(json["residency"]["simulated"], true);
        assert_eq!(json["residency"]["source"], "verification");
    }
    assert_eq!(machine.calls(Function::cuLaunchKernel), launches + 2 * each);
    assert_eq!(machine.calls(Function::cuMemHostAlloc), copies);
}

#[test]
fn without_room_for_a_control_nothing_is_contradicted() {
    let machine = small_cache();
    let manager = builder()
        .witness(Arc::new(sound()))
        .build(&platform(&machine))
        .unwrap();
    let shard = seal(&manager, "one", &weights(1 << 20));
    manager.residency_proof(&shard).unwrap();
    let free = manager.capacity().unwrap().available.0;
    machine.set_other_use(0, free).unwrap();

    let verdict = manager.residency_proof(&shard).unwrap();

    assert_eq!(verdict.control_rate, None);
    assert_ne!(verdict.status, ResidencyStatus::Contradicted, "{verdict}");
}

/// Covers: RE-2.
#[test]
fn a_link_that_nobody_knows_leaves_it_unproven() {
    let machine = small_cache();
    let witness = unsound(|card| card.link_generation = None);
    let manager = builder()
        .witness(Arc::new(witness))
        .build(&platform(&machine))
        .unwrap();
    let shard = seal(&manager, "one", &weights(1 << 20));

    let proof = manager.residency_proof(&shard).unwrap();
    let verified = manager.verify(&shard).unwrap().report.residency;

    for verdict in [proof, verified] {
        assert_eq!(verdict.reason, Why::LinkUnknown, "{verdict}");
        assert_eq!((verdict.ceiling, verdict.margin_permille), (None, None));
    }
}

#[test]
fn another_managers_shard_and_a_lost_device_are_errors() {
    let machine = small_cache();
    let (manager, other) = (witnessed(&machine), witnessed(&machine));
    let shard = seal(&manager, "one", &weights(1 << 20));
    let foreign = other.residency_proof(&shard).unwrap_err();
    assert!(matches!(foreign, Error::Foreign { .. }), "{foreign}");

    // A kernel that can't be launched is no reading.
    machine.fail_always(Function::cuLaunchKernel, CUresult::CUDA_ERROR_INVALID_VALUE);
    assert!(manager.residency_proof(&shard).is_err());
    machine.clear_faults();
    assert!(manager.stop_reason().is_none());
    manager.residency_proof(&shard).unwrap();

    machine.lose_context(0).unwrap();
    let lost = manager.residency_proof(&shard).unwrap_err();
    assert!(lost.is_fatal(), "{lost}");
    assert!(manager.stop_reason().is_some());
}
