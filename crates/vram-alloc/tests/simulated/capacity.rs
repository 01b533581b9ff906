//! What is free, what is used, and what happens when it runs out.

use vram_alloc::{Error, Mechanism};
use vram_sys::{CUresult, Function};

use crate::rig::{BOTH, MIB, PAGE, Rig, noise};

const OUT_OF_MEMORY: CUresult = CUresult::CUDA_ERROR_OUT_OF_MEMORY;

/// Covers: FN-3.1.
#[test]
fn test_allocate_valid_size() {
    for mechanism in BOTH {
        let rig = Rig::with_mechanism(mechanism);
        for size in [1, 4095, 4096, PAGE - 1, PAGE, PAGE + 1, 5 * MIB] {
            let region = rig.allocator.allocate(size).unwrap();

            assert_eq!(region.len(), size);
            assert_eq!(region.mapped(), size.next_multiple_of(PAGE));
            assert!(region.device().is_same(&rig.device));
            // Plain device memory, and nothing else.
            let live = rig.machine.live();
            let plain = mechanism == Mechanism::Plain;
            assert_eq!(live.plain_allocations, usize::from(plain));
            assert_eq!(live.physical_allocations, usize::from(!plain));
            assert_eq!((live.managed_allocations, live.host_allocations), (0, 0));
        }
        assert_eq!(rig.machine.bytes_in_use(0).unwrap(), 0);
    }
}

/// Covers: FN-3.3.
#[test]
fn test_multiple_allocations() {
    for mechanism in BOTH {
        let rig = Rig::with_mechanism(mechanism);
        let mut regions = Vec::new();
        for (index, size) in [1, PAGE, PAGE + 1, 3 * MIB, 7].into_iter().enumerate() {
            let mut region = rig.allocator.allocate(size).unwrap();
            let seed = index as u64;
            region
                .write(0, &noise(seed, region.len().min(64) as usize))
                .unwrap();
            regions.push(region);

            let capacity = rig.allocator.capacity().unwrap();
            let mapped: u64 = regions.iter().map(vram_alloc::OpenRegion::mapped).sum();
            assert_eq!(capacity.used.0, mapped);
            assert_eq!(capacity.used.0 + capacity.available.0, capacity.total.0);
            assert_eq!(capacity.regions, regions.len() as u64);
            assert_eq!(rig.machine.bytes_in_use(0).unwrap(), mapped);
        }

        // None wrote into another.
        for (index, region) in regions.iter().enumerate() {
            let expected = noise(index as u64, region.len().min(64) as usize);
            let mut read = vec![0; expected.len()];
            region.read_back(0, &mut read).unwrap();
            assert_eq!(read, expected);
        }
        drop(regions);
        let capacity = rig.allocator.capacity().unwrap();
        assert_eq!((capacity.used.0, capacity.available), (0, capacity.total));
        assert_eq!((capacity.allocations, capacity.frees), (5, 5));
        assert_eq!(capacity.regions, 0);
    }
}

/// Covers: FN-4.1, RP-001, EX-1.3.
#[test]
fn test_available_vram_returns_value() {
    let rig = Rig::with_budget(32 * MIB);
    let capacity = rig.allocator.capacity().unwrap();
    assert_eq!(capacity.total.0, 64 * MIB);
    assert_eq!((capacity.used.0, capacity.available.0), (0, 32 * MIB));
    assert_eq!(capacity.budget.unwrap().0, 32 * MIB);
    assert_eq!(capacity.unavailable.0, 32 * MIB);

    let region = rig.allocator.allocate(10 * MIB - 5).unwrap();
    let capacity = rig.allocator.capacity().unwrap();
    assert_eq!(
        (capacity.used.0, capacity.available.0),
        (10 * MIB, 22 * MIB)
    );

    // Other processes leave less than the budget has left, in whole pages.
    rig.machine.set_other_use(0, 50 * MIB + 1).unwrap();
    let capacity = rig.allocator.capacity().unwrap();
    assert_eq!((capacity.used.0, capacity.available.0), (10 * MIB, 2 * MIB));
    assert_eq!(capacity.unavailable.0, 52 * MIB);
    let memory = rig.device.memory().unwrap();
    assert_eq!((memory.free.0, memory.total.0), (4 * MIB - 1, 64 * MIB));
    assert!(rig.allocator.check(2 * MIB).is_ok());
    assert!(rig.allocator.check(2 * MIB + 1).is_err());

    rig.machine.set_other_use(0, 0).unwrap();
    drop(region);
    assert_eq!(rig.allocator.capacity().unwrap().available.0, 32 * MIB);
}

