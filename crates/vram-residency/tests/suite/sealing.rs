//! Sealing, from every source, and everything that is refused on the way.

use std::io::Read;

use crate::support::*;
use vram_residency::{Error, SealRequest, Stage};
use vram_seal::{Digest, HashPlan, Salt, SetPosition, VerityDigest, hash_bytes};
use vram_sys::{CUresult, Function};

/// What a driver says to what it won't do.
const REFUSED: CUresult = CUresult::CUDA_ERROR_NOT_PERMITTED;

/// Covers: FN-2.1, EX-1.1.
#[test]
fn test_seal_model_basic() {
    let machine = machine();
    let clock = StoppedClock::at(1_000_000);
    let manager = builder().clock(clock).build(&platform(&machine)).unwrap();
    let bytes = weights(3_000_001);
    let expected = hash_bytes(&bytes, HashPlan::BOTH, &Salt::none());

    let request = SealRequest::bytes(id("layers-0"), &bytes)
        .model("a model".parse().unwrap())
        .position(SetPosition::new(1, 3).unwrap());
    let shard = manager.seal(request).unwrap();

    assert_eq!(shard.id().as_str(), "layers-0");
    assert_eq!(shard.device(), manager.device_id());
    assert_eq!(shard.size().0, 3_000_001);
    assert_eq!(shard.mapped().0, 4 << 20);
    assert_eq!(shard.content_digest(), expected.content);
    assert_eq!(shard.verity_digest(), expected.verity.unwrap().digest());
    assert_eq!(shard.sealed_at().as_secs(), 1_000_000);
    assert_eq!(shard.model().unwrap().as_str(), "a model");
    assert_eq!(shard.position(), Some(SetPosition::new(1, 3).unwrap()));
    assert_eq!(shard.freezing(), vram_seal::Freezing::Mmu);
    assert!(shard.is_simulated());
    // The bytes are in the device's memory, whole.
    let allocation = allocation_of(&machine, &bytes);
    assert_eq!(machine.peek(allocation, 0, bytes.len()).unwrap(), bytes);
}

/// Covers: EX-1.1.
#[test]
fn a_shard_serializes_as_what_was_sealed() {
    let machine = machine();
    let shard: vram_residency::ModelShardHandle =
        seal(&manager(&machine), "layers-0", &weights(5000));

    let shown = serde_json::to_value(&shard).unwrap();

    assert_eq!(shown["shard_id"], "layers-0");
    assert_eq!(shown["size"], 5000);
    assert_eq!(shown["simulated"], true);
    assert_eq!(shown["verity"], shard.verity_digest().to_string());
    assert!(shown.get("tag").is_none());
}

#[test]
fn every_boundary_length_measures_as_the_host_does() {
    let machine = machine();
    let manager = manager(&machine);
    let lengths = [
        1, 2, 4095, 4096, 4097, 8192, 524_287, 524_288, 524_289, 1_048_575, 1_048_576, 1_048_577,
        2_097_152, 2_097_153, 9_000_001,
    ];
    for len in lengths {
        let bytes = weights(len);
        let expected = hash_bytes(&bytes, HashPlan::BOTH, &Salt::none());

        let shard = seal(&manager, "boundary", &bytes);

        assert_eq!(
            shard.verity_digest(),
            expected.verity.unwrap().digest(),
            "{len} bytes"
        );
        assert_eq!(shard.content_digest(), expected.content, "{len} bytes");
        let _verified = manager.verify(&shard).unwrap();
    }
}

