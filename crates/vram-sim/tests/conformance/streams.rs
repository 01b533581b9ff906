use std::ptr;

use vram_sim::{DeviceModel, Machine};
use vram_sys::CUpointer_attribute;

use crate::rig::*;

/// A device buffer that holds zeros.
fn zeros(rig: &Rig, len: usize) -> u64 {
    let address = rig.alloc(len).unwrap();
    rig.fill(address, 0, len, ptr::null_mut()).unwrap();
    rig.sync_context().unwrap();
    address
}

/// The byte at an allocation's address, past the driver.
fn byte(rig: &Rig, address: u64) -> u8 {
    let id = CUpointer_attribute::CU_POINTER_ATTRIBUTE_BUFFER_ID;
    let id: u64 = rig.attribute(id, address).unwrap();
    rig.machine.peek(id, 0, 1).unwrap()[0]
}

#[test]
fn lazy_work_is_not_done_until_somebody_waits() {
    let rig = Rig::new();
    let address = zeros(&rig, 64);
    let stream = rig.stream();
    rig.fill(address, 7, 64, stream).unwrap();
    assert_eq!(byte(&rig, address), 0);
    rig.sync(stream).unwrap();
    assert_eq!(byte(&rig, address), 7);
}

#[test]
fn eager_work_is_done_at_once() {
    let rig = Rig::eager();
    let address = zeros(&rig, 64);
    rig.fill(address, 7, 64, rig.stream()).unwrap();
    assert_eq!(byte(&rig, address), 7);
    assert_eq!(rig.machine.live().queued_work, 0);
}

#[test]
fn waiting_for_one_stream_leaves_the_others_work() {
    let rig = Rig::new();
    let (one, two) = (zeros(&rig, 64), zeros(&rig, 64));
    let (first, second) = (rig.stream(), rig.stream());
    rig.fill(one, 1, 64, first).unwrap();
    rig.fill(two, 2, 64, second).unwrap();
    rig.sync(second).unwrap();
    assert_eq!((byte(&rig, one), byte(&rig, two)), (0, 2));
    rig.sync_context().unwrap();
    assert_eq!(byte(&rig, one), 1);
}

#[test]
fn page_locked_sources_are_read_late_and_pageable_ones_at_once() {
    let rig = Rig::new();
    let (from_pinned, from_pageable) = (zeros(&rig, 64), zeros(&rig, 64));
    let stream = rig.stream();
    let pinned = rig.pinned(64);
    let mut pageable = vec![1_u8; 64];
    pinned.write(&[1; 64]);
    rig.upload_pinned(from_pinned, pinned, 64, stream).unwrap();
    rig.upload(from_pageable, &pageable, stream).unwrap();
    pinned.write(&[2; 64]);
    pageable.fill(2);

    rig.sync(stream).unwrap();
    assert_eq!(
        byte(&rig, from_pinned),
        2,
        "the program changed it before the copy was done"
    );
    assert_eq!(byte(&rig, from_pageable), 1, "the driver had staged it");
    assert_eq!(pageable[0], 2);
}

#[test]
fn a_registered_source_is_read_late_too() {
    let rig = Rig::new();
    let address = zeros(&rig, 64);
    let stream = rig.stream();
    let mut own = vec![1_u8; 64];
    let pointer: *mut u8 = own.as_mut_ptr();
    cuda!(rig, cuMemHostRegister_v2(pointer.cast(), 64, 0)).unwrap();
    cuda!(
        rig,
        cuMemcpyHtoDAsync_v2(address, pointer.cast(), 64, stream)
    )
    .unwrap();
    // SAFETY: the buffer is live, and the copy from it is queued on purpose.
    unsafe { pointer.write(9) };
    cuda!(rig, cuMemHostUnregister(pointer.cast())).unwrap();
    assert_eq!(byte(&rig, address), 9);
}

