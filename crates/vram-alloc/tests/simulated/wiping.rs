//! What is given back was wiped; what can't be wiped is not given back.

use vram_alloc::{Mechanism, Released, StagingRing};
use vram_sys::{CUresult, Function};

use crate::rig::{BOTH, PAGE, Rig, SECRET, secret};

const REFUSED: CUresult = CUresult::CUDA_ERROR_INVALID_VALUE;
/// Success without effect: what a forgotten call would be.
const NOTHING: CUresult = CUresult::CUDA_SUCCESS;

const LEN: usize = 3 << 20;

/// Covers: WI-1.
#[test]
fn freed_memory_is_zero() {
    for mechanism in BOTH {
        let rig = Rig::with_mechanism(mechanism);
        drop(rig.secret_region(LEN));
        drop(rig.secret_region(LEN).freeze().unwrap());

        assert_eq!(rig.secret_pages(), 0);
        // The same memory again, as a program sees it.
        let again = rig.allocator.allocate(64 << 20).unwrap();
        let mut read = vec![1; 64 << 20];
        again.read_back(0, &mut read).unwrap();
        assert!(read.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn without_a_wipe_the_bytes_would_be_found() {
    for mechanism in BOTH {
        let rig = Rig::with_mechanism(mechanism);
        let region = rig.secret_region(LEN);
        rig.machine.fail_always(Function::cuMemsetD8Async, NOTHING);

        drop(region);

        assert!(rig.secret_pages() >= LEN / 4096);
        assert_eq!(rig.machine.bytes_in_use(0).unwrap(), 0);
    }
}

/// Covers: WI-1.
#[test]
fn bytes_in_the_padding_are_wiped_too() {
    let rig = Rig::new();
    let region = rig.secret_region(100);
    let id = rig.only_allocation();
    rig.machine.poke(id, PAGE - 100, &secret(100)).unwrap();

    drop(region);

    assert_eq!(rig.secret_pages(), 0);
}

#[test]
fn work_still_queued_cannot_write_after_the_wipe() {
    for mechanism in BOTH {
        let rig = Rig::with_mechanism(mechanism);
        let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
        let mut region = rig.allocator.allocate(LEN as u64).unwrap();
        let mut buffer = ring.acquire().unwrap();
        buffer.bytes_mut().copy_from_slice(&secret(LEN));
        let sent = ring.send(buffer, LEN, &mut region, 0).unwrap();
        ring.give_back(sent);
        assert_eq!(
            rig.machine.live().queued_work,
            2,
            "the copy is to be pending"
        );

        drop(region);
        ring.wipe().unwrap();

        assert_eq!(rig.secret_pages(), 0);
        assert!(!rig.device.is_lost());
    }
}

#[test]
fn a_single_refusal_passes() {
    for mechanism in BOTH {
        for function in [
            Function::cuCtxSynchronize,
            Function::cuMemSetAccess,
            Function::cuMemsetD8Async,
            Function::cuStreamSynchronize,
            Function::cuMemUnmap,
            Function::cuMemAddressFree,
            Function::cuMemFree_v2,
        ] {
            let rig = Rig::with_mechanism(mechanism);
            let frozen = rig.secret_region(LEN).freeze().unwrap();
            rig.machine.fail_nth(function, 1, REFUSED);

            drop(frozen);

            let live = rig.machine.live();
            assert_eq!(rig.machine.bytes_in_use(0).unwrap(), 0, "{function}");
            assert_eq!((live.mappings, live.reservations), (0, 0), "{function}");
            assert_eq!(rig.secret_pages(), 0, "{function}");
            assert_eq!(rig.device.release_failures(), 0, "{function}");
            let capacity = rig.allocator.capacity().unwrap();
            assert_eq!((capacity.used.0, capacity.unreleased.0), (0, 0));
            assert_eq!(capacity.frees, 1);
        }
    }
}

/// Covers: WI-1.
#[test]
fn what_cannot_be_wiped_is_kept_from_everyone() {
    for (mechanism, function) in [
        (Mechanism::Auto, Function::cuMemsetD8Async),
        (Mechanism::Auto, Function::cuMemSetAccess),
        (Mechanism::Plain, Function::cuMemsetD8Async),
        (Mechanism::Plain, Function::cuCtxSynchronize),
    ] {
        let rig = Rig::with_mechanism(mechanism);
        let frozen = rig.secret_region(LEN).freeze().unwrap();
        rig.machine.fail_nth(function, 1, REFUSED);
        rig.machine.fail_nth(function, 2, REFUSED);

        let released = frozen.release();

        assert!(!released.is_wiped() && released.failure().is_some());
        assert_eq!(rig.machine.pending_faults(), 0);
        assert_eq!(rig.device.release_failures(), 1, "{function}");
        let capacity = rig.allocator.capacity().unwrap();
        assert_eq!((capacity.used.0, capacity.unreleased.0), (0, 2 * PAGE));
        assert_eq!((capacity.regions, capacity.frees), (0, 0));
        assert_eq!(capacity.available.0, capacity.total.0 - 2 * PAGE);
        assert_eq!(rig.machine.bytes_in_use(0).unwrap(), 2 * PAGE);

        // Nobody who takes all the rest finds it, nor does closing everything else free it.
        let rest = rig.allocator.allocate(capacity.available.0).unwrap();
        let mut read = vec![1; usize::try_from(rest.len()).unwrap()];
        rest.read_back(0, &mut read).unwrap();
        assert!(!read.windows(SECRET.len()).any(|window| window == SECRET));
        drop(rest);
        let machine = rig.machine.clone();
        drop(rig);
        assert_eq!(machine.bytes_in_use(0).unwrap(), 2 * PAGE);
    }
}

#[test]
fn memory_that_the_driver_does_not_take_back_is_counted() {
    for (mechanism, function) in BOTH
        .into_iter()
        .zip([Function::cuMemUnmap, Function::cuMemFree_v2])
    {
        let rig = Rig::with_mechanism(mechanism);
        let region = rig.secret_region(LEN);
        rig.machine.fail_nth(function, 1, REFUSED);
        rig.machine.fail_nth(function, 2, REFUSED);

        let fate = region.fate();
        assert_eq!(fate.released(), None);
        drop(region);

        let released = fate.released().unwrap();
        assert!(matches!(released, Released::Kept { .. }), "{released:?}");
        assert_eq!(rig.device.release_failures(), 1);
        let capacity = rig.allocator.capacity().unwrap();
        assert_eq!((capacity.used.0, capacity.unreleased.0), (0, 2 * PAGE));
        assert_eq!(rig.machine.bytes_in_use(0).unwrap(), 2 * PAGE);
        assert_eq!(rig.secret_pages(), 0, "it was wiped before");
        // Its addresses are nobody else's.
        let live = rig.machine.live();
        assert_eq!(live.reservations, live.mappings);
    }
}

#[test]
fn a_free_that_took_effect_is_not_tried_on_what_came_after() {
    let rig = Rig::with_mechanism(Mechanism::Plain);
    let region = rig.allocator.allocate(1).unwrap();
    // The allocation can't be told from another that may have its address by now.
    rig.machine.fail_nth(Function::cuMemFree_v2, 1, REFUSED);
    let attribute = vram_sys::CUpointer_attribute::CU_POINTER_ATTRIBUTE_BUFFER_ID;
    rig.machine
        .set_pointer_attribute(0, attribute, 999)
        .unwrap();

    drop(region);

    assert_eq!(rig.machine.calls(Function::cuMemFree_v2), 1);
    assert_eq!(rig.device.release_failures(), 1);
}

#[test]
fn memory_of_a_lost_device_is_released_without_a_wipe() {
    let rig = Rig::new();
    let region = rig.secret_region(LEN);
    let wipes = rig.machine.calls(Function::cuMemsetD8Async);
    let code = CUresult::CUDA_ERROR_ECC_UNCORRECTABLE;
    rig.machine.fail_nth(Function::cuCtxSynchronize, 1, code);

    drop(region);

    assert!(rig.device.is_lost());
    assert_eq!(rig.machine.calls(Function::cuMemsetD8Async), wipes);
    assert_eq!(rig.machine.bytes_in_use(0).unwrap(), 0);
}
