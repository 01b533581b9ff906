//! Every offset and length is checked before the driver sees it.

use vram_alloc::{Error, OpenRegion, StagingRing};
use vram_sys::Function;

use crate::rig::{Rig, noise};

const SIZE: u64 = 10_000;

/// Ranges that leave a region of [`SIZE`] bytes.
const OUTSIDE: [(u64, u64); 7] = [
    (0, SIZE + 1),
    (1, SIZE),
    (SIZE - 1, 2),
    (SIZE, 1),
    (SIZE + 1, 0),
    (SIZE + 1, 1),
    (2 << 20, 1),
];

/// Ranges whose end no number holds.
const OVERFLOWING: [(u64, u64); 4] = [
    (u64::MAX, 1),
    (u64::MAX, 2),
    (u64::MAX - 1, 3),
    (usize::MAX as u64, SIZE),
];

/// Ranges within it.
const INSIDE: [(u64, u64); 5] = [(0, SIZE), (SIZE, 0), (SIZE - 1, 1), (1, SIZE - 1), (0, 0)];

fn bytes(len: u64) -> Vec<u8> {
    noise(1, usize::try_from(len).unwrap())
}

#[track_caller]
fn assert_out_of_bounds<T>(result: vram_alloc::Result<T>, expected: (u64, u64)) {
    match result {
        Err(Error::OutOfBounds {
            offset, len, size, ..
        }) => {
            assert_eq!(((offset, len), size), (expected, SIZE));
        }
        Err(error) => panic!("{expected:?}: {error}"),
        Ok(_) => panic!("{expected:?} was allowed"),
    }
}

fn copies(rig: &Rig) -> u64 {
    rig.machine.calls(Function::cuMemcpyHtoDAsync_v2)
        + rig.machine.calls(Function::cuMemcpyDtoHAsync_v2)
        + rig.machine.calls(Function::cuMemsetD8Async)
}

fn refuse_each(ranges: &[(u64, u64)], operation: impl Fn(&mut OpenRegion, u64, u64)) {
    let rig = Rig::new();
    let mut region = rig.allocator.allocate(SIZE).unwrap();
    let before = copies(&rig);

    for (offset, len) in ranges {
        operation(&mut region, *offset, *len);
    }

    assert_eq!(copies(&rig), before, "the driver was asked");
}

/// Covers: MS-007, VU-4.
#[test]
fn test_write_out_of_bounds() {
    refuse_each(&OUTSIDE, |region, offset, len| {
        assert_out_of_bounds(region.write(offset, &bytes(len)), (offset, len));
    });
}

/// Covers: MS-006, RP-002, VU-3.
#[test]
fn test_write_overflow() {
    refuse_each(&OVERFLOWING, |region, offset, len| {
        assert_out_of_bounds(region.write(offset, &bytes(len)), (offset, len));
    });

    // Sizes whose sum with what is in use no number holds leave the books as they are.
    let rig = Rig::new();
    let region = rig.allocator.allocate(SIZE).unwrap();
    let before = rig.allocator.capacity().unwrap();
    for size in [u64::MAX, u64::MAX - SIZE, u64::MAX - region.mapped() + 1] {
        assert!(rig.allocator.allocate(size).is_err(), "{size}");
    }
    let after = rig.allocator.capacity().unwrap();
    assert_eq!(
        (after.used, after.available),
        (before.used, before.available)
    );
    assert_eq!(after.used.0 + after.available.0, after.total.0);
    assert_eq!(after.used.0, region.mapped());
}

/// Covers: MS-007.
#[test]
fn reads_past_the_end_are_refused() {
    let all: Vec<_> = OUTSIDE.iter().chain(&OVERFLOWING).copied().collect();
    refuse_each(&all, |region, offset, len| {
        let mut into = bytes(len);
        let untouched = into.clone();
        assert_out_of_bounds(region.read_back(offset, &mut into), (offset, len));
        assert_eq!(into, untouched);
    });
}

/// Covers: MS-007, VU-4.
#[test]
fn views_past_the_end_are_refused() {
    let all: Vec<_> = OUTSIDE.iter().chain(&OVERFLOWING).copied().collect();
    refuse_each(&all, |region, offset, len| {
        assert_out_of_bounds(region.span(offset, len), (offset, len));
        assert_out_of_bounds(region.span_mut(offset, len), (offset, len));
    });
}