#[test]
fn page_locked_targets_are_written_late_and_pageable_ones_at_once() {
    let rig = Rig::new();
    let address = zeros(&rig, 64);
    let stream = rig.stream();
    let pinned = rig.pinned(64);
    pinned.write(&[0xAA; 64]);
    rig.fill(address, 5, 64, stream).unwrap();
    rig.download_pinned(pinned, address, 64, stream).unwrap();
    assert_eq!(pinned.read(64), [0xAA; 64]);
    assert_eq!(rig.download(address, 64, stream).unwrap(), [5; 64]);
    assert_eq!(pinned.read(64), [5; 64], "the stream is in order");
}

#[test]
fn an_event_divides_what_is_done_from_what_is_not() {
    let rig = Rig::new();
    let (before, after) = (zeros(&rig, 64), zeros(&rig, 64));
    let (stream, event) = (rig.stream(), rig.event());
    rig.fill(before, 1, 64, stream).unwrap();
    rig.record(event, stream).unwrap();
    rig.fill(after, 1, 64, stream).unwrap();

    cuda!(rig, cuEventSynchronize(event)).unwrap();
    assert_eq!((byte(&rig, before), byte(&rig, after)), (1, 0));
}

#[test]
fn an_event_is_not_ready_once_and_then_is() {
    let rig = Rig::new();
    let address = zeros(&rig, 64);
    let (stream, event) = (rig.stream(), rig.event());
    assert_eq!(rig.query(event), Ok(()), "never recorded");
    rig.fill(address, 1, 64, stream).unwrap();
    rig.record(event, stream).unwrap();
    assert_eq!(rig.query(event), Err(NOT_READY));
    assert_eq!(byte(&rig, address), 0);
    assert_eq!(rig.query(event), Ok(()));
    assert_eq!(byte(&rig, address), 1);
    rig.record(event, stream).unwrap();
    assert_eq!(rig.query(event), Err(NOT_READY), "recorded anew");
}

#[test]
fn a_stream_waits_for_what_the_event_captured() {
    let rig = Rig::new();
    let (from, to) = (zeros(&rig, 64), zeros(&rig, 64));
    let (producer, consumer, event) = (rig.stream(), rig.stream(), rig.event());
    rig.fill(from, 4, 64, producer).unwrap();
    rig.record(event, producer).unwrap();
    rig.fill(from, 5, 64, producer).unwrap();
    rig.wait(consumer, event).unwrap();
    rig.copy(to, from, 64, consumer).unwrap();

    rig.sync(consumer).unwrap();
    assert_eq!(
        byte(&rig, to),
        4,
        "what was queued after the event has not run"
    );
    rig.sync(producer).unwrap();
    assert_eq!(byte(&rig, from), 5);
}

#[test]
fn without_waiting_a_stream_sees_old_bytes() {
    let rig = Rig::new();
    let (from, to) = (zeros(&rig, 64), zeros(&rig, 64));
    let (producer, consumer) = (rig.stream(), rig.stream());
    rig.fill(from, 4, 64, producer).unwrap();
    rig.copy(to, from, 64, consumer).unwrap();
    rig.sync(consumer).unwrap();
    assert_eq!(byte(&rig, to), 0);
}

#[test]
fn a_wait_keeps_the_capture_that_the_event_had() {
    let rig = Rig::new();
    let (one, two) = (zeros(&rig, 64), zeros(&rig, 64));
    let (first, second, third, event) = (rig.stream(), rig.stream(), rig.stream(), rig.event());
    rig.fill(one, 1, 64, first).unwrap();
    rig.record(event, first).unwrap();
    rig.wait(third, event).unwrap();
    rig.fill(two, 2, 64, second).unwrap();
    rig.record(event, second).unwrap();

    rig.sync(third).unwrap();
    assert_eq!((byte(&rig, one), byte(&rig, two)), (1, 0));
}

