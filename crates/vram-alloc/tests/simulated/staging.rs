//! The staging ring: no byte is overwritten before it was copied, and none stays.

use vram_alloc::{Allocator, AllocatorConfig, Error, OpenRegion, Platform, Sent, StagingRing};
use vram_sys::{CUresult, Function};

use crate::rig::{MIB, Rig, SECRET, noise, secret, staged_leftovers, two_devices};

const REFUSED: CUresult = CUresult::CUDA_ERROR_INVALID_VALUE;
const LEN: usize = 4096;

fn send(ring: &mut StagingRing, region: &mut OpenRegion, offset: u64, bytes: &[u8]) -> Sent {
    let mut buffer = ring.acquire().unwrap();
    buffer.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
    ring.send(buffer, bytes.len(), region, offset).unwrap()
}

fn read(region: &OpenRegion, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    region.read_back(offset, &mut bytes).unwrap();
    bytes
}

/// Sends many pieces through a ring of two and compares what arrives.
fn upload(rig: &Rig) -> bool {
    let pieces = 9;
    let bytes = noise(11, LEN * pieces);
    let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
    let mut region = rig.allocator.allocate(bytes.len() as u64).unwrap();
    for (index, piece) in bytes.chunks(LEN).enumerate() {
        let sent = send(&mut ring, &mut region, (index * LEN) as u64, piece);
        assert_eq!(&*sent, piece);
        ring.give_back(sent);
    }
    ring.drain().unwrap();
    read(&region, 0, bytes.len()) == bytes
}

#[test]
fn bytes_are_not_overwritten_while_they_are_being_copied() {
    assert!(upload(&Rig::new()));
}

#[test]
fn without_waiting_for_the_copy_they_would_be() {
    let rig = Rig::new();
    // Success without waiting.
    let success = CUresult::CUDA_SUCCESS;
    rig.machine
        .fail_always(Function::cuEventSynchronize, success);

    assert!(!upload(&rig));
}

#[test]
fn copies_are_queued_and_not_waited_for() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 3, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();
    let waits = rig.machine.calls(Function::cuStreamSynchronize);

    for offset in [0, 5000, 10_000] {
        let sent = send(&mut ring, &mut region, offset, &noise(offset, LEN));
        ring.give_back(sent);
    }

    // A copy and a mark for each.
    assert_eq!(rig.machine.live().queued_work, 6);
    assert_eq!(rig.machine.calls(Function::cuStreamSynchronize), waits);
    ring.drain().unwrap();
    assert_eq!(rig.machine.live().queued_work, 0);
    for offset in [0, 5000, 10_000] {
        assert!(read(&region, offset, LEN) == noise(offset, LEN));
    }
}

#[test]
fn offsets_and_partial_buffers_arrive_where_they_were_sent() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
    let mut region = rig.allocator.allocate(20_000).unwrap();
    let mut expected = vec![0; 20_000];
    region.write(0, &expected).unwrap();

    for (offset, len) in [
        (0, 1),
        (1, LEN),
        (19_999, 1),
        (7777, 0),
        (20_000, 0),
        (12_345, 99),
    ] {
        let bytes = noise(offset as u64, len);
        let sent = send(&mut ring, &mut region, offset as u64, &bytes);
        assert_eq!(sent.len(), len);
        ring.give_back(sent);
        expected[offset..offset + len].copy_from_slice(&bytes);
    }

    ring.drain().unwrap();
    assert!(read(&region, 0, 20_000) == expected);
}

#[test]
fn more_than_a_buffer_holds_is_refused() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();

    for len in [LEN + 1, usize::MAX] {
        let buffer = ring.acquire().unwrap();
        let error = ring.send(buffer, len, &mut region, 0).unwrap_err();
        assert!(
            matches!(error, Error::OutOfBounds { size, .. } if size == LEN as u64),
            "{error}"
        );
    }

    assert_eq!(rig.machine.calls(Function::cuMemcpyHtoDAsync_v2), 0);
    assert_eq!(rig.machine.live().queued_work, 0);
}

