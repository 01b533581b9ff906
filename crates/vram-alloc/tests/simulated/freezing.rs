//! Frozen memory: nothing on the device can write it. A kernel that tries loses the context; copies
//! and fills the driver refuses before it comes to that.

use vram_alloc::{Error, Freezing, Mechanism, MemoryKind};
use vram_raw::Raw;
use vram_sim::Protection;
use vram_sys::{CUpointer_attribute, CUresult, Function};

use crate::rig::{BOTH, MIB, PAGE, Rig, noise};

const REFUSED: CUresult = CUresult::CUDA_ERROR_INVALID_VALUE;
const LOST: CUresult = CUresult::CUDA_ERROR_ILLEGAL_ADDRESS;

/// Freezes bytes, lets somebody write them behind the library's back, and looks what became of it.
/// The write must have been refused as `expected`.
fn attack(expected: CUresult, write: impl FnOnce(&Raw, u64, u64) -> CUresult) {
    let rig = Rig::new();
    let bytes = noise(1, 8192);
    let mut region = rig.allocator.allocate(8192).unwrap();
    region.write(0, &bytes).unwrap();
    let frozen = region.freeze().unwrap();
    let mut other = rig.allocator.allocate(8192).unwrap();
    other.write(0, &[1; 8192]).unwrap();
    let other = other.freeze().unwrap();
    let target = frozen.expose_address(0, 8192).unwrap().as_raw();
    let source = other.expose_address(0, 8192).unwrap().as_raw();
    let held: Vec<u64> = rig
        .machine
        .allocations(0)
        .unwrap()
        .iter()
        .map(|view| view.id)
        .collect();

    let raw = Raw::new(rig.machine.driver());
    assert_eq!(raw.outcome(write(&raw, target, source)), expected);

    let bytes_now = rig.machine.peek(held[0], 0, 8192).unwrap();
    assert_eq!(bytes_now, bytes, "the bytes changed");
    if expected == LOST {
        let error = frozen.read_back(0, &mut [0; 1]).unwrap_err();
        assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
        assert!(error.is_fatal() && rig.device.is_lost());
    } else {
        rig.device.synchronize().unwrap();
        assert!(!rig.device.is_lost());
    }
}

/// Covers: FZ-1.
#[test]
fn a_copy_into_frozen_memory_is_refused() {
    attack(REFUSED, |raw, target, _| raw.copy(target, &[0; 16]));
}

#[test]
fn a_copy_to_the_last_frozen_byte_is_refused() {
    attack(REFUSED, |raw, target, _| raw.copy(target + PAGE - 1, &[0]));
}

/// Covers: FZ-1.
#[test]
fn a_fill_of_frozen_memory_is_refused() {
    attack(REFUSED, |raw, target, _| raw.fill(target, 8192));
}

/// Covers: FZ-1.
#[test]
fn a_kernel_that_writes_frozen_memory_loses_the_context() {
    attack(LOST, |raw, to, from| raw.write_digest(to, from, 4096));
}

/// Covers: FZ-2.
#[test]
fn plain_memory_freezes_in_software_only() {
    let rig = Rig::with_mechanism(Mechanism::Plain);
    let frozen = rig.allocator.allocate(4096).unwrap().freeze().unwrap();
    assert_eq!(frozen.freezing(), Freezing::Software);
    let target = frozen.expose_address(0, 4096).unwrap().as_raw();

    // The device does as it is told: this is why the handle says so.
    let raw = Raw::new(rig.machine.driver());
    let copied = raw.copy(target, &[7; 16]);
    assert_eq!(raw.outcome(copied), CUresult::CUDA_SUCCESS);

    assert_eq!(frozen.observe().unwrap().access, Some(3));
}

#[test]
fn the_driver_confirms_what_is_frozen() {
    let rig = Rig::new();
    let open = rig.allocator.allocate(4096).unwrap();
    assert_eq!(open.observe().unwrap().access, Some(3));

    let frozen = open.freeze().unwrap();

    assert_eq!(frozen.freezing(), Freezing::Mmu);
    assert_eq!((frozen.len(), frozen.mapped()), (4096, PAGE));
    assert!(frozen.device().is_same(&rig.device));
    let view = rig.machine.allocations(0).unwrap()[0];
    assert_eq!(view.protection, Protection::Read);
    let observed = frozen.observe().unwrap();
    assert_eq!(observed.access, Some(1));
    assert_eq!(observed.memory_type, Some(MemoryKind::Device));
    assert_eq!(observed.device_ordinal, Some(0));
    assert_eq!(observed.managed, Some(false));
    assert_eq!(observed.host_pointer, Some(false));
    assert_eq!(observed.starts_at_region, Some(true));
    assert_eq!(observed.range_size, Some(PAGE));
    assert_eq!(observed.legacy_ipc, Some(false));
    assert_eq!(observed.export_handle_types, Some(0));
}

