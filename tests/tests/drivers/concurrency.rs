//! Sixteen threads on one device.

use std::sync::Barrier;
use std::thread;

use vram_alloc::{HashStart, Kernels, StagingRing, Stream};
use vram_residency::SealRequest;
use vram_seal::ShardId;

use crate::content::{block_digests, noise};
use crate::sealing::manager;
use crate::subject::{Subject, platforms};

const THREADS: u64 = 16;

fn on_sixteen_threads(work: impl Fn(u64) + Sync) {
    let barrier = Barrier::new(usize::try_from(THREADS).unwrap());
    thread::scope(|scope| {
        for index in 0..THREADS {
            let (work, barrier) = (&work, &barrier);
            scope.spawn(move || {
                barrier.wait();
                work(index);
            });
        }
    });
}

#[test]
fn sixteen_threads_upload_freeze_hash_and_free() {
    for subject in platforms().iter() {
        let allocator = subject.allocator();
        let kernels = Kernels::load(&subject.device).unwrap();
        on_sixteen_threads(|index| {
            for round in 0..4 {
                upload_and_hash(subject, &allocator, &kernels, index * 4 + round);
            }
        });
        let capacity = allocator.capacity().unwrap();
        assert_eq!(
            (capacity.used.0, capacity.scratch.0, capacity.regions),
            (0, 0, 0)
        );
        assert_eq!((capacity.allocations, capacity.frees), (128, 128));
        assert_eq!(subject.device.release_failures(), 0);
    }
}

fn upload_and_hash(
    subject: &Subject,
    allocator: &vram_alloc::Allocator,
    kernels: &Kernels,
    seed: u64,
) {
    let bytes = noise(seed + 1, 20_000);
    let mut region = allocator.allocate(20_000).unwrap();
    let mut digests = allocator.allocate_scratch(160).unwrap();
    let stream = Stream::new(&subject.device).unwrap();
    let mut ring = StagingRing::new(&subject.device, 2, 7000).unwrap();
    let mut offset = 0;
    for piece in bytes.chunks(7000) {
        let mut buffer = ring.acquire().unwrap();
        buffer.bytes_mut()[..piece.len()].copy_from_slice(piece);
        let sent = ring.send(buffer, piece.len(), &mut region, offset).unwrap();
        offset += sent.len() as u64;
        ring.give_back(sent);
    }
    ring.wipe().unwrap();
    let frozen = region.freeze().unwrap();
    let span = frozen.span(0, 20_000).unwrap();
    let mut into = digests.span_mut(0, 160).unwrap();
    kernels
        .hash_blocks(&stream, span, 0, HashStart::default(), &mut into)
        .unwrap();
    stream.synchronize().unwrap();
    let mut measured = [0; 160];
    digests.read_back(0, &mut measured).unwrap();
    assert!(measured[..] == *block_digests(&[], &bytes).concat());
}

#[test]
fn sixteen_threads_seal_and_verify() {
    for subject in platforms().iter() {
        let manager = manager(subject);
        on_sixteen_threads(|index| {
            let bytes = noise(index + 100, 300_000);
            let id: ShardId = format!("shard-{index}").parse().unwrap();
            let shard = manager.seal(SealRequest::bytes(id, &bytes)).unwrap();
            for _ in 0..3 {
                let verified = manager.verify(&shard).unwrap();
                assert_eq!(verified.report.verity, shard.verity_digest());
            }
        });
        assert!(manager.shard_ids().is_empty());
        assert_eq!(manager.stop_reason(), None);
        assert_eq!(manager.capacity().unwrap().used.0, 0);
    }
}