#[test]
fn settings_that_make_no_ring_are_refused() {
    let rig = Rig::new();
    for (buffers, len, setting) in [
        (0, LEN, "the number of buffers"),
        (1, LEN, "the number of buffers"),
        (2, 0, "the buffer length"),
    ] {
        let error = StagingRing::new(&rig.device, buffers, len).unwrap_err();
        assert!(
            matches!(error, Error::BadSetting { setting: named, .. } if named == setting),
            "{error}"
        );
    }
    assert_eq!(rig.machine.calls(Function::cuMemHostAlloc), 0);
}

#[test]
fn a_ring_says_how_much_it_pins() {
    let rig = Rig::new();
    let ring = StagingRing::new(&rig.device, 3, 5000).unwrap();

    assert_eq!((ring.buffer_len(), ring.pinned()), (5000, 15_000));
    assert_eq!(rig.machine.live().host_allocations, 3);
    drop(ring);
    assert_eq!(rig.machine.live().host_allocations, 0);
}

/// Covers: VP-003.
#[test]
fn a_growing_ring_pins_what_is_needed_and_no_more() {
    let rig = Rig::new();
    let mut ring = StagingRing::growing(&rig.device, 3, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();
    assert_eq!((ring.pinned(), rig.machine.live().host_allocations), (0, 0));

    // Each copy is done before the next buffer is asked for.
    for offset in 0..5 {
        let sent = send(&mut ring, &mut region, offset * 4096, &noise(offset, LEN));
        ring.give_back(sent);
        ring.drain().unwrap();
    }
    assert_eq!(ring.pinned(), LEN);

    // None is.
    for offset in 5..9 {
        let sent = send(&mut ring, &mut region, offset * 4096, &noise(offset, LEN));
        ring.give_back(sent);
    }
    assert!(ring.pinned() > LEN && ring.pinned() <= 3 * LEN);
    assert_eq!(rig.machine.live().host_allocations * LEN, ring.pinned());

    ring.drain().unwrap();
    for offset in 0..9 {
        assert!(read(&region, offset * 4096, LEN) == noise(offset, LEN));
    }
    let held: Vec<_> = (0..3).map(|_| ring.acquire().unwrap()).collect();
    assert_eq!(ring.pinned(), 3 * LEN);
    assert!(ring.acquire().is_err(), "three is its full size");
    drop(held);
    assert_eq!(ring.pinned(), 0);
}

#[test]
fn a_growing_ring_that_cannot_grow_waits_for_the_buffer_it_has() {
    let rig = Rig::new();
    let mut ring = StagingRing::growing(&rig.device, 2, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();
    let sent = send(&mut ring, &mut region, 0, &noise(1, LEN));
    ring.give_back(sent);
    let failed = CUresult::CUDA_ERROR_OUT_OF_MEMORY;
    rig.machine.fail_always(Function::cuMemHostAlloc, failed);

    let sent = send(&mut ring, &mut region, 4096, &noise(2, LEN));

    ring.give_back(sent);
    ring.drain().unwrap();
    assert_eq!(ring.pinned(), LEN);
    assert!(read(&region, 0, LEN) == noise(1, LEN));
    assert!(read(&region, 4096, LEN) == noise(2, LEN));
}

#[test]
fn too_little_host_memory_to_pin_is_an_error_that_leaves_nothing() {
    let rig = Rig::new();
    rig.machine.fail_nth(
        Function::cuMemHostAlloc,
        3,
        CUresult::CUDA_ERROR_OUT_OF_MEMORY,
    );

    let error = StagingRing::new(&rig.device, 4, LEN).unwrap_err();

    assert!(matches!(error, Error::Driver { code: 2, .. }), "{error}");
    let live = rig.machine.live();
    // The device has a stream of its own.
    assert_eq!(
        (live.host_allocations, live.events, live.streams),
        (0, 0, 1)
    );
}

#[test]
fn when_all_buffers_are_out_one_must_be_given_back_first() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();
    let sent = send(&mut ring, &mut region, 0, &[1]);
    let held = ring.acquire().unwrap();

    let error = ring.acquire().unwrap_err();

    assert!(
        matches!(error, Error::BadSetting { value: 2, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("give one back first"), "{error}");
    assert_eq!(rig.machine.live().host_allocations, 2);
    ring.give_back(sent);
    drop((ring.acquire().unwrap(), held));
}

#[test]
fn buffers_that_were_dropped_are_replaced() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();

    // As a reader that fails again and again does.
    for round in 0..5 {
        let unsent = ring.acquire().unwrap();
        drop(unsent);
        let sent = send(&mut ring, &mut region, round, &[9]);
        drop(sent);
        assert!(rig.machine.live().host_allocations <= 2);
    }

    let first = ring.acquire().unwrap();
    let second = ring.acquire().unwrap();
    assert!(
        ring.acquire().is_err(),
        "never more than the ring was made with"
    );
    assert_eq!(rig.machine.live().host_allocations, 2);
    drop((first, second));
    assert_eq!(read(&region, 0, 5), [9; 5]);
}

#[test]
fn a_buffer_dropped_while_it_is_copied_arrives_whole() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();
    let sent = send(&mut ring, &mut region, 0, &secret(LEN));
    // A single refused wait passes.
    rig.machine
        .fail_nth(Function::cuEventSynchronize, 1, REFUSED);

    drop(sent);
    drop(ring);

    assert!(read(&region, 0, LEN) == secret(LEN));
    drop(region);
    assert_eq!(rig.secret_pages(), 0);
}

/// Covers: WI-1.
#[test]
fn wiping_leaves_no_byte_in_any_buffer() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 3, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();
    for offset in 0..3 {
        let sent = send(&mut ring, &mut region, offset * 4096, &secret(LEN));
        ring.give_back(sent);
    }
    assert_eq!(rig.staged_leftovers(), 3);

    ring.wipe().unwrap();

    assert_eq!(rig.staged_leftovers(), 0);
    assert!(
        read(&region, 8192, LEN) == secret(LEN),
        "wiped only after the copy"
    );
    drop(region);
    assert_eq!(rig.secret_pages(), 0);
}

