//! Taking memory.

use vram_alloc::{Error, OpenRegion};

use crate::subject::{MIB, PAGE, platforms};

/// Covers: TS-1.2.
#[test]
fn sizes_are_rounded_up_to_whole_pages() {
    for subject in platforms().iter() {
        let allocator = subject.allocator();
        for size in [1, 4096, PAGE - 1, PAGE, PAGE + 1, 10 * MIB] {
            let region = allocator.allocate(size).unwrap();
            assert_eq!(region.len(), size);
            assert_eq!(region.mapped(), size.next_multiple_of(PAGE));
        }
    }
}

#[test]
fn regions_are_aligned_for_every_kernel() {
    for subject in platforms().iter() {
        let allocator = subject.allocator();
        let alignment = if subject.maps_pages() { PAGE } else { 256 };
        for size in [1, 3, 4097, PAGE + 1] {
            let frozen = allocator.allocate(size).unwrap().freeze().unwrap();
            let address = frozen.expose_address(0, size).unwrap().as_raw();
            assert_eq!(address % alignment, 0, "{size} bytes");
            assert_ne!(address, 0);
        }
    }
}

#[test]
fn many_small_regions_live_side_by_side() {
    for subject in platforms().iter() {
        let allocator = subject.allocator();
        let mut regions: Vec<OpenRegion> = Vec::new();
        for index in 0..48_u8 {
            let mut region = allocator.allocate(100).unwrap();
            region.write(0, &[index; 100]).unwrap();
            regions.push(region);
        }
        for (index, region) in (0_u8..).zip(&regions) {
            let mut read = [0; 100];
            region.read_back(0, &mut read).unwrap();
            assert_eq!(read, [index; 100]);
        }
        // Gaps are used again.
        let mut odd = 0;
        regions.retain(|_| {
            odd += 1;
            odd % 2 == 0
        });
        for _ in 0..24 {
            regions.push(allocator.allocate(1).unwrap());
        }
        let capacity = allocator.capacity().unwrap();
        assert_eq!(
            (capacity.regions, capacity.allocations, capacity.frees),
            (48, 72, 24)
        );
    }
}

/// Covers: FN-3.1.
#[test]
fn regions_do_not_overlap() {
    for subject in platforms().iter() {
        let allocator = subject.allocator();
        let frozen: Vec<_> = [1, PAGE, 3 * MIB, 5]
            .map(|size| allocator.allocate(size).unwrap().freeze().unwrap())
            .into();
        let mut ranges: Vec<_> = frozen
            .iter()
            .map(|region| {
                let start = region.expose_address(0, 0).unwrap().as_raw();
                start..start + region.len()
            })
            .collect();
        ranges.sort_by_key(|range| range.start);
        for pair in ranges.windows(2) {
            assert!(pair[0].end <= pair[1].start);
        }
    }
}

/// Covers: MS-003.
#[test]
fn nothing_is_refused() {
    for subject in platforms().iter() {
        let allocator = subject.allocator();
        assert!(matches!(allocator.allocate(0), Err(Error::ZeroSize)));
        assert!(matches!(
            allocator.allocate_scratch(0),
            Err(Error::ZeroSize)
        ));
        assert!(matches!(allocator.check(0), Err(Error::ZeroSize)));
    }
}

#[test]
fn more_than_any_address_range_is_refused() {
    for subject in platforms().iter() {
        let allocator = subject.allocator();
        for size in [u64::MAX, u64::MAX - PAGE, i64::MAX.unsigned_abs()] {
            let error = allocator.allocate(size).unwrap_err();
            assert!(matches!(error, Error::SizeOverflow { .. }), "{error}");
        }
    }
}

/// Covers: FN-3.4.
#[test]
fn more_than_the_device_has_is_refused() {
    for subject in platforms().iter() {
        let allocator = subject.allocator();
        let total = subject.device.properties().total_memory.0;
        for size in [total + 1, 2 * total, 1 << 50] {
            let error = allocator.allocate(size).unwrap_err();
            let Error::OutOfMemory {
                needed, available, ..
            } = &error
            else {
                panic!("{error}");
            };
            assert_eq!(needed.0, size.next_multiple_of(PAGE));
            assert!(available.0 <= total);
            assert!(error.is_retriable());
        }
        assert_eq!(allocator.capacity().unwrap().allocations, 0);
    }
}

#[test]
fn what_follows_the_last_byte_hashes_as_zeros() {
    use vram_alloc::{HashStart, Kernels, Stream};

    for subject in platforms().iter() {
        let allocator = subject.allocator();
        // Leaves bytes where the next region may come to lie, wiped or not.
        let mut before = allocator.allocate(4096).unwrap();
        before.write(0, &[0xff; 4096]).unwrap();
        drop(before);
        let mut region = allocator.allocate(10).unwrap();
        region.write(0, &[7; 10]).unwrap();
        let mut digests = allocator.allocate_scratch(32).unwrap();
        let kernels = Kernels::load(&subject.device).unwrap();
        let stream = Stream::new(&subject.device).unwrap();

        let span = region.span(0, 10).unwrap();
        let mut into = digests.span_mut(0, 32).unwrap();
        kernels
            .hash_blocks(&stream, span, 0, HashStart::default(), &mut into)
            .unwrap();
        stream.synchronize().unwrap();

        let mut digest = [0; 32];
        digests.read_back(0, &mut digest).unwrap();
        assert_eq!(digest, crate::content::block_digests(&[], &[7; 10])[0]);
    }
}
