//! What the driver says of devices and regions is judged, and what breaks the policy is refused.

use vram_residency::{Error, SealRequest};
use vram_sim::{DeviceModel, Machine};
use vram_sys::{CUdevice_attribute, CUpointer_attribute, CUresult, Function};

use crate::support::*;

#[test]
fn test_vram_policy_enforced() {
    // Each of these alone, reported by the driver for the region at that moment.
    let violations = [
        (CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, 1),
        (CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED, 1),
        (
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_HOST_POINTER,
            0x1000,
        ),
        (CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, 1),
        (
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
            0x1000,
        ),
        (
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_SIZE,
            1 << 30,
        ),
    ];
    for (attribute, value) in violations {
        // While sealing.
        let machine = machine();
        let recorder = Recorder::new();
        let manager = builder()
            .observer(recorder.clone())
            .build(&platform(&machine))
            .unwrap();
        machine.set_pointer_attribute(0, attribute, value).unwrap();
        let sealed = manager.seal(SealRequest::bytes(id("one"), &weights(5000)));
        assert!(
            matches!(sealed, Err(Error::Policy(_))),
            "{attribute:?}: {sealed:?}"
        );
        assert_eq!(recorder.count("policy_violation"), 1, "{attribute:?}");
        assert_eq!(recorder.count("sealed"), 0, "{attribute:?}");
        assert_eq!(manager.capacity().unwrap().used.0, 0, "{attribute:?}");
        assert!(manager.stop_reason().is_some(), "{attribute:?}");

        // And at every verification.
        machine.clear_attributes(0).unwrap();
        let manager = builder()
            .observer(recorder.clone())
            .build(&platform(&machine))
            .unwrap();
        let shard = seal(&manager, "one", &weights(5000));
        assert!(manager.verify(&shard).is_ok());
        machine.set_pointer_attribute(0, attribute, value).unwrap();
        let verified = manager.verify(&shard);
        assert!(matches!(verified, Err(Error::Policy(_))), "{attribute:?}");
        assert_eq!(recorder.count("policy_violation"), 2, "{attribute:?}");
        assert!(manager.stop_reason().is_some(), "{attribute:?}");
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
