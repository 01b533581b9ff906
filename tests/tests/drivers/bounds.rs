//! What leaves a region is refused, and touches nothing.

use vram_alloc::{Error, OpenRegion, StagingRing};

use crate::subject::{Subject, platforms};

const SIZE: u64 = 5000;
const LEN: usize = 5000;

/// Ranges that leave the region: past its end, into its padding, and past what a number holds.
const OUTSIDE: [(u64, u64); 9] = [
    (0, SIZE + 1),
    (1, SIZE),
    (SIZE, 1),
    (SIZE + 1, 0),
    (SIZE + 1, 1),
    (1 << 40, 16),
    (u64::MAX, 1),
    (u64::MAX - 1, 2),
    (u64::MAX - SIZE, SIZE + 1),
];

fn full(subject: &Subject) -> OpenRegion {
    let mut region = subject.allocator().allocate(SIZE).unwrap();
    region.write(0, &[6; LEN]).unwrap();
    region
}

#[track_caller]
fn assert_refused<T>(result: vram_alloc::Result<T>, range: (u64, u64)) {
    let error = result.err().unwrap();
    assert!(
        matches!(error, Error::OutOfBounds { offset, len, size, .. }
            if (offset, len, size) == (range.0, range.1, SIZE)),
        "{range:?}: {error}"
    );
}

fn assert_untouched(region: &OpenRegion) {
    let mut bytes = [0; LEN];
    region.read_back(0, &mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 6));
}

/// Covers: MS-007.
#[test]
fn writes_past_the_end_are_refused() {
    for subject in platforms().iter() {
        let mut region = full(subject);
        for range in OUTSIDE {
            let bytes = vec![0; usize::try_from(range.1).unwrap()];
            assert_refused(region.write(range.0, &bytes), range);
        }
        assert_untouched(&region);
    }
}

/// Covers: TS-1.2.
#[test]
fn reads_past_the_end_are_refused() {
    for subject in platforms().iter() {
        let region = full(subject);
        for range in OUTSIDE {
            let mut bytes = vec![1; usize::try_from(range.1).unwrap()];
            assert_refused(region.read_back(range.0, &mut bytes), range);
            assert!(bytes.iter().all(|byte| *byte == 1));
        }
    }
}

/// Covers: VU-4.
#[test]
fn views_past_the_end_are_refused() {
    for subject in platforms().iter() {
        let mut region = full(subject);
        for range in OUTSIDE {
            assert_refused(region.span(range.0, range.1), range);
            assert_refused(region.span_mut(range.0, range.1), range);
        }
        let frozen = region.freeze().unwrap();
        for range in OUTSIDE {
            assert_refused(frozen.span(range.0, range.1), range);
            assert_refused(frozen.expose_address(range.0, range.1), range);
        }
    }
}

#[test]
fn uploads_past_the_end_are_refused() {
    for subject in platforms().iter() {
        let mut region = full(subject);
        let mut ring = StagingRing::new(&subject.device, 2, 2 * LEN).unwrap();
        for range in OUTSIDE {
            let buffer = ring.acquire().unwrap();
            let len = usize::try_from(range.1).unwrap();
            assert_refused(ring.send(buffer, len, &mut region, range.0), range);
        }
        ring.drain().unwrap();
        assert_untouched(&region);
    }
}

#[test]
fn the_last_byte_is_within() {
    for subject in platforms().iter() {
        let mut region = full(subject);
        region.write(SIZE - 1, &[9]).unwrap();
        let mut last = [0];
        region.read_back(SIZE - 1, &mut last).unwrap();
        assert_eq!(last, [9]);
        assert!(region.span(0, SIZE).is_ok());
        assert!(region.span(SIZE, 0).is_ok());
    }
}