#[test]
fn a_shard_larger_than_scratch_is_measured_in_windows() {
    // Over 512 MiB: more leaves than scratch has room for at a time.
    let len = (512 << 20) + 4097;
    let model = vram_sim::DeviceModel::small(1 << 30);
    let machine = vram_sim::Machine::builder().device(model).build().unwrap();
    let manager = builder()
        .staging(2, 8 << 20)
        .build(&platform(&machine))
        .unwrap();
    let mut reader = std::io::repeat(0x5a).take(len);

    let shard = manager
        .seal(SealRequest::reader(id("large"), &mut reader, len))
        .unwrap();

    // Sealed at all: the device's measurement equalled the host's. And a change past the first
    // window is still found.
    let allocation = machine
        .allocations(0)
        .unwrap()
        .into_iter()
        .find(|a| a.size > len)
        .unwrap();
    machine.flip_bit(allocation.id, len - 1, 0).unwrap();
    let error = manager.verify(&shard).unwrap_err();
    let Error::Tampered { difference, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(difference.blocks, [(len - 1) / 4096]);
}

#[test]
fn a_reader_in_small_pieces_seals_the_same() {
    struct Trickle<'a>(&'a [u8]);
    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let len = buffer.len().min(777).min(self.0.len());
            let (now, later) = self.0.split_at(len);
            buffer[..len].copy_from_slice(now);
            self.0 = later;
            Ok(len)
        }
    }
    let machine = machine();
    let manager = manager(&machine);
    let bytes = weights(2_500_000);
    let whole = seal(&manager, "whole", &bytes);
    let mut trickle = Trickle(&bytes);

    let shard = manager
        .seal(SealRequest::reader(id("trickle"), &mut trickle, 2_500_000))
        .unwrap();

    assert_eq!(shard.verity_digest(), whole.verity_digest());
    assert_eq!(shard.content_digest(), whole.content_digest());
}

/// Covers: FN-2.1.
#[test]
fn a_reader_that_ends_early_or_goes_on_is_refused_and_leaves_nothing() {
    let machine = machine();
    let recorder = Recorder::new();
    let manager = builder()
        .observer(recorder.clone())
        .build(&platform(&machine))
        .unwrap();
    let before = manager.capacity().unwrap();
    let bytes = weights(3_000_000);

    for promised in [2_999_999, 3_000_001, 4 << 20] {
        let mut reader = bytes.as_slice();
        let error = manager
            .seal(SealRequest::reader(id("x"), &mut reader, promised))
            .unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{error:?}");
    }

    let after = manager.capacity().unwrap();
    assert_eq!(
        (after.used, after.available),
        (before.used, before.available)
    );
    assert_eq!(recorder.count("allocated"), recorder.count("freed"));
    assert_eq!(recorder.count("sealed"), 0);
    assert_eq!(machine.physical_pages_containing(&bytes[..64]).unwrap(), 0);
    assert!(manager.shard_ids().is_empty());
}

#[test]
fn a_reader_that_fails_is_named_with_how_far_it_came() {
    struct Fails(usize);
    impl Read for Fails {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0 == 0 {
                return Err(std::io::Error::other("the disk is on fire"));
            }
            let len = buffer.len().min(self.0);
            buffer[..len].fill(7);
            self.0 -= len;
            Ok(len)
        }
    }
    let machine = machine();
    let manager = manager(&machine);

    let mut fails = Fails(1_500_000);
    let request = SealRequest::reader(id("x"), &mut fails, 3_000_000);
    let error = manager.seal(request).unwrap_err();

    let Error::Read { read, size, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!((*read, *size), (1_500_000, 3_000_000));
    assert!(error.to_string().contains("the disk is on fire"), "{error}");
    assert_eq!(manager.capacity().unwrap().used.0, 0);
}

#[test]
fn a_reader_that_claims_more_than_it_was_given_room_for_is_refused() {
    struct Liar;
    impl Read for Liar {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            Ok(buffer.len() + 1)
        }
    }
    let machine = machine();

    let error = manager(&machine)
        .seal(SealRequest::reader(id("x"), &mut Liar, 100))
        .unwrap_err();

    assert!(matches!(error, Error::Read { .. }), "{error:?}");
}

/// Covers: EX-2.4.
#[test]
fn a_reader_that_panics_leaves_nothing_behind() {
    struct Panics(bool);
    impl Read for Panics {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            assert!(
                !std::mem::replace(&mut self.0, true),
                "the caller's reader panics"
            );
            buffer.fill(0xee);
            Ok(buffer.len())
        }
    }
    let machine = machine();
    let manager = manager(&machine);
    let before = manager.capacity().unwrap();

    let sealed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        manager.seal(SealRequest::reader(id("x"), &mut Panics(false), 3 << 20))
    }));

    assert!(sealed.is_err());
    assert_eq!(manager.capacity().unwrap().available, before.available);
    assert_eq!(machine.physical_pages_containing(&[0xee; 64]).unwrap(), 0);
    assert!(seal_fits(&manager), "and the manager goes on");
}