#[test]
fn a_buffer_put_back_unsent_is_used_next_and_wiped() {
    let rig = Rig::new();
    let mut ring = StagingRing::growing(&rig.device, 2, LEN).unwrap();
    let mut unsent = ring.acquire().unwrap();
    unsent.bytes_mut().copy_from_slice(&secret(LEN));
    ring.put_back(unsent);
    let again = ring.acquire().unwrap();
    ring.put_back(again);
    assert_eq!((ring.pinned(), rig.staged_leftovers()), (LEN, 1));

    ring.wipe().unwrap();

    assert_eq!(rig.staged_leftovers(), 0);
}

#[test]
fn a_second_use_is_wiped_as_the_first() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
    for _ in 0..2 {
        let mut region = rig.allocator.allocate(MIB).unwrap();
        let mut buffer = ring.acquire().unwrap();
        // More was filled than is sent.
        buffer.bytes_mut().copy_from_slice(&secret(LEN));
        let sent = ring.send(buffer, 1, &mut region, 0).unwrap();
        ring.give_back(sent);

        ring.wipe().unwrap();

        assert_eq!(rig.staged_leftovers(), 0);
    }
}

#[test]
fn a_wipe_that_cannot_wait_wipes_and_says_so() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();
    let sent = send(&mut ring, &mut region, 0, &secret(LEN));
    ring.give_back(sent);
    rig.machine
        .fail_nth(Function::cuStreamSynchronize, 1, REFUSED);

    let error = ring.wipe().unwrap_err();

    assert!(matches!(error, Error::Driver { .. }), "{error}");
    assert_eq!(rig.staged_leftovers(), 0);
    assert!(
        read(&region, 0, LEN) == secret(LEN),
        "the second wait succeeded"
    );
}

