use std::ptr;

use crate::rig::*;

#[test]
fn bytes_come_back_from_every_offset() {
    let rig = Rig::new();
    let mapping = rig.mapping(PAGE);
    let data: Vec<u8> = (0..5000_usize).map(|at| (at % 253) as u8).collect();
    let stream = rig.stream();
    for offset in [0, 1, 4095, 4096, PAGE - 5000] {
        let at = mapping.address + offset as u64;
        rig.upload(at, &data, stream).unwrap();
        assert!(
            rig.download(at, data.len(), stream).unwrap() == data,
            "offset {offset}"
        );
    }
}

#[test]
fn overlapping_device_copies_move() {
    let rig = Rig::new();
    let address = rig.alloc(PAGE).unwrap();
    let stream = rig.stream();
    rig.upload(address, b"0123456789", stream).unwrap();
    rig.copy(address + 2, address, 8, stream).unwrap();
    assert_eq!(rig.download(address, 10, stream).unwrap(), b"0101234567");
}

#[test]
fn a_fill_fills_its_range_and_no_more() {
    let rig = Rig::new();
    let address = rig.alloc(PAGE).unwrap();
    let stream = rig.stream();
    rig.fill(address, 1, 16, stream).unwrap();
    rig.fill(address + 4, 9, 8, stream).unwrap();
    let expected = [1, 1, 1, 1, 9, 9, 9, 9, 9, 9, 9, 9, 1, 1, 1, 1];
    assert_eq!(rig.download(address, 16, stream).unwrap(), expected);
}

#[test]
fn ranges_outside_an_allocation_are_refused_and_lose_nothing() {
    let rig = Rig::new();
    let address = rig.alloc(100).unwrap();
    let stream = rig.stream();
    let freed = rig.alloc(100).unwrap();
    rig.free(freed).unwrap();
    for (start, len) in [
        (address, 101),
        (address + 100, 1),
        (address - 1, 1),
        (address + 50, usize::MAX),
        (freed, 1),
        (0, 1),
    ] {
        assert_eq!(rig.fill(start, 0, len, stream), Err(INVALID_VALUE), "{len}");
        if len < 1000 {
            assert_eq!(rig.upload(start, &vec![0; len], stream), Err(INVALID_VALUE));
            assert_eq!(rig.download(start, len, stream), Err(INVALID_VALUE));
            assert_eq!(rig.copy(address, start, len, stream), Err(INVALID_VALUE));
            assert_eq!(rig.copy(start, address, len, stream), Err(INVALID_VALUE));
        }
    }
    rig.sync_context().unwrap();
    rig.fill(address, 0, 100, stream).unwrap();
}

#[test]
fn nothing_is_copied_without_a_look_at_the_addresses() {
    let rig = Rig::new();
    let stream = rig.stream();
    assert_eq!(rig.copy(1, 2, 0, stream), Ok(()));
    assert_eq!(rig.fill(1, 2, 0, stream), Ok(()));
    assert_eq!(rig.machine.live().queued_work, 0);
    assert_eq!(
        rig.copy(1, 2, 0, ptr::without_provenance_mut(8)),
        Err(INVALID_HANDLE)
    );
}

#[test]
fn device_addresses_are_not_host_memory() {
    let rig = Rig::new();
    let (one, two) = (rig.alloc(64).unwrap(), rig.alloc(64).unwrap());
    let stream = rig.stream();
    let as_host = ptr::without_provenance_mut(usize::try_from(two).unwrap());
    let up = cuda!(rig, cuMemcpyHtoDAsync_v2(one, as_host, 64, stream));
    assert_eq!(up, Err(INVALID_VALUE));
    assert_eq!(
        cuda!(rig, cuMemcpyDtoHAsync_v2(as_host, one, 64, stream)),
        Err(INVALID_VALUE)
    );
    let null = cuda!(rig, cuMemcpyHtoDAsync_v2(one, ptr::null(), 64, stream));
    assert_eq!(null, Err(INVALID_VALUE));
    rig.sync_context().unwrap();
}

#[test]
fn copies_cross_neighbouring_mappings() {
    let rig = Rig::new();
    let start = rig.reserve(2 * PAGE).unwrap();
    let middle = start + PAGE as u64;
    rig.map(start, PAGE, rig.create(PAGE).unwrap()).unwrap();
    rig.map(middle, PAGE, rig.create(PAGE).unwrap()).unwrap();
    rig.protect(start, 2 * PAGE, READ_WRITE).unwrap();
    rig.upload(middle - 3, b"across", ptr::null_mut()).unwrap();
    assert_eq!(
        rig.download(middle - 3, 6, ptr::null_mut()).unwrap(),
        b"across"
    );
}

#[test]
fn page_locked_host_memory_is_within_a_devices_reach() {
    let rig = Rig::new();
    let buffer = rig.pinned(64);
    let stream = rig.stream();
    rig.fill(buffer.pointer.addr() as u64, 3, 64, stream)
        .unwrap();
    rig.sync(stream).unwrap();
    assert_eq!(buffer.read(64), [3; 64]);
}