/// Covers: PR-4.
#[test]
fn an_expected_digest_is_compared_before_anything_is_signed() {
    let machine = machine();
    let recorder = Recorder::new();
    let manager = builder()
        .observer(recorder.clone())
        .build(&platform(&machine))
        .unwrap();
    let bytes = weights(100_000);
    let right = seal(&manager, "right", &bytes);
    let (content, verity) = (right.content_digest().unwrap(), right.verity_digest());

    let request = SealRequest::bytes(id("again"), &bytes);
    assert!(
        manager
            .seal(request.expect_content(content).expect_verity(verity))
            .is_ok()
    );

    let other = Digest::from_bytes([1; 32]);
    let request = SealRequest::bytes(id("wrong"), &bytes).expect_content(other);
    let error = manager.seal(request).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unexpected {
                kind: "content",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.is_integrity_failure());
    assert!(error.to_string().contains(&content.to_string()), "{error}");

    let other = VerityDigest::from_bytes([1; 32]);
    let request = SealRequest::bytes(id("wrong"), &bytes).expect_verity(other);
    let error = manager.seal(request).unwrap_err();
    assert!(
        matches!(error, Error::Unexpected { kind: "verity", .. }),
        "{error:?}"
    );
    assert_eq!(recorder.count("sealed"), 2);
}

/// Flips a bit of the first piece on the device, once a later piece is on its way: the upload goes
/// wrong under the host's hands.
struct FlipWhileUploading {
    machine: vram_sim::Machine,
    head: Vec<u8>,
}

impl vram_residency::Progress for FlipWhileUploading {
    fn advanced(&self, stage: Stage, done: u64, _: u64) {
        if stage == Stage::Upload && done == 5 << 20 {
            let allocation = allocation_of(&self.machine, &self.head);
            self.machine.flip_bit(allocation, 12_345, 3).unwrap();
        }
    }
}

/// Covers: FN-2.1.
#[test]
fn an_upload_that_does_not_arrive_whole_is_never_signed() {
    let machine = machine();
    let recorder = Recorder::new();
    let manager = builder()
        .observer(recorder.clone())
        .build(&platform(&machine))
        .unwrap();
    let bytes = weights(5 << 20);

    let progress = FlipWhileUploading {
        machine: machine.clone(),
        head: bytes[..64].to_vec(),
    };
    let request = SealRequest::bytes(id("bad"), &bytes).progress(&progress);
    let error = manager.seal(request).unwrap_err();

    assert!(matches!(error, Error::UploadCorrupted { .. }), "{error:?}");
    assert!(error.is_fatal() && error.is_integrity_failure());
    assert_eq!(recorder.count("sealed"), 0);
    assert!(
        manager
            .stop_reason()
            .unwrap()
            .contains("did not arrive whole")
    );
}

#[test]
fn an_id_is_taken_while_its_shard_lives() {
    let machine = machine();
    let manager = manager(&machine);
    let shard = seal(&manager, "one", &weights(100));

    let error = manager
        .seal(SealRequest::bytes(id("one"), &[1]))
        .unwrap_err();
    assert!(matches!(error, Error::Duplicate { .. }), "{error:?}");
    assert_eq!(manager.shard_ids(), [id("one")]);

    drop(shard);
    assert!(manager.seal(SealRequest::bytes(id("one"), &[1])).is_ok());
}

/// Covers: FN-4.2.
#[test]
fn test_seal_validates_shard_id_format() {
    let machine = machine();
    let recorder = Recorder::new();
    let manager = builder()
        .observer(recorder.clone())
        .build(&platform(&machine))
        .unwrap();
    machine.record();
    let long = "x".repeat(257);
    let bad = [
        "",
        ".hidden",
        "../../etc/passwd",
        "a..b",
        "a/b",
        "a\\b",
        "nul\0",
        "é",
        "a b",
        &long,
    ];

    for name in bad {
        // The one way to a request is through a type that can't hold such an id.
        let sealed = name
            .parse()
            .map(|id| manager.seal(SealRequest::bytes(id, &[1])));
        assert!(sealed.is_err(), "{name:?}");
    }

    assert!(machine.stop_recording().is_empty(), "nothing was allocated");
    assert!(recorder.names().is_empty(), "nothing is told to be sealed");
    assert!(
        manager
            .seal(SealRequest::bytes(id("a-Z_0.9:x"), &[1]))
            .is_ok()
    );
}

