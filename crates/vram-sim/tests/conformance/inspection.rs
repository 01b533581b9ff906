use std::ptr;

use vram_sim::{AllocationKind, Protection, SimError};

use crate::rig::*;

#[test]
fn a_flipped_bit_shows_behind_every_protection() {
    let rig = Rig::new();
    let mapping = rig.mapping(2 * PAGE);
    rig.fill(mapping.address, 0, 2 * PAGE, ptr::null_mut())
        .unwrap();
    rig.sync_context().unwrap();
    rig.protect(mapping.address, 2 * PAGE, READ).unwrap();
    let view = rig.machine.allocations(0).unwrap()[0];
    rig.machine.flip_bit(view.id, PAGE as u64 + 5, 3).unwrap();

    let at = mapping.address + PAGE as u64 + 4;
    assert_eq!(rig.download(at, 3, ptr::null_mut()).unwrap(), [0, 8, 0]);
    rig.machine.flip_bit(view.id, PAGE as u64 + 5, 3).unwrap();
    assert_eq!(rig.download(at, 3, ptr::null_mut()).unwrap(), [0, 0, 0]);
}

#[test]
fn allocations_tell_kind_size_and_protection() {
    let rig = Rig::pair();
    let mapping = rig.mapping(PAGE);
    let unmapped = rig.create(2 * PAGE).unwrap();
    rig.alloc(100).unwrap();
    rig.pinned(50);
    rig.protect(mapping.address, PAGE, READ).unwrap();

    let seen: Vec<_> = rig
        .machine
        .allocations(0)
        .unwrap()
        .iter()
        .map(|view| (view.kind, view.size, view.protection))
        .collect();
    assert_eq!(
        seen,
        [
            (AllocationKind::Virtual, PAGE as u64, Protection::Read),
            (AllocationKind::Virtual, 2 * PAGE as u64, Protection::None),
            (AllocationKind::Plain, 100, Protection::ReadWrite),
            (AllocationKind::PinnedHost, 50, Protection::ReadWrite),
        ]
    );
    assert!(rig.machine.allocations(1).unwrap().is_empty());
    rig.machine.allocations(2).unwrap_err();
    rig.release(unmapped).unwrap();
    assert_eq!(rig.machine.allocations(0).unwrap().len(), 3);
}

#[test]
fn peek_and_poke_stay_inside_the_allocation() {
    let rig = Rig::new();
    rig.alloc(100).unwrap();
    let id = rig.machine.allocations(0).unwrap()[0].id;
    rig.machine.poke(id, 97, b"end").unwrap();
    assert_eq!(rig.machine.peek(id, 97, 3).unwrap(), b"end");
    for (offset, len) in [(98, 3), (100, 1), (u64::MAX, 1), (0, 101)] {
        let refused = rig.machine.peek(id, offset, len).unwrap_err();
        assert!(
            matches!(refused, SimError::OutOfRange { size: 100, .. }),
            "{refused}"
        );
    }
    let unknown = rig.machine.poke(id + 1, 0, b"x").unwrap_err();
    assert!(matches!(unknown, SimError::NoSuchAllocation { .. }));
    assert!(matches!(
        rig.machine.flip_bit(id, 0, 8),
        Err(SimError::NoSuchBit { bit: 8 })
    ));
}

#[test]
fn addresses_remember_everything_handed_out() {
    let rig = Rig::new();
    let (plain, reserved) = (rig.alloc(1).unwrap(), rig.reserve(PAGE).unwrap());
    let pinned = rig.pinned(1).pointer.addr() as u64;
    rig.free(plain).unwrap();
    let known = rig.machine.addresses();
    for address in [plain, reserved, pinned] {
        assert!(known.contains(&address));
    }
}

#[test]
fn live_counts_each_kind() {
    let rig = Rig::new();
    rig.mapping(PAGE);
    rig.alloc(1).unwrap();
    rig.managed(1).unwrap();
    rig.pinned(1);
    rig.stream();
    rig.event();
    rig.module();
    let live = rig.machine.live();
    assert_eq!(
        [
            live.physical_allocations,
            live.reservations,
            live.mappings,
            live.plain_allocations,
            live.managed_allocations,
            live.host_allocations,
            live.streams,
            live.events,
            live.modules,
        ],
        [1; 9]
    );
    assert_eq!(
        (live.contexts, live.queued_work, live.left_behind),
        (1, 0, 0)
    );
    assert!(!live.is_empty());
}
