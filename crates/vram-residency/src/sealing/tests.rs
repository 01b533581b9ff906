//! What a seal refuses, and what it leaves when it is given up.

use std::io::{self, Read};

use vram_seal::SealKey;

use super::*;

/// Wants a seal until it hears of the first bytes.
#[derive(Default)]
struct Fickle(std::sync::atomic::AtomicBool);

impl Progress for Fickle {
    fn advanced(&self, _: crate::Stage, _: u64, _: u64) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[test]
fn a_seal_that_is_given_up_on_its_way_reads_no_further_and_leaves_nothing() {
    let size: u64 = 256 << 20;
    let model = vram_sim::DeviceModel::small(384 << 20);
    let machine = vram_sim::Machine::builder().device(model).build().unwrap();
    let platform = vram_alloc::Platform::with_driver(machine.driver()).unwrap();
    let key = SealKey::from_bytes(b"a key that is used in tests only").unwrap();
    let builder = Manager::builder().key(key).allow_simulated();
    let manager = builder.build(&platform).unwrap();
    let (fickle, mut zeros) = (Fickle::default(), io::repeat(0).take(size));

    let request = SealRequest::reader("shard".parse().unwrap(), &mut zeros, size);
    let error = manager.seal(request.progress(&fickle)).unwrap_err();

    assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    assert!(!error.is_fatal());
    assert!(zeros.limit() > 0, "it was read to its end");
    assert_eq!(manager.capacity().unwrap().used.0, 0);
    assert!(manager.shard_ids().is_empty());
}

#[test]
fn a_content_digest_that_is_expected_and_was_not_computed_is_refused() {
    let shard = "shard".parse().unwrap();
    let nothing = Passed::default();
    let mut expected = Expected {
        shard: &shard,
        content: None,
        pieces: None,
        verity: None,
    };
    assert!(expected.require(&nothing).is_ok());

    expected.content = Some(Digest::of(b"weights"));

    let error = expected.require(&nothing).unwrap_err();
    assert!(error.is_integrity_failure(), "{error:?}");
    assert!(error.to_string().contains("not computed"), "{error}");
    let computed = Passed {
        content: expected.content,
        ..Passed::default()
    };
    assert!(expected.require(&computed).is_ok());
}

#[test]
fn every_piece_that_is_expected_has_to_be_there() {
    let shard = "shard".parse().unwrap();
    let [one, other] = [Digest::of(b"one"), Digest::of(b"other")];
    let pieces = PieceDigests::new(8, std::num::NonZeroU64::new(4).unwrap(), vec![one, other]);
    let pieces = pieces.unwrap();
    let expected = Expected {
        shard: &shard,
        content: None,
        pieces: None,
        verity: None,
    };
    let found = |digests: &[Digest]| expected.require_pieces(&pieces, digests);

    found(&[one, other]).unwrap();
    for wrong in [
        &[one][..],
        &[],
        &[one, other, one],
        &[other, one],
        &[one, one],
    ] {
        let error = found(wrong).unwrap_err();
        assert!(error.is_integrity_failure(), "{wrong:?}: {error}");
    }
}

#[test]
fn a_seal_that_nobody_wants_any_more_reads_nothing_and_leaves_nothing() {
    struct Unreadable;
    impl Read for Unreadable {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("nobody waits for this byte")
        }
    }
    let model = vram_sim::DeviceModel::small(24 << 20);
    let machine = vram_sim::Machine::builder().device(model).build().unwrap();
    let platform = vram_alloc::Platform::with_driver(machine.driver()).unwrap();
    let key = SealKey::from_bytes(b"a key that is used in tests only").unwrap();
    let builder = Manager::builder().key(key).allow_simulated();
    let manager = builder.build(&platform).unwrap();
    let together = Together::alone();
    together.cancel();

    let mut unreadable = Unreadable;
    let request = SealRequest::reader("shard".parse().unwrap(), &mut unreadable, 5 << 20);
    let error = manager.seal_beside(request, &together).unwrap_err();

    assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    assert!(!error.is_fatal());
    assert_eq!(manager.capacity().unwrap().used.0, 0);
    assert!(manager.shard_ids().is_empty());
}