#[test]
fn what_the_driver_says_is_what_is_observed() {
    let rig = Rig::new();
    let frozen = rig.allocator.allocate(1).unwrap().freeze().unwrap();
    let says = |attribute, value| {
        rig.machine
            .set_pointer_attribute(0, attribute, value)
            .unwrap();
    };

    for (kind, memory) in [
        (1, MemoryKind::Host),
        (2, MemoryKind::Device),
        (3, MemoryKind::Array),
        (4, MemoryKind::Unified),
    ] {
        says(CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, kind);
        assert_eq!(frozen.observe().unwrap().memory_type, Some(memory));
    }
    says(CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, 99);
    says(CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, 5);
    says(CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED, 1);
    says(CUpointer_attribute::CU_POINTER_ATTRIBUTE_HOST_POINTER, 4096);
    says(
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
        4096,
    );
    says(CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_SIZE, 77);
    says(
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE,
        1,
    );
    says(
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES,
        1,
    );
    let observed = frozen.observe().unwrap();
    assert_eq!(observed.memory_type, None);
    assert_eq!(observed.device_ordinal, Some(5));
    assert_eq!(observed.managed, Some(true));
    assert_eq!(observed.host_pointer, Some(true));
    assert_eq!(observed.starts_at_region, Some(false));
    assert_eq!(observed.range_size, Some(77));
    assert_eq!(observed.legacy_ipc, Some(true));
    assert_eq!(observed.export_handle_types, Some(1));
}

#[test]
fn an_observation_without_an_answer_is_none_and_a_lost_device_an_error() {
    let rig = Rig::new();
    let region = rig.allocator.allocate(1).unwrap();
    let refused = CUresult::CUDA_ERROR_NOT_SUPPORTED;
    for function in [
        Function::cuPointerGetAttributes,
        Function::cuPointerGetAttribute,
        Function::cuMemGetAccess,
    ] {
        rig.machine.fail_always(function, refused);
    }

    let observed = region.observe().unwrap();
    assert_eq!(observed.memory_type, None);
    assert_eq!(observed.host_pointer, None);
    assert_eq!(observed.managed, None);
    assert_eq!(observed.access, None);

    rig.machine.clear_faults();
    rig.machine
        .fail_nth(Function::cuPointerGetAttributes, 1, refused);
    rig.machine
        .fail_nth(Function::cuPointerGetAttribute, 4, LOST);
    let error = region.observe().unwrap_err();
    assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
}

#[test]
fn an_observation_is_the_same_asked_at_once_and_one_by_one() {
    let rig = Rig::new();
    let frozen = rig.secret_region(5000).freeze().unwrap();
    let at_once = frozen.observe().unwrap();
    let refused = CUresult::CUDA_ERROR_NOT_SUPPORTED;
    rig.machine
        .fail_always(Function::cuPointerGetAttributes, refused);

    assert_eq!(frozen.observe().unwrap(), at_once);
}

/// Covers: FZ-1.
#[test]
fn a_driver_that_does_not_freeze_and_says_so_is_found_out() {
    let rig = Rig::new();
    let region = rig.secret_region(4096);
    // Success without effect.
    rig.machine
        .fail_nth(Function::cuMemSetAccess, 1, CUresult::CUDA_SUCCESS);

    let error = region.freeze().unwrap_err();

    assert!(matches!(error, Error::NotFrozen { observed: 3 }), "{error}");
    assert!(error.is_fatal() && !error.is_retriable());
    assert_eq!(rig.machine.bytes_in_use(0).unwrap(), 0);
    assert_eq!(rig.secret_pages(), 0);
}

#[test]
fn a_freeze_that_is_refused_leaves_nothing_behind() {
    for function in [
        Function::cuMemSetAccess,
        Function::cuMemGetAccess,
        Function::cuCtxSynchronize,
    ] {
        let rig = Rig::new();
        let region = rig.secret_region(4096);
        rig.machine
            .fail_nth(function, 1, CUresult::CUDA_ERROR_INVALID_VALUE);

        let error = region.freeze().unwrap_err();

        assert!(matches!(error, Error::Driver { .. }), "{error}");
        assert_eq!(rig.machine.bytes_in_use(0).unwrap(), 0);
        assert_eq!(rig.secret_pages(), 0);
        assert_eq!(rig.allocator.capacity().unwrap().used.0, 0);
    }
}