/// The offsets are inside: only the sum is too large, and must not come round to a small one.
///
/// Covers: VU-3, VU-4.
#[test]
fn a_length_that_would_wrap_around_gives_no_view() {
    let ranges = [(0, u64::MAX), (1, u64::MAX), (SIZE, u64::MAX)];
    refuse_each(&ranges, |region, offset, len| {
        assert_out_of_bounds(region.span(offset, len), (offset, len));
        assert_out_of_bounds(region.span_mut(offset, len), (offset, len));
    });
}

/// Covers: MS-007.
#[test]
fn a_frozen_region_has_the_same_bounds() {
    let rig = Rig::new();
    let frozen = rig.allocator.allocate(SIZE).unwrap().freeze().unwrap();
    let before = copies(&rig);

    for (offset, len) in OUTSIDE.into_iter().chain(OVERFLOWING) {
        assert_out_of_bounds(frozen.span(offset, len), (offset, len));
        assert_out_of_bounds(frozen.expose_address(offset, len), (offset, len));
        assert_out_of_bounds(frozen.read_back(offset, &mut bytes(len)), (offset, len));
    }

    assert_eq!(copies(&rig), before);
    for (offset, len) in INSIDE {
        assert!(frozen.span(offset, len).is_ok());
        assert!(frozen.expose_address(offset, len).is_ok());
        assert!(frozen.read_back(offset, &mut bytes(len)).is_ok());
    }
}

/// Covers: MS-002.
#[test]
fn uploads_past_the_end_are_refused_and_their_buffer_comes_back() {
    let rig = Rig::new();
    let mut region = rig.allocator.allocate(SIZE).unwrap();
    let mut ring = StagingRing::new(&rig.device, 2, 20_000).unwrap();
    let before = copies(&rig);

    for (offset, len) in OUTSIDE.into_iter().chain(OVERFLOWING) {
        let Ok(wanted) = usize::try_from(len) else {
            continue;
        };
        if wanted > ring.buffer_len() {
            continue;
        }
        let buffer = ring.acquire().unwrap();
        let sent = ring.send(buffer, wanted, &mut region, offset);
        assert_out_of_bounds(sent, (offset, len));
    }

    assert_eq!(copies(&rig), before);
    let (_first, _second) = (ring.acquire().unwrap(), ring.acquire().unwrap());
    let pinned = rig.machine.calls(Function::cuMemHostAlloc);
    assert_eq!(pinned, 2, "a buffer had to be replaced");
}

#[test]
fn everything_within_a_region_can_be_written_and_read() {
    let rig = Rig::new();
    let mut region = rig.allocator.allocate(SIZE).unwrap();
    let mut expected = vec![0; usize::try_from(SIZE).unwrap()];
    region.write(0, &expected).unwrap();

    for (offset, len) in INSIDE {
        let piece = noise(offset ^ len, usize::try_from(len).unwrap());
        region.write(offset, &piece).unwrap();
        let start = usize::try_from(offset).unwrap();
        expected[start..start + piece.len()].copy_from_slice(&piece);
    }

    let mut read = vec![0; expected.len()];
    region.read_back(0, &mut read).unwrap();
    assert!(read == expected);
    let mut tail = [0; 7];
    region.read_back(SIZE - 7, &mut tail).unwrap();
    assert_eq!(tail, expected[expected.len() - 7..]);
}

/// Covers: VU-3.
#[test]
fn sizes_that_no_device_holds_are_refused_before_the_driver_is_called() {
    let rig = Rig::new();
    let before = rig.calls();

    assert!(matches!(rig.allocator.allocate(0), Err(Error::ZeroSize)));
    assert!(matches!(rig.allocator.check(0), Err(Error::ZeroSize)));
    for size in [
        u64::MAX,
        u64::MAX - (2 << 20),
        isize::MAX as u64,
        isize::MAX as u64 - 1,
    ] {
        let error = rig.allocator.allocate(size).unwrap_err();
        let Error::SizeOverflow { size: refused, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(refused, size);
        assert!(rig.allocator.allocate_scratch(size).is_err());
    }

    assert_eq!(rig.calls(), before);
}
