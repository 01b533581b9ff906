//! Many threads on one device.

use std::sync::Barrier;
use std::thread;

use vram_alloc::{Error, HashStart, Kernels, OpenRegion, StagingRing, Stream};

use crate::rig::{BOTH, PAGE, Rig, noise};

const THREADS: u64 = 16;

#[test]
fn sixteen_threads_allocate_write_freeze_hash_and_drop() {
    for mechanism in BOTH {
        let rig = Rig::with_mechanism(mechanism);
        let kernels = Kernels::load(&rig.device).unwrap();
        let barrier = Barrier::new(usize::try_from(THREADS).unwrap());

        thread::scope(|scope| {
            for seed in 0..THREADS {
                let (rig, kernels, barrier) = (&rig, &kernels, &barrier);
                scope.spawn(move || {
                    let stream = Stream::new(&rig.device).unwrap();
                    barrier.wait();
                    for round in 0..3 {
                        work(rig, kernels, &stream, seed * 3 + round);
                    }
                });
            }
        });

        drop(kernels);
        let capacity = rig.allocator.capacity().unwrap();
        assert_eq!((capacity.used.0, capacity.scratch.0), (0, 0));
        assert_eq!((capacity.allocations, capacity.frees), (96, 96));
        assert_eq!(rig.machine.bytes_in_use(0).unwrap(), 0);
        assert_eq!(rig.device.release_failures(), 0);
        assert_eq!(rig.machine.bugs(), Vec::<String>::new());
        let machine = rig.machine.clone();
        drop(rig);
        assert!(machine.live().is_empty(), "{:?}", machine.live());
    }
}

/// Uploads bytes of its own, half by staging, freezes and measures them, and reads them back.
fn work(rig: &Rig, kernels: &Kernels, stream: &Stream, seed: u64) {
    let bytes = noise(seed + 1, 3 * 4096);
    let (staged, written) = bytes.split_at(5000);
    let mut region = rig.allocator.allocate(bytes.len() as u64).unwrap();
    let mut digests = rig.allocator.allocate_scratch(96).unwrap();
    let mut ring = StagingRing::new(&rig.device, 2, 5000).unwrap();
    let mut buffer = ring.acquire().unwrap();
    buffer.bytes_mut().copy_from_slice(staged);
    let sent = ring.send(buffer, staged.len(), &mut region, 0).unwrap();
    ring.give_back(sent);
    region.write(5000, written).unwrap();
    ring.wipe().unwrap();

    let frozen = region.freeze().unwrap();
    let span = frozen.span(0, frozen.len()).unwrap();
    let mut into = digests.span_mut(0, 96).unwrap();
    kernels
        .hash_blocks(stream, span, 0, HashStart::default(), &mut into)
        .unwrap();
    stream.synchronize().unwrap();

    let mut measured = [0; 96];
    digests.read_back(0, &mut measured).unwrap();
    for (block, digest) in bytes.chunks(4096).zip(measured.chunks(32)) {
        let expected = ring::digest::digest(&ring::digest::SHA256, block);
        assert!(digest == expected.as_ref());
    }
    let mut read = vec![0; bytes.len()];
    frozen.read_back(0, &mut read).unwrap();
    assert!(read == bytes);
}

/// What became of as many requests of one byte as there are threads, all at once.
fn requests_at_once(rig: &Rig) -> Vec<Result<OpenRegion, Error>> {
    let barrier = Barrier::new(usize::try_from(THREADS).unwrap());
    thread::scope(|scope| {
        let barrier = &barrier;
        let request = move || {
            barrier.wait();
            rig.allocator.allocate(1)
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(request)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// Covers: FN-3.1.
#[test]
fn threads_that_ask_for_the_last_memory_get_it_once() {
    for mechanism in BOTH {
        let rig = Rig::with_mechanism(mechanism);
        let held = rig.allocator.allocate(61 * (1 << 20)).unwrap();
        assert_eq!(rig.allocator.capacity().unwrap().available.0, PAGE);

        let won = requests_at_once(&rig);

        assert_eq!(won.iter().filter(|result| result.is_ok()).count(), 1);
        for error in won.iter().filter_map(|result| result.as_ref().err()) {
            assert!(error.is_retriable(), "{error}");
        }
        assert_eq!(rig.allocator.capacity().unwrap().available.0, 0);
        drop((won, held));
        assert_eq!(rig.machine.bytes_in_use(0).unwrap(), 0);
    }
}

/// The device has room for all of them: only the budget refuses.
///
/// Covers: FN-3.1, RP-001.
#[test]
fn threads_that_ask_for_the_last_of_the_budget_get_it_once() {
    for _ in 0..20 {
        let rig = Rig::with_budget(2 * PAGE);
        let held = rig.allocator.allocate(PAGE).unwrap();

        let won = requests_at_once(&rig);

        assert_eq!(won.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(rig.allocator.capacity().unwrap().used.0, 2 * PAGE);
        drop((won, held));
    }
}