#[test]
fn writes_still_queued_are_done_before_the_region_is_frozen() {
    use vram_alloc::{HashStart, Kernels, Stream};

    let rig = Rig::new();
    let kernels = Kernels::load(&rig.device).unwrap();
    let stream = Stream::new(&rig.device).unwrap();
    let data = rig.allocator.allocate(4096).unwrap();
    let mut digests = rig.allocator.allocate(32).unwrap();
    let span = data.span(0, 4096).unwrap();
    let mut into = digests.span_mut(0, 32).unwrap();
    kernels
        .hash_blocks(&stream, span, 0, HashStart::default(), &mut into)
        .unwrap();

    let frozen = digests.freeze().unwrap();

    stream.synchronize().unwrap();
    let mut digest = [0; 32];
    frozen.read_back(0, &mut digest).unwrap();
    assert_ne!(digest, [0; 32]);
}

#[test]
fn wiping_is_the_one_way_back_and_leaves_zeros() {
    for mechanism in BOTH {
        let rig = Rig::with_mechanism(mechanism);
        let len = usize::try_from(PAGE).unwrap() + 100;
        let frozen = rig.secret_region(len).freeze().unwrap();
        assert!(rig.secret_pages() > 0);

        let mut open = frozen.wipe().unwrap();

        assert_eq!(rig.secret_pages(), 0);
        assert_eq!((open.len(), open.mapped()), (len as u64, 4 * MIB));
        let mut read = vec![1; len];
        open.read_back(0, &mut read).unwrap();
        assert!(read.iter().all(|byte| *byte == 0));
        assert_eq!(rig.allocator.capacity().unwrap().used.0, 4 * MIB);
        open.write(3, b"again").unwrap();
        let frozen = open.freeze().unwrap();
        let mut read = [0; 5];
        frozen.read_back(3, &mut read).unwrap();
        assert_eq!(&read, b"again");
    }
}

#[test]
fn a_wipe_that_is_refused_releases_the_region_wiped() {
    for function in [
        Function::cuMemSetAccess,
        Function::cuMemsetD8Async,
        Function::cuStreamSynchronize,
    ] {
        let rig = Rig::new();
        let frozen = rig.secret_region(4096).freeze().unwrap();
        rig.machine
            .fail_nth(function, 1, CUresult::CUDA_ERROR_INVALID_VALUE);

        assert!(frozen.wipe().is_err());

        assert_eq!(rig.machine.bytes_in_use(0).unwrap(), 0);
        assert_eq!(rig.secret_pages(), 0);
    }
}

#[cfg(feature = "drill")]
mod drill {
    use super::*;

    #[test]
    fn a_drill_flips_one_bit_and_freezes_again() {
        for mechanism in BOTH {
            let rig = Rig::with_mechanism(mechanism);
            let bytes = noise(5, 5000);
            let mut region = rig.allocator.allocate(5000).unwrap();
            region.write(0, &bytes).unwrap();
            let mut frozen = region.freeze().unwrap();
            let access = frozen.observe().unwrap().access;

            frozen.flip_bit(4999, 7).unwrap();

            let mut read = vec![0; 5000];
            frozen.read_back(0, &mut read).unwrap();
            let mut expected = bytes;
            expected[4999] ^= 0x80;
            assert!(read == expected);
            assert_eq!(frozen.observe().unwrap().access, access);
        }
    }

    #[test]
    fn a_drill_outside_the_region_is_refused() {
        let rig = Rig::new();
        let mut frozen = rig.allocator.allocate(10).unwrap().freeze().unwrap();
        assert!(matches!(
            frozen.flip_bit(10, 0),
            Err(Error::OutOfBounds { .. })
        ));
        assert!(matches!(
            frozen.flip_bit(u64::MAX, 0),
            Err(Error::OutOfBounds { .. })
        ));
        assert!(matches!(
            frozen.flip_bit(0, 8),
            Err(Error::BadSetting { value: 8, .. })
        ));
        assert!(matches!(
            frozen.flip_bit(0, 255),
            Err(Error::BadSetting { .. })
        ));
    }

    #[test]
    fn a_drill_that_fails_half_way_freezes_again() {
        let rig = Rig::new();
        let mut frozen = rig.allocator.allocate(10).unwrap().freeze().unwrap();
        let code = CUresult::CUDA_ERROR_INVALID_VALUE;
        rig.machine
            .fail_nth(Function::cuMemcpyHtoDAsync_v2, 1, code);

        assert!(frozen.flip_bit(0, 0).is_err());

        assert_eq!(frozen.observe().unwrap().access, Some(1));
    }
}