#[test]
fn long_chains_of_waits_are_followed() {
    let rig = Rig::new();
    let address = zeros(&rig, 64);
    let streams = [rig.stream(), rig.stream()];
    let event = rig.event();
    for round in 0..20_000_usize {
        rig.record(event, streams[round % 2]).unwrap();
        rig.wait(streams[(round + 1) % 2], event).unwrap();
    }
    rig.fill(address, 1, 64, streams[0]).unwrap();
    rig.sync(streams[0]).unwrap();
    assert_eq!(byte(&rig, address), 1);
}

#[test]
fn waiting_for_an_event_never_recorded_is_nothing() {
    let rig = Rig::new();
    rig.wait(rig.stream(), rig.event()).unwrap();
    cuda!(rig, cuEventSynchronize(rig.event())).unwrap();
    assert_eq!(rig.machine.live().queued_work, 0);
}

#[test]
fn events_cross_devices() {
    let rig = Rig::pair();
    let (from, event, stream) = (zeros(&rig, 64), rig.event(), rig.stream());
    rig.fill(from, 8, 64, stream).unwrap();
    rig.record(event, stream).unwrap();
    rig.push(rig.retain(1).unwrap()).unwrap();
    let other = rig.stream();
    rig.wait(other, event).unwrap();
    rig.sync(other).unwrap();
    assert_eq!(byte(&rig, from), 8);
    assert_eq!(
        rig.record(event, other),
        Err(INVALID_HANDLE),
        "of another context"
    );
}

#[test]
fn elapsed_time_needs_two_timed_marks_that_were_passed() {
    let rig = Rig::new();
    let (stream, start, end) = (rig.stream(), rig.event(), rig.event());
    let untimed = rig.event_with(2).unwrap();
    let elapsed = |from, to| {
        let mut milliseconds = -1.0_f32;
        cuda!(rig, cuEventElapsedTime(&mut milliseconds, from, to)).map(|()| milliseconds)
    };
    assert_eq!(elapsed(start, end), Err(INVALID_HANDLE), "never recorded");
    rig.record(start, stream).unwrap();
    rig.record(end, stream).unwrap();
    rig.record(untimed, stream).unwrap();
    assert_eq!(elapsed(start, end), Err(NOT_READY));
    rig.sync(stream).unwrap();
    assert!(elapsed(start, end).unwrap() >= 0.0);
    assert!(elapsed(end, start).unwrap() <= 0.0);
    assert_eq!(elapsed(start, untimed), Err(INVALID_HANDLE));
}

#[test]
fn a_destroyed_streams_work_is_still_done() {
    let rig = Rig::new();
    let address = zeros(&rig, 64);
    let stream = rig.stream();
    rig.fill(address, 6, 64, stream).unwrap();
    cuda!(rig, cuStreamDestroy_v2(stream)).unwrap();
    assert_eq!(rig.machine.live().streams, 0);
    assert_eq!(rig.machine.live().queued_work, 1);
    assert_eq!(byte(&rig, address), 0);
    rig.sync_context().unwrap();
    assert_eq!(byte(&rig, address), 6);
    assert_eq!(rig.machine.live().queued_work, 0);
}

#[test]
fn a_destroyed_event_holds_nobody_up() {
    let rig = Rig::new();
    let (stream, event) = (rig.stream(), rig.event());
    rig.record(event, stream).unwrap();
    rig.wait(rig.stream(), event).unwrap();
    cuda!(rig, cuEventDestroy_v2(event)).unwrap();
    rig.sync_context().unwrap();
    assert_eq!(rig.machine.live().events, 0);
}

#[test]
fn the_null_stream_takes_turns_with_blocking_streams() {
    let rig = Rig::new();
    let (one, two) = (zeros(&rig, 64), zeros(&rig, 64));
    let blocking = rig.stream_with(0).unwrap();
    rig.fill(one, 1, 64, blocking).unwrap();
    rig.copy(two, one, 64, ptr::null_mut()).unwrap();
    rig.fill(two, 9, 1, blocking).unwrap();
    rig.sync(blocking).unwrap();
    assert_eq!(rig.download(two, 3, blocking).unwrap(), [9, 1, 1]);
}

