//! A lost device is remembered, and nothing but releases is tried on it.

use vram_alloc::{Error, HashStart, Kernels, StagingRing, Stream};
use vram_sys::{CUresult, Function};

use crate::rig::{MIB, Rig, machine};

/// The codes after which NVIDIA documents that the process must end, and those of failed hardware.
const LOSING: [CUresult; 18] = [
    CUresult::CUDA_ERROR_DEINITIALIZED,
    CUresult::CUDA_ERROR_DEVICE_UNAVAILABLE,
    CUresult::CUDA_ERROR_ECC_UNCORRECTABLE,
    CUresult::CUDA_ERROR_NVLINK_UNCORRECTABLE,
    CUresult::CUDA_ERROR_CONTAINED,
    CUresult::CUDA_ERROR_ILLEGAL_ADDRESS,
    CUresult::CUDA_ERROR_LAUNCH_TIMEOUT,
    CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED,
    CUresult::CUDA_ERROR_ASSERT,
    CUresult::CUDA_ERROR_HARDWARE_STACK_ERROR,
    CUresult::CUDA_ERROR_ILLEGAL_INSTRUCTION,
    CUresult::CUDA_ERROR_MISALIGNED_ADDRESS,
    CUresult::CUDA_ERROR_INVALID_ADDRESS_SPACE,
    CUresult::CUDA_ERROR_INVALID_PC,
    CUresult::CUDA_ERROR_LAUNCH_FAILED,
    CUresult::CUDA_ERROR_TENSOR_MEMORY_LEAK,
    CUresult::CUDA_ERROR_EXTERNAL_DEVICE,
    CUresult::CUDA_ERROR_UNKNOWN,
];

#[test]
fn after_the_first_sign_the_driver_is_not_asked_again() {
    let rig = Rig::new();
    let kernels = Kernels::load(&rig.device).unwrap();
    let stream = Stream::new(&rig.device).unwrap();
    let mut ring = StagingRing::new(&rig.device, 2, 4096).unwrap();
    let mut region = rig.allocator.allocate(4096).unwrap();
    let mut digests = rig.allocator.allocate(64).unwrap();
    let frozen = rig.allocator.allocate(4096).unwrap().freeze().unwrap();
    rig.machine.lose_context(0).unwrap();
    assert!(!rig.device.is_lost(), "nobody has told it yet");

    let first = stream.synchronize().unwrap_err();
    assert!(rig.device.is_lost());
    let calls = rig.calls();

    let start = HashStart::default();
    let later = [
        rig.device.memory().unwrap_err(),
        rig.device.synchronize().unwrap_err(),
        rig.allocator.capacity().unwrap_err(),
        rig.allocator.check(1).unwrap_err(),
        rig.allocator.check_all([1, 2]).unwrap_err(),
        rig.allocator.allocate(1).unwrap_err(),
        rig.allocator.allocate_scratch(1).unwrap_err(),
        region.write(0, b"x").unwrap_err(),
        region.read_back(0, &mut [0]).unwrap_err(),
        region.observe().unwrap_err(),
        frozen.observe().unwrap_err(),
        frozen.read_back(0, &mut [0]).unwrap_err(),
        region.span_mut(0, 1).unwrap().fill(&stream, 0).unwrap_err(),
        stream.synchronize().unwrap_err(),
        Stream::new(&rig.device).unwrap_err(),
        vram_alloc::Event::new(&rig.device).unwrap_err(),
        Kernels::load(&rig.device).unwrap_err(),
        StagingRing::new(&rig.device, 2, 4096).unwrap_err(),
        ring.acquire().unwrap_err(),
        ring.drain().unwrap_err(),
        ring.wipe().unwrap_err(),
        kernels
            .hash_blocks(
                &stream,
                region.span(0, 4096).unwrap(),
                0,
                start,
                &mut digests.span_mut(0, 32).unwrap(),
            )
            .unwrap_err(),
        kernels
            .self_test(&stream, &mut region, &mut digests)
            .unwrap_err(),
    ];

    assert_eq!(rig.calls(), calls, "the driver was asked again");
    for error in later {
        // The first sign is what every later answer names.
        assert_eq!(error.to_string(), first.to_string());
        assert!(error.is_fatal() && !error.is_retriable());
    }
}

#[test]
fn every_code_that_ends_a_context_is_known() {
    for code in LOSING {
        let machine = machine(8 * MIB);
        let platform = vram_alloc::Platform::with_driver(machine.driver()).unwrap();
        let device = platform.open(0).unwrap();
        machine.fail_nth(Function::cuCtxSynchronize, 1, code);

        let error = device.synchronize().unwrap_err();

        assert!(
            matches!(error, Error::DeviceLost { .. }),
            "{code:?}: {error}"
        );
        assert!(device.is_lost());
        assert!(error.to_string().contains("cuCtxSynchronize"), "{error}");
    }
}

#[test]
fn a_refusal_is_no_loss() {
    for code in [
        CUresult::CUDA_ERROR_INVALID_VALUE,
        CUresult::CUDA_ERROR_OUT_OF_MEMORY,
        CUresult::CUDA_ERROR_NOT_SUPPORTED,
        CUresult::CUDA_ERROR_INVALID_HANDLE,
        CUresult::CUDA_ERROR_NOT_PERMITTED,
    ] {
        let rig = Rig::new();
        rig.machine.fail_nth(Function::cuCtxSynchronize, 1, code);

        let error = rig.device.synchronize().unwrap_err();

        assert!(matches!(error, Error::Driver { .. }), "{error}");
        assert!(!rig.device.is_lost());
        rig.device.synchronize().unwrap();
    }
}

#[test]
fn a_code_without_a_name_is_told_by_its_number() {
    let rig = Rig::new();
    let text = |error: Error| error.to_string();

    rig.machine
        .fail_nth(Function::cuCtxSynchronize, 1, CUresult(12_345));
    let unknown = text(rig.device.synchronize().unwrap_err());
    let refused = CUresult::CUDA_ERROR_INVALID_VALUE;
    rig.machine.fail_always(Function::cuGetErrorName, refused);
    rig.machine.fail_nth(Function::cuCtxSynchronize, 1, refused);
    let unnamed = text(rig.device.synchronize().unwrap_err());

    assert!(unknown.contains("CUresult 12345 (12345)"), "{unknown}");
    assert!(unnamed.contains("CUresult 1 (1)"), "{unnamed}");
}

#[test]
fn a_loss_stays_with_its_device() {
    use vram_alloc::{Allocator, AllocatorConfig, Platform};

    let machine = crate::rig::two_devices();
    let platform = Platform::with_driver(machine.driver()).unwrap();
    let (first, second) = (platform.open(0).unwrap(), platform.open(1).unwrap());
    machine.lose_context(0).unwrap();
    assert!(first.synchronize().is_err());

    let allocator = Allocator::new(&second, AllocatorConfig::default()).unwrap();
    let mut region = allocator.allocate(5).unwrap();
    region.write(0, b"bytes").unwrap();

    assert!(first.is_lost() && !second.is_lost());
}

#[test]
fn memory_that_a_lost_device_keeps_is_counted_as_unreleased() {
    let rig = Rig::new();
    let region = rig.allocator.allocate(1).unwrap();
    rig.machine.lose_context(0).unwrap();

    drop(region);

    assert_eq!(rig.device.release_failures(), 1);
    assert!(rig.device.is_lost());
    // The simulated driver lets nothing go of a lost context either.
    assert_eq!(rig.machine.live().mappings, 1);
}