#[test]
fn a_dropped_ring_leaves_nothing() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();
    let sent = send(&mut ring, &mut region, 0, &secret(LEN));
    ring.give_back(sent);
    let mut unsent = ring.acquire().unwrap();
    unsent.bytes_mut().copy_from_slice(&secret(LEN));

    drop(ring);
    drop(region);
    assert_eq!(rig.staged_leftovers(), 1);
    drop(unsent);

    assert_eq!(rig.secret_pages(), 0);
    let live = rig.machine.live();
    assert_eq!(
        (live.host_allocations, live.events, live.streams),
        (0, 0, 1)
    );
}

/// Covers: WI-1.
#[test]
fn buffers_that_the_driver_does_not_take_back_were_wiped() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();
    let sent = send(&mut ring, &mut region, 0, &secret(LEN));
    ring.give_back(sent);
    rig.machine.fail_always(Function::cuMemFreeHost, REFUSED);

    drop((ring, region));

    assert_eq!(rig.device.release_failures(), 2);
    assert_eq!(rig.machine.live().host_allocations, 2);
    assert_eq!(staged_leftovers(&rig.machine), 0);
    assert_eq!(rig.machine.physical_pages_containing(SECRET).unwrap(), 0);
}

#[test]
fn staging_of_a_lost_device_is_wiped() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();
    let sent = send(&mut ring, &mut region, 0, &secret(LEN));
    ring.give_back(sent);
    let mut unsent = ring.acquire().unwrap();
    unsent.bytes_mut().copy_from_slice(&secret(LEN));
    rig.machine.lose_context(0).unwrap();

    assert!(ring.wipe().unwrap_err().is_fatal());
    drop((ring, unsent, region));

    // Still pinned: a lost context gives nothing back.
    assert_eq!(rig.machine.live().host_allocations, 2);
    assert_eq!(rig.staged_leftovers(), 0);
}

#[test]
fn a_mark_that_cannot_be_set_is_made_up_for_by_waiting() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();
    let mut buffer = ring.acquire().unwrap();
    buffer.bytes_mut().copy_from_slice(&secret(LEN));
    rig.machine.fail_nth(Function::cuEventRecord, 1, REFUSED);

    assert!(ring.send(buffer, LEN, &mut region, 0).is_err());

    // The copy had been queued: the buffer came back only once it was done.
    assert_eq!(rig.machine.live().queued_work, 0);
    assert!(read(&region, 0, LEN) == secret(LEN));
}

#[test]
fn a_region_or_a_buffer_of_another_device_is_refused() {
    let machine = two_devices();
    let platform = Platform::with_driver(machine.driver()).unwrap();
    let (first, second) = (platform.open(0).unwrap(), platform.open(1).unwrap());
    let allocator = Allocator::new(&second, AllocatorConfig::default()).unwrap();
    let mut region = allocator.allocate(MIB).unwrap();
    let mut ring = StagingRing::new(&first, 2, LEN).unwrap();
    let mut other_ring = StagingRing::new(&second, 2, LEN).unwrap();

    let buffer = ring.acquire().unwrap();
    let error = ring.send(buffer, 1, &mut region, 0).unwrap_err();
    assert!(matches!(error, Error::WrongDevice { .. }), "{error}");

    let foreign = ring.acquire().unwrap();
    let error = other_ring.send(foreign, 1, &mut region, 0).unwrap_err();
    assert!(matches!(error, Error::WrongDevice { .. }), "{error}");

    assert_eq!(machine.calls(Function::cuMemcpyHtoDAsync_v2), 0);
}

#[test]
fn nothing_is_sent_without_a_copy() {
    let rig = Rig::new();
    let mut ring = StagingRing::new(&rig.device, 2, LEN).unwrap();
    let mut region = rig.allocator.allocate(MIB).unwrap();

    let sent = send(&mut ring, &mut region, 0, &[]);

    assert!(sent.is_empty());
    assert_eq!(rig.machine.calls(Function::cuMemcpyHtoDAsync_v2), 0);
    ring.give_back(sent);
    ring.drain().unwrap();
}
