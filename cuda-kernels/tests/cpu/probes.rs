//! The probes: they must do the work that their rates are computed from.

use vram_kernels::{
    PROBE_STATE_SIZE, PROBE_UNIT, ProbeReadArgs, ProbeRegistersArgs, SHA256_INITIAL_STATE, grid_for,
};

use crate::memory::{Arena, POISON, launch};
use crate::reference::{compress, data};

/// What a thread's state is after so many compressions, each of the last sixteen words of the schedule
/// before it.
fn expected_state(thread: u32, compressions: u32) -> [u32; 8] {
    let mut state = SHA256_INITIAL_STATE;
    let mut message: Vec<u32> = (0..16_u32)
        .map(|word| thread.wrapping_add(word.wrapping_mul(0x9e37_79b9)))
        .collect();
    for _ in 0..compressions {
        let schedule = compress(&mut state, &message);
        message = schedule[48..].to_vec();
    }
    state
}

#[test]
fn every_thread_compresses_as_often_as_it_is_told() {
    for (threads, compressions) in [(1_u32, 0_u32), (1, 1), (3, 2), (130, 7)] {
        let room = usize::try_from(u64::from(threads) * PROBE_STATE_SIZE).unwrap();
        let (arena, at) = Arena::ending_with(&vec![POISON; room]);
        let args =
            ProbeRegistersArgs::new(arena.address(at.start), u64::from(threads), compressions);

        launch(&args, grid_for(u64::from(threads)).unwrap()).unwrap();

        let (before, states) = arena.bytes().split_at(at.start);
        assert!(before.iter().all(|byte| *byte == POISON));
        for (thread, state) in (0..threads).zip(states.chunks(32)) {
            let words: Vec<u32> = state
                .chunks(4)
                .map(|word| u32::from_ne_bytes(word.try_into().unwrap()))
                .collect();
            assert_eq!(words, expected_state(thread, compressions), "{thread}");
        }
    }
}

fn folded(bytes: &[u8]) -> [u8; 16] {
    let mut sum = [0; 16];
    for (at, byte) in bytes.iter().enumerate() {
        sum[at % 16] ^= byte;
    }
    sum
}

#[test]
fn every_byte_is_read_once_however_the_threads_share() {
    for len in [
        0,
        1,
        15,
        16,
        17,
        127,
        128,
        4096,
        16 * 129,
        16 * 1024,
        70_003,
    ] {
        for threads in [1_u64, 2, 127, 128, 129, 300] {
            // The end of the data lies before a faulting page, but for what its alignment takes.
            let mut padded = data(len);
            padded.resize(len.next_multiple_of(16), POISON);
            let (arena, at) = Arena::ending_with(&padded);
            let room = usize::try_from(threads * PROBE_UNIT).unwrap();
            let (sums, to) = Arena::ending_with(&vec![POISON; room]);
            let args = ProbeReadArgs::new(
                arena.address(at.start),
                u64::try_from(len).unwrap(),
                sums.address(to.start),
                threads,
            );

            launch(&args, grid_for(threads).unwrap()).unwrap();

            let (before, written) = sums.bytes().split_at(to.start);
            assert!(before.iter().all(|byte| *byte == POISON));
            assert_eq!(
                folded(written),
                folded(&data(len)),
                "{len} bytes, {threads} threads"
            );
        }
    }
}

#[test]
fn each_thread_answers_for_every_so_many_th_unit() {
    let bytes = data(16 * 100);
    let (arena, at) = Arena::starting_with(&bytes, 0);
    let sums = Arena::new(16 * 3);
    let args = ProbeReadArgs::new(arena.address(at.start), 16 * 100, sums.address(0), 3);

    launch(&args, 1).unwrap();

    for thread in 0..3 {
        let units = bytes.chunks(16).skip(thread).step_by(3);
        let expected: Vec<u8> = units.flatten().copied().collect();
        let written = &sums.bytes()[16 * thread..16 * thread + 16];
        assert_eq!(written, folded(&expected), "{thread}");
    }
}