/// Covers: FN-3.4, VP-004.
#[test]
fn test_error_recovery_after_failed_allocation() {
    for mechanism in BOTH {
        let rig = Rig::with_mechanism(mechanism);
        let held = rig.allocator.allocate(60 * MIB).unwrap();
        let before = (
            rig.machine.calls(Function::cuMemCreate),
            rig.machine.calls(Function::cuMemAlloc_v2),
        );

        let error = rig.allocator.allocate(4 * MIB + 1).unwrap_err();

        assert!(error.is_retriable() && !error.is_fatal());
        let Error::OutOfMemory {
            needed,
            available,
            budget,
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!((needed.0, available.0, budget), (6 * MIB, 4 * MIB, None));
        let after = (
            rig.machine.calls(Function::cuMemCreate),
            rig.machine.calls(Function::cuMemAlloc_v2),
        );
        assert_eq!(after, before, "the driver was asked for what is not there");

        let fits = rig.allocator.allocate(4 * MIB).unwrap();
        assert_eq!(rig.allocator.capacity().unwrap().available.0, 0);
        drop((held, fits));
        assert_eq!(rig.allocator.capacity().unwrap().available.0, 64 * MIB);
    }
}

/// Covers: FN-3.4.
#[test]
fn a_driver_that_finds_no_room_after_all_is_out_of_memory_too() {
    for (mechanism, function) in BOTH
        .into_iter()
        .zip([Function::cuMemCreate, Function::cuMemAlloc_v2])
    {
        let rig = Rig::with_mechanism(mechanism);
        rig.machine.fail_nth(function, 1, OUT_OF_MEMORY);

        let error = rig.allocator.allocate(4 * MIB).unwrap_err();

        let Error::OutOfMemory {
            needed, available, ..
        } = &error
        else {
            panic!("{error}");
        };
        assert_eq!((needed.0, available.0), (4 * MIB, 64 * MIB));
        assert!(error.is_retriable());
        assert!(rig.allocator.allocate(4 * MIB).is_ok());
    }
}

/// Covers: RP-001.
#[test]
fn the_budget_is_named_where_it_stands_in_the_way() {
    let rig = Rig::with_budget(8 * MIB);

    let error = rig.allocator.allocate(10 * MIB).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("of a budget of 8388608 bytes (8.0 MiB)"),
        "{text}"
    );

    let beyond_the_device = rig.allocator.allocate(65 * MIB).unwrap_err();
    let text = beyond_the_device.to_string();
    assert!(!text.contains("of a budget"), "{text}");
}

/// Covers: MS-004.
#[test]
fn test_error_recovery_after_invalid_operation() {
    for mechanism in BOTH {
        let rig = Rig::with_mechanism(mechanism);
        let mut region = rig.allocator.allocate(4096).unwrap();
        let bytes = noise(3, 4096);

        assert!(region.write(4096, b"x").is_err());
        assert!(region.span(1, 4096).is_err());
        assert!(rig.allocator.allocate(0).is_err());
        assert!(rig.platform.open(9).is_err());
        let invalid = CUresult::CUDA_ERROR_INVALID_VALUE;
        rig.machine
            .fail_nth(Function::cuMemcpyHtoDAsync_v2, 1, invalid);
        let refused = region.write(0, &bytes).unwrap_err();
        assert!(
            matches!(refused, Error::Driver { code: 1, .. }),
            "{refused}"
        );
        assert!(!refused.is_fatal() && !refused.is_retriable());
        let text = refused.to_string();
        assert!(text.contains("CUDA_ERROR_INVALID_VALUE (1)"), "{text}");

        region.write(0, &bytes).unwrap();
        let mut read = vec![0; 4096];
        region.read_back(0, &mut read).unwrap();
        assert!(read == bytes);
        assert!(!rig.device.is_lost());
        drop(region);
        assert_eq!(rig.machine.bytes_in_use(0).unwrap(), 0);
        assert_eq!(rig.device.release_failures(), 0);
    }
}

/// Covers: RP-001.
#[test]
fn several_sizes_are_checked_together() {
    let rig = Rig::with_budget(10 * MIB);
    let allocator = &rig.allocator;

    assert!(allocator.check_all([]).is_ok());
    assert!(allocator.check_all([4 * MIB, 6 * MIB]).is_ok());
    assert!(allocator.check_all([1, 1, 1, 1, 1]).is_ok());
    let error = allocator.check_all([1; 6]).unwrap_err();
    assert!(
        matches!(error, Error::OutOfMemory { needed, available, .. }
            if needed.0 == 12 * MIB && available.0 == 10 * MIB),
        "{error}"
    );
    // One that can't fit by itself doesn't hide what the others need.
    let error = allocator
        .check_all([2 * MIB, 20 * MIB, 4 * MIB])
        .unwrap_err();
    assert!(
        matches!(error, Error::OutOfMemory { needed, .. } if needed.0 == 26 * MIB),
        "{error}"
    );
    assert!(matches!(allocator.check_all([1, 0]), Err(Error::ZeroSize)));
    assert!(matches!(
        allocator.check_all([1, u64::MAX]),
        Err(Error::SizeOverflow { .. })
    ));
    assert!(allocator.check_all([u64::MAX / 4; 9]).is_err());
    assert_eq!(allocator.capacity().unwrap().allocations, 0);
}