#[test]
fn the_null_stream_ignores_non_blocking_streams() {
    let rig = Rig::new();
    let (one, two) = (zeros(&rig, 64), zeros(&rig, 64));
    rig.fill(one, 1, 64, rig.stream()).unwrap();
    rig.copy(two, one, 64, ptr::null_mut()).unwrap();
    rig.sync(ptr::null_mut()).unwrap();
    assert_eq!((byte(&rig, one), byte(&rig, two)), (0, 0));
}

#[test]
fn flags_are_checked() {
    let rig = Rig::new();
    assert_eq!(rig.stream_with(2), Err(INVALID_VALUE));
    assert_eq!(rig.event_with(4), Err(INVALID_VALUE));
    rig.event_with(3).unwrap();
    let waited = cuda!(rig, cuStreamWaitEvent(rig.stream(), rig.event(), 1));
    assert_eq!(waited, Err(INVALID_VALUE));
}

#[test]
fn handles_are_of_one_kind_one_life_and_one_machine() {
    let rig = Rig::new();
    let other = Rig::on(
        Machine::builder()
            .device(DeviceModel::small(2 << 20))
            .build()
            .unwrap(),
    );
    let (stream, event) = (rig.stream(), rig.event());
    let foreign = (other.stream(), other.event());
    let gone = (rig.stream(), rig.event());
    cuda!(rig, cuStreamDestroy_v2(gone.0)).unwrap();
    cuda!(rig, cuEventDestroy_v2(gone.1)).unwrap();

    for wrong in [
        event.cast(),
        foreign.0,
        gone.0,
        rig.context.cast(),
        rig.module().cast(),
    ] {
        assert_eq!(rig.sync(wrong), Err(INVALID_HANDLE));
        assert_eq!(rig.record(event, wrong), Err(INVALID_HANDLE));
        assert_eq!(rig.wait(wrong, event), Err(INVALID_HANDLE));
        assert_eq!(cuda!(rig, cuStreamDestroy_v2(wrong)), Err(INVALID_HANDLE));
        assert_eq!(rig.fill(0, 0, 1, wrong), Err(INVALID_HANDLE));
    }
    for wrong in [
        stream.cast(),
        foreign.1,
        gone.1,
        ptr::null_mut(),
        rig.context.cast(),
    ] {
        assert_eq!(rig.record(wrong, stream), Err(INVALID_HANDLE));
        assert_eq!(rig.wait(stream, wrong), Err(INVALID_HANDLE));
        assert_eq!(rig.query(wrong), Err(INVALID_HANDLE));
        assert_eq!(cuda!(rig, cuEventSynchronize(wrong)), Err(INVALID_HANDLE));
        assert_eq!(cuda!(rig, cuEventDestroy_v2(wrong)), Err(INVALID_HANDLE));
    }
    assert_eq!(
        cuda!(rig, cuStreamDestroy_v2(ptr::null_mut())),
        Err(INVALID_HANDLE)
    );
    assert_eq!(
        (rig.machine.live().streams, rig.machine.live().events),
        (1, 1)
    );
}

#[test]
fn a_stream_of_another_context_is_no_handle_here() {
    let rig = Rig::pair();
    let stream = rig.stream();
    rig.push(rig.retain(1).unwrap()).unwrap();
    assert_eq!(rig.sync(stream), Err(INVALID_HANDLE));
    rig.pop().unwrap();
    rig.sync(stream).unwrap();
}

#[test]
fn an_eager_event_has_been_passed_when_it_is_recorded() {
    let rig = Rig::eager();
    let (stream, event) = (rig.stream(), rig.event());
    rig.record(event, stream).unwrap();
    assert_eq!(rig.query(event), Ok(()));
}