/// Covers: VP-003.
#[test]
fn staging_and_released_memory_hold_no_weights_afterwards() {
    let machine = machine();
    let manager = manager(&machine);
    let bytes = weights(5 << 20);
    let shard = seal(&manager, "one", &bytes);
    let piece = &bytes[4096..4160];

    assert_eq!(
        machine.physical_pages_containing(piece).unwrap(),
        1,
        "on the device alone"
    );
    drop(shard);

    assert_eq!(machine.physical_pages_containing(piece).unwrap(), 0);
}

/// Covers: FN-3.2, MS-005, RP-005, EX-2.4.
#[test]
fn test_drop_frees_memory() {
    let machine = machine();
    let recorder = Recorder::new();
    let manager = builder()
        .observer(recorder.clone())
        .build(&platform(&machine))
        .unwrap();
    let before = manager.capacity().unwrap();
    let shard = seal(&manager, "one", &weights(3 << 20));
    let during = manager.capacity().unwrap();
    assert_eq!(during.used.0, 4 << 20);
    assert_eq!(during.available.0, before.available.0 - (4 << 20));

    drop(shard);

    let after = manager.capacity().unwrap();
    assert_eq!(
        (after.used, after.available),
        (before.used, before.available)
    );
    assert_eq!(recorder.names(), ["allocated", "sealed", "freed"]);
    assert_eq!(after.allocations - after.frees, after.regions);
    let piece = &weights(3 << 20)[1 << 20..(1 << 20) + 64];
    assert_eq!(machine.physical_pages_containing(piece).unwrap(), 0);

    // What panics while it holds a shard frees it too.
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _held = seal(&manager, "two", &weights(3 << 20));
        panic!("the caller's own");
    }));
    assert!(panicked.is_err());
    assert_eq!(manager.capacity().unwrap().used, before.used);

    // A driver that refuses everything makes no drop panic.
    let shard = seal(&manager, "three", &weights(5000));
    machine.fail_every_call(CUresult::CUDA_ERROR_INVALID_VALUE);
    drop(shard);
    assert_eq!(recorder.count("allocated"), 3);
    drop(manager);
}

#[test]
fn a_manager_that_is_dropped_leaves_nothing_on_the_device() {
    let machine = machine();
    let manager = manager(&machine);
    let shard = seal(&manager, "one", &weights(5000));

    drop(shard);
    drop(manager);

    assert!(machine.live().is_empty(), "{:?}", machine.live());
}

/// Covers: SI-1.
#[test]
fn a_simulated_device_is_refused_unless_asked_for_by_name() {
    let machine = machine();
    let key = vram_seal::SealKey::from_bytes(&KEY).unwrap();

    let error = vram_residency::Manager::builder()
        .key(key)
        .build(&platform(&machine))
        .unwrap_err();

    assert!(matches!(error, Error::Simulated { .. }), "{error:?}");
    assert!(error.is_policy_refusal());
    assert!(machine.live().is_empty(), "{:?}", machine.live());
}

#[test]
fn a_manager_without_a_key_is_refused() {
    let machine = machine();

    let builder = vram_residency::Manager::builder().allow_simulated();
    let error = builder.build(&platform(&machine)).unwrap_err();

    assert!(matches!(error, Error::NoKey), "{error:?}");
}

/// Covers: FZ-2.
#[test]
fn without_virtual_memory_management_a_shard_is_frozen_in_software_and_says_so() {
    let model = vram_sim::DeviceModel::without_vmm();
    let machine = vram_sim::Machine::builder().device(model).build().unwrap();
    let manager = builder()
        .without_mmu_freezing()
        .build(&platform(&machine))
        .unwrap();

    let shard = seal(&manager, "one", &weights(10_000));

    assert_eq!(shard.freezing(), vram_seal::Freezing::Software);
    assert_eq!(
        serde_json::to_value(&shard).unwrap()["freezing"],
        "software"
    );
    let _verified = manager.verify(&shard).unwrap();
}