/// Covers: EX-1.3.
#[test]
fn scratch_is_in_the_budget_and_in_an_account_of_its_own() {
    let rig = Rig::with_budget(8 * MIB);
    let scratch = rig.allocator.allocate_scratch(3 * MIB).unwrap();
    let shard = rig.allocator.allocate(1).unwrap();

    let capacity = rig.allocator.capacity().unwrap();
    assert_eq!(capacity.scratch.0, 4 * MIB);
    assert_eq!((capacity.used.0, capacity.available.0), (2 * MIB, 2 * MIB));
    assert_eq!(capacity.unavailable.0, 60 * MIB);
    assert_eq!(capacity.regions, 2);
    assert!(rig.allocator.allocate(2 * MIB + 1).is_err());

    drop((scratch, shard));
    let capacity = rig.allocator.capacity().unwrap();
    assert_eq!((capacity.scratch.0, capacity.available.0), (0, 8 * MIB));
}

#[test]
fn what_follows_the_last_byte_is_zero() {
    for mechanism in BOTH {
        let rig = Rig::with_mechanism(mechanism);
        // Another's bytes lie there, on purpose not wiped.
        let success = CUresult::CUDA_SUCCESS;
        rig.machine.fail_always(Function::cuMemsetD8Async, success);
        drop(rig.secret_region(2 << 20));
        rig.machine.clear_faults();
        assert!(rig.secret_pages() > 0);

        let _region = rig.allocator.allocate(5000).unwrap();

        let held = rig.machine.allocations(0).unwrap()[0];
        let size = usize::try_from(held.size).unwrap();
        let bytes = rig.machine.peek(held.id, 0, size).unwrap();
        assert_eq!(held.size, PAGE);
        assert!(bytes[5000..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_failed_allocation_gives_back_what_it_took_though_a_release_is_refused_once() {
    let code = CUresult::CUDA_ERROR_INVALID_VALUE;
    for step in [
        Function::cuMemAddressReserve,
        Function::cuMemMap,
        Function::cuMemSetAccess,
    ] {
        for release in [
            Function::cuMemRelease,
            Function::cuMemUnmap,
            Function::cuMemAddressFree,
        ] {
            let rig = Rig::new();
            rig.machine.fail_nth(step, 1, code);
            rig.machine.fail_nth(release, 1, code);

            let error = rig.allocator.allocate(1).unwrap_err();

            assert!(matches!(error, Error::Driver { .. }), "{error}");
            let live = rig.machine.live();
            assert_eq!((live.physical_allocations, live.mappings), (0, 0));
            assert_eq!(live.reservations, 0, "{step}, {release}");
            assert_eq!(rig.device.release_failures(), 0, "{step}, {release}");
        }
    }
}

#[test]
fn addresses_that_are_still_mapped_are_given_to_nobody() {
    let code = CUresult::CUDA_ERROR_INVALID_VALUE;
    let rig = Rig::new();
    rig.machine.fail_nth(Function::cuMemSetAccess, 1, code);
    rig.machine.fail_nth(Function::cuMemUnmap, 1, code);
    rig.machine.fail_nth(Function::cuMemUnmap, 2, code);

    assert!(rig.allocator.allocate(1).is_err());

    assert_eq!(rig.machine.calls(Function::cuMemAddressFree), 0);
    assert_eq!(rig.device.release_failures(), 1);
    let capacity = rig.allocator.capacity().unwrap();
    assert_eq!(capacity.unreleased.0, PAGE);
    assert_eq!(rig.machine.bytes_in_use(0).unwrap(), PAGE);
}

#[test]
fn what_a_failed_allocation_could_not_give_back_counts_as_held() {
    let rig = Rig::with_budget(4 * MIB);
    let code = CUresult::CUDA_ERROR_INVALID_VALUE;
    rig.machine.fail_always(Function::cuMemRelease, code);

    for pages in 1..=2 {
        let error = rig.allocator.allocate(1).unwrap_err();
        assert!(matches!(error, Error::Driver { .. }), "{error}");
        let capacity = rig.allocator.capacity().unwrap();
        assert_eq!(capacity.unreleased.0, pages * PAGE);
        assert_eq!(rig.machine.bytes_in_use(0).unwrap(), pages * PAGE);
        assert_eq!((capacity.used.0, capacity.regions), (0, 0));
    }

    // The budget holds: a third is refused before the driver is asked.
    let before = rig.machine.calls(Function::cuMemCreate);
    let error = rig.allocator.allocate(1).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    assert_eq!(rig.machine.calls(Function::cuMemCreate), before);
    assert_eq!(rig.device.release_failures(), 2);
}
