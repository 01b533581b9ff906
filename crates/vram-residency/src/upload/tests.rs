//! How the threads of an upload wait for each other, and what they tell.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::*;

#[test]
fn the_digest_takes_a_chunk_at_once_if_it_is_the_next() {
    let bytes = [7; 30];
    let chunk = |index: u64| Chunk {
        index,
        offset: index.saturating_mul(10),
        len: 10,
    };
    let content = InTurn::new(None);

    assert!(!content.take_in_if_next(&chunk(1), &bytes[10..20]));
    for index in 0..3 {
        let taken = content.take_in_if_next(&chunk(index), &bytes[..10]);
        assert!(taken, "{index}");
    }
    assert!(!content.take_in_if_next(&chunk(1), &bytes[10..20]));
    assert_eq!(content.finish().0, Some(Digest::of(&bytes)));
}

#[test]
fn who_waits_for_a_turn_that_never_comes_is_woken() {
    let content = Arc::new(InTurn::new(None));
    let halted = Arc::new(AtomicBool::new(false));
    let (looks, looked) = mpsc::channel();
    let (ends, ended) = mpsc::channel();
    let waiting = {
        let (content, halted) = (Arc::clone(&content), Arc::clone(&halted));
        move || {
            let second = Chunk {
                index: 1,
                offset: 10,
                len: 10,
            };
            content.take_in(&second, &[7; 10], || {
                // Under the lock, and so before it is waited for.
                looks.send(()).unwrap();
                halted.load(Ordering::Relaxed)
            });
            ends.send(()).unwrap();
        }
    };
    std::thread::spawn(waiting);
    looked.recv().unwrap();

    halted.store(true, Ordering::Relaxed);
    content.wake();

    // It never would: this is no measure of how fast it is.
    ended.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(!content.take_in_if_next(
        &Chunk {
            index: 1,
            offset: 10,
            len: 10
        },
        &[]
    ));
}

#[test]
fn a_lone_thread_hashes_on_two_what_is_large_enough() {
    assert!(spread_pays(true, SPREAD_FROM));
    assert!(spread_pays(true, usize::MAX));
    assert!(!spread_pays(true, 65_535));
    assert!(!spread_pays(false, usize::MAX));
}

#[test]
fn of_two_failures_a_lost_device_counts_and_then_the_first_in_the_file() {
    let bad = |at| {
        let shard = "shard".parse().unwrap();
        let error = Error::Cancelled { shard };
        Failure { at, error }
    };
    let lost = |at| {
        let error = vram_alloc::Error::DeviceLost {
            function: vram_sys::Function::cuMemcpyHtoDAsync_v2,
            name: "CUDA_ERROR_LAUNCH_FAILED".to_owned(),
        };
        Failure {
            at,
            error: error.into(),
        }
    };
    let kept = |first: Failure, second: Failure| {
        let kept = first.or(second);
        (kept.error.is_fatal(), kept.at)
    };

    assert_eq!(kept(bad(1), bad(2)), (false, 1));
    assert_eq!(kept(bad(2), bad(1)), (false, 1));
    assert_eq!(kept(bad(1), lost(2)), (true, 2));
    assert_eq!(kept(lost(2), bad(1)), (true, 2));
    assert_eq!(kept(lost(2), lost(1)), (true, 1));
    // Two threads never fail at the same chunk; were it so, the first to say so is believed.
    let first = Failure {
        at: 1,
        error: Error::NoKey,
    };
    assert!(matches!(first.or(bad(1)).error, Error::NoKey));
}
