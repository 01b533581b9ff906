//! What is free and what is used.

use vram_alloc::{Allocator, Error};

use crate::subject::{MIB, PAGE, platforms, platforms_alone};

/// Covers: FN-3.3.
#[test]
fn what_is_used_is_what_lives() {
    for subject in platforms().iter() {
        let allocator = subject.allocator();
        let sizes = [1, PAGE, PAGE + 1];
        let regions = sizes.map(|size| allocator.allocate(size).unwrap());
        let scratch = allocator.allocate_scratch(100).unwrap();

        let capacity = allocator.capacity().unwrap();

        assert_eq!((capacity.used.0, capacity.scratch.0), (4 * PAGE, PAGE));
        assert_eq!((capacity.regions, capacity.unreleased.0), (4, 0));
        assert_eq!(capacity.total, subject.device.memory().unwrap().total);
        let sum = capacity.used.0 + capacity.available.0 + capacity.unavailable.0;
        assert_eq!(sum, capacity.total.0);
        drop((regions, scratch));
        let capacity = allocator.capacity().unwrap();
        assert_eq!(
            (capacity.used.0, capacity.scratch.0, capacity.regions),
            (0, 0, 0)
        );
        assert_eq!((capacity.allocations, capacity.frees), (4, 4));
    }
}

/// Covers: FN-4.1.
#[test]
fn the_driver_counts_what_is_taken_and_given_back() {
    for subject in platforms_alone().iter() {
        let allocator = subject.allocator();
        // What the driver keeps for itself is taken by the first allocation.
        drop(allocator.allocate(1).unwrap());
        let before = subject.device.memory().unwrap().free.0;

        let region = allocator.allocate(32 * MIB).unwrap();
        let during = subject.device.memory().unwrap().free.0;
        drop(region);
        let after = subject.device.memory().unwrap().free.0;

        assert!(before - during >= 32 * MIB, "{before} then {during}");
        assert!(after - during >= 32 * MIB, "{during} then {after}");
    }
}

/// Covers: RP-001.
#[test]
fn a_budget_is_kept_to_the_byte() {
    for subject in platforms().iter() {
        let config = subject.config().with_budget(5 * PAGE);
        let allocator = Allocator::new(&subject.device, config).unwrap();
        assert_eq!(allocator.capacity().unwrap().available.0, 5 * PAGE);
        let held = allocator.allocate(3 * PAGE).unwrap();
        let scratch = allocator.allocate_scratch(1).unwrap();

        let error = allocator.allocate(PAGE + 1).unwrap_err();

        let Error::OutOfMemory {
            needed,
            available,
            budget,
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!((needed.0, available.0), (2 * PAGE, PAGE));
        assert_eq!(budget.unwrap().0, 5 * PAGE);
        let last = allocator.allocate(PAGE).unwrap();
        assert_eq!(allocator.capacity().unwrap().available.0, 0);
        assert!(allocator.allocate(1).is_err());
        drop((held, scratch, last));
        assert_eq!(allocator.capacity().unwrap().available.0, 5 * PAGE);
    }
}

/// Covers: TS-1.2.
#[test]
fn allocators_of_one_device_see_each_others_use() {
    for subject in platforms_alone().iter() {
        let (one, other) = (subject.allocator(), subject.allocator());
        drop(other.allocate(1).unwrap());
        let before = other.capacity().unwrap();

        let held = one.allocate(32 * MIB).unwrap();

        let during = other.capacity().unwrap();
        assert_eq!(during.used.0, 0);
        assert!(before.available.0 - during.available.0 >= 32 * MIB);
        drop(held);
    }
}
