//! Bytes to the device and back.

use vram_alloc::{OpenRegion, StagingRing, Stream};

use crate::content::noise;
use crate::subject::{MIB, platforms};

fn read(region: &OpenRegion, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    region.read_back(offset, &mut bytes).unwrap();
    bytes
}

/// Covers: TS-1.2.
#[test]
fn bytes_come_back_as_they_went() {
    for subject in platforms().iter() {
        for len in [1, 2, 255, 4095, 4096, 4097, 65_537] {
            let bytes = noise(len as u64, len);
            let mut region = subject.allocator().allocate(len as u64).unwrap();
            region.write(0, &bytes).unwrap();
            assert!(read(&region, 0, len) == bytes, "{len} bytes");
        }
    }
}

#[test]
fn offsets_are_kept() {
    for subject in platforms().iter() {
        let mut expected = noise(1, 100_000);
        let mut region = subject.allocator().allocate(100_000).unwrap();
        region.write(0, &expected).unwrap();
        for (offset, len) in [
            (0, 1),
            (1, 4096),
            (4095, 3),
            (65_535, 2),
            (99_999, 1),
            (50_001, 33_333),
        ] {
            let piece = noise(offset as u64 + 7, len);
            region.write(offset as u64, &piece).unwrap();
            expected[offset..offset + len].copy_from_slice(&piece);
        }
        assert!(read(&region, 0, 100_000) == expected);
        assert!(read(&region, 33_333, 44_444) == expected[33_333..77_777]);
    }
}

#[test]
fn patterns_survive() {
    let ramp: Vec<u8> = (0..=u8::MAX).cycle().take(20_000).collect();
    let mut patterns = vec![ramp];
    patterns.extend([0x00, 0xff, 0xaa, 0x55].map(|byte| vec![byte; 20_000]));
    for subject in platforms().iter() {
        let mut region = subject.allocator().allocate(20_000).unwrap();
        for pattern in &patterns {
            region.write(0, pattern).unwrap();
            assert!(read(&region, 0, 20_000) == *pattern);
        }
    }
}

#[test]
fn a_large_copy_arrives_whole() {
    let len = 32 * (1 << 20) + 1;
    let bytes = noise(5, len);
    for subject in platforms().iter() {
        let mut region = subject.allocator().allocate(len as u64).unwrap();
        region.write(0, &bytes).unwrap();
        assert!(read(&region, 0, len) == bytes);
    }
}

#[test]
fn nothing_is_copied_by_an_empty_copy() {
    for subject in platforms().iter() {
        let mut region = subject.allocator().allocate(10).unwrap();
        region.write(0, &[9; 10]).unwrap();
        for offset in [0, 5, 10] {
            region.write(offset, &[]).unwrap();
            region.read_back(offset, &mut []).unwrap();
        }
        assert_eq!(read(&region, 0, 10), [9; 10]);
    }
}

#[test]
fn uploads_through_staging_arrive_in_order() {
    for subject in platforms().iter() {
        let len = 3 * (1 << 20) + 77;
        let bytes = noise(6, len);
        let mut region = subject.allocator().allocate(len as u64).unwrap();
        let mut ring = StagingRing::new(&subject.device, 3, 64 << 10).unwrap();
        let mut offset = 0;
        for piece in bytes.chunks(ring.buffer_len()) {
            let mut buffer = ring.acquire().unwrap();
            buffer.bytes_mut()[..piece.len()].copy_from_slice(piece);
            let sent = ring.send(buffer, piece.len(), &mut region, offset).unwrap();
            assert!(*sent == *piece, "readable while it is copied");
            ring.give_back(sent);
            offset += piece.len() as u64;
        }
        ring.wipe().unwrap();
        assert!(read(&region, 0, len) == bytes);
    }
}

#[test]
fn a_wiped_ring_can_be_used_again() {
    for subject in platforms().iter() {
        let mut region = subject.allocator().allocate(MIB).unwrap();
        let mut ring = StagingRing::new(&subject.device, 2, 4096).unwrap();
        for byte in 1..4 {
            let mut buffer = ring.acquire().unwrap();
            assert!(
                buffer.bytes_mut().iter().all(|byte| *byte == 0),
                "wiped before"
            );
            buffer.bytes_mut().fill(byte);
            let sent = ring
                .send(buffer, 4096, &mut region, u64::from(byte))
                .unwrap();
            ring.give_back(sent);
            ring.wipe().unwrap();
            assert_eq!(read(&region, u64::from(byte), 4096), [byte; 4096]);
        }
    }
}

#[test]
fn fills_write_their_range_and_no_more() {
    for subject in platforms().iter() {
        let stream = Stream::new(&subject.device).unwrap();
        let mut region = subject.allocator().allocate(10_000).unwrap();
        region.write(0, &[1; 10_000]).unwrap();
        region
            .span_mut(1001, 5000)
            .unwrap()
            .fill(&stream, 2)
            .unwrap();
        region
            .span_mut(10_000, 0)
            .unwrap()
            .fill(&stream, 3)
            .unwrap();
        stream.synchronize().unwrap();
        let bytes = read(&region, 0, 10_000);
        assert!(bytes[..1001].iter().all(|byte| *byte == 1));
        assert!(bytes[1001..6001].iter().all(|byte| *byte == 2));
        assert!(bytes[6001..].iter().all(|byte| *byte == 1));
    }
}