#[test]
fn sixteen_threads_seal_and_verify() {
    let machine = machine();
    let manager = manager(&machine);
    let total = manager.capacity().unwrap().available.0;

    std::thread::scope(|scope| {
        for thread in 0..16 {
            let manager = &manager;
            scope.spawn(move || {
                for round in 0..4 {
                    let bytes = weights(50_000 + thread * 1000 + round);
                    let shard = seal(manager, &format!("shard-{thread}"), &bytes);
                    let _verified = manager.verify(&shard).unwrap();
                }
            });
        }
    });

    assert_eq!(manager.capacity().unwrap().available.0, total);
}

#[test]
fn memory_that_could_not_be_wiped_is_not_told_as_given_back() {
    let machine = machine();
    let recorder = Recorder::new();
    let manager = builder()
        .observer(recorder.clone())
        .build(&platform(&machine))
        .unwrap();
    let dropped = seal(&manager, "dropped", &weights(2 << 20));
    let released = seal(&manager, "released", &weights(2 << 20));
    machine.fail_always(Function::cuMemsetD8Async, REFUSED);

    drop(dropped);
    let released = released.release();

    assert!(!released.is_wiped(), "{released:?}");
    assert_eq!(manager.capacity().unwrap().unreleased.0, 4 << 20);
    assert!(manager.shard_ids().is_empty());
    assert_eq!(recorder.count("freed"), 0);
    let told = recorder.told("release_failed");
    assert_eq!(told.len(), 2);
    for (told, shard) in told.iter().zip(["dropped", "released"]) {
        assert_eq!(told["shard"], shard);
        assert_eq!(told["bytes"], 2 << 20);
        assert_eq!(told["wiped"], false);
    }
    assert_eq!(told[1]["reason"], released.failure().unwrap());
}

#[test]
fn memory_that_went_with_a_lost_device_is_not_told_as_given_back() {
    let machine = machine();
    let recorder = Recorder::new();
    let manager = builder()
        .observer(recorder.clone())
        .build(&platform(&machine))
        .unwrap();
    let shard = seal(&manager, "one", &weights(5000));
    machine.lose_context(0).unwrap();

    let released = shard.release();

    assert!(!released.is_wiped(), "{released:?}");
    assert_eq!(recorder.names(), ["allocated", "sealed", "release_failed"]);
}

#[test]
fn memory_that_was_wiped_and_not_taken_back_is_told_as_that() {
    let machine = machine();
    let recorder = Recorder::new();
    let manager = builder()
        .observer(recorder.clone())
        .build(&platform(&machine))
        .unwrap();
    let shard = seal(&manager, "one", &weights(5000));
    machine.fail_always(Function::cuMemUnmap, REFUSED);

    let released = shard.release();

    assert!(released.is_wiped(), "{released:?}");
    assert!(released.failure().is_some());
    assert_eq!(recorder.told("release_failed")[0]["wiped"], true);
    assert_eq!(recorder.count("freed"), 0);
}

#[test]
fn a_seal_that_fails_tells_what_became_of_its_memory_after_that() {
    /// From its first byte on nothing can be wiped any more, and there is no second.
    struct Failing(vram_sim::Machine);
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            self.0.fail_always(Function::cuMemsetD8Async, REFUSED);
            Err(std::io::ErrorKind::UnexpectedEof.into())
        }
    }
    let machine = machine();
    let recorder = Recorder::new();
    let manager = builder()
        .observer(recorder.clone())
        .build(&platform(&machine))
        .unwrap();

    let mut failing = Failing(machine.clone());
    let request = SealRequest::reader(id("one"), &mut failing, 2 << 20);
    manager.seal(request).unwrap_err();

    assert_eq!(recorder.names(), ["allocated", "release_failed", "refused"]);
    assert_eq!(recorder.told("release_failed")[0]["wiped"], false);
}

/// Covers: RP-005.
#[test]
fn a_shard_that_is_released_is_told_once_as_freed() {
    let machine = machine();
    let recorder = Recorder::new();
    let manager = builder()
        .observer(recorder.clone())
        .build(&platform(&machine))
        .unwrap();

    let released = seal(&manager, "one", &weights(5000)).release();

    assert_eq!(released, vram_alloc::Released::Wiped);
    assert_eq!(recorder.names(), ["allocated", "sealed", "freed"]);
    assert!(manager.shard_ids().is_empty());
}
