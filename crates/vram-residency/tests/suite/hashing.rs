//! What the host hashes and what it leaves to the device: every way seals the same bytes.

use std::io::Read;

use vram_residency::{Error, HostHashing, Manager, SealRequest, SealedShard};
use vram_seal::{Digest, HashPlan, Salt, VerityDigest, hash_bytes};
use vram_sys::Function;

use crate::support::*;

const ALL: [HostHashing; 3] = [
    HostHashing::ContentAndVerity,
    HostHashing::Verity,
    HostHashing::Trusted,
];

/// A manager whose seals have several threads, each with chunks of one group.
fn crewed(machine: &vram_sim::Machine) -> Manager {
    let builder = builder().staging(64, 1);
    builder.build(&platform(machine)).unwrap()
}

fn demanding<'a>(request: SealRequest<'a>, hashing: HostHashing, bytes: &[u8]) -> SealRequest<'a> {
    request
        .hashing(hashing)
        .expect_verity(VerityDigest::of(bytes))
}

fn require_sealed(machine: &vram_sim::Machine, shard: &SealedShard, bytes: &[u8]) {
    let expected = hash_bytes(bytes, HashPlan::BOTH, &Salt::none());
    assert_eq!(shard.verity_digest(), expected.verity.unwrap().digest());
    let both = shard.hashing() == HostHashing::ContentAndVerity;
    assert_eq!(shard.content_digest(), expected.content.filter(|_| both));
    let allocation = allocation_of(machine, bytes);
    assert!(machine.peek(allocation, 0, bytes.len()).unwrap() == bytes);
}

#[test]
fn every_way_of_hashing_seals_the_same_from_every_source() {
    let machine = machine();
    let folder = tempfile::tempdir().unwrap();
    for (len, staging) in [
        (20, 64),
        (4096, 64),
        (4097, 64),
        (524_287, 64),
        (524_288, 2),
        (524_289, 64),
        (5_242_880, 64),
        (9_000_001, 64),
        (9_000_001, 2),
        (9_000_001, 6),
    ] {
        let manager = builder()
            .staging(staging, 1)
            .build(&platform(&machine))
            .unwrap();
        let bytes = weights(len);
        let path = folder.path().join("weights.bin");
        std::fs::write(&path, &bytes).unwrap();
        for hashing in ALL {
            let mut reader = bytes.as_slice();
            let size = u64::try_from(len).unwrap();
            let requests = [
                SealRequest::bytes(id("shard"), &bytes),
                SealRequest::reader(id("shard"), &mut reader, size),
                SealRequest::file(id("shard"), &path),
            ];
            for request in requests {
                let shard = manager.seal(demanding(request, hashing, &bytes)).unwrap();

                assert_eq!(shard.hashing(), hashing);
                require_sealed(&machine, &shard, &bytes);
                assert!(manager.verify(&shard).is_ok(), "{len} bytes, {hashing}");
            }
        }
    }
}

#[test]
fn a_shard_shows_who_hashed_it() {
    let machine = machine();
    let manager = manager(&machine);
    let bytes = weights(10_000);
    for (hashing, name) in ALL.into_iter().zip(["both", "verity", "trusted"]) {
        let request = SealRequest::bytes(id("shard"), &bytes);
        let shard = manager.seal(demanding(request, hashing, &bytes)).unwrap();

        let shown = serde_json::to_value(&shard).unwrap();

        assert_eq!(shown["hashing"], name);
        assert_eq!(shown["content"].is_null(), name != "both");
        assert_eq!(hashing.to_string(), name);
    }
    let plain = seal(&manager, "plain", &bytes);
    assert_eq!(plain.hashing(), HostHashing::ContentAndVerity);
}

#[test]
fn a_change_in_a_shard_is_located_whoever_hashed_it() {
    // The second is long enough for the device to combine its leaves.
    for (len, last, block) in [(3_000_001, 3_000_000, 732), (12_000_001, 11_000_000, 2685)] {
        let bytes = weights(len);
        for hashing in ALL {
            let machine = machine();
            let manager = crewed(&machine);
            let request = SealRequest::bytes(id("shard"), &bytes);
            let shard = manager.seal(demanding(request, hashing, &bytes)).unwrap();
            let allocation = allocation_of(&machine, &bytes);
            for offset in [700_000, last] {
                machine.flip_bit(allocation, offset, 6).unwrap();
            }

            let error = manager.verify(&shard).unwrap_err();

            let Error::Tampered { difference, .. } = error else {
                panic!("{error:?}")
            };
            assert_eq!(difference.blocks, [170, block], "{len} bytes, {hashing}");
        }
    }
}

#[test]
fn another_digest_than_the_trusted_one_is_refused_and_leaves_nothing() {
    let machine = machine();
    let recorder = Recorder::new();
    let manager = builder()
        .staging(64, 1)
        .observer(recorder.clone())
        .build(&platform(&machine))
        .unwrap();
    let before = manager.capacity().unwrap();
    let bytes = weights(3_000_000);
    let wrong = VerityDigest::of(&bytes[1..]);

    let request = SealRequest::bytes(id("shard"), &bytes)
        .hashing(HostHashing::Trusted)
        .expect_verity(wrong);
    let error = manager.seal(request).unwrap_err();

    let Error::NotAsTrusted {
        measured, expected, ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(*measured, VerityDigest::of(&bytes));
    assert_eq!(*expected, wrong);
    assert!(error.is_integrity_failure() && !error.is_fatal() && !error.is_retriable());
    let text = error.to_string();
    assert!(text.contains(&measured.to_string()) && text.contains(&wrong.to_string()));
    let after = manager.capacity().unwrap();
    assert_eq!(
        (after.used, after.available),
        (before.used, before.available)
    );
    assert_eq!(machine.physical_pages_containing(&bytes[..64]).unwrap(), 0);
    assert_eq!(recorder.names(), ["allocated", "freed", "refused"]);
    assert!(manager.shard_ids().is_empty());
    let request = SealRequest::bytes(id("shard"), &bytes);
    let right = demanding(request, HostHashing::Trusted, &bytes);
    assert!(manager.seal(right).is_ok(), "and the right one is accepted");
}

#[test]
fn a_bit_lost_on_the_way_is_not_as_trusted() {
    let machine = machine();
    let manager = manager(&machine);
    let bytes = weights(3 << 20);
    struct Flip<'a>(&'a vram_sim::Machine, &'a [u8]);
    impl vram_residency::Progress for Flip<'_> {
        fn advanced(&self, stage: vram_residency::Stage, done: u64, total: u64) {
            if stage == vram_residency::Stage::Upload && done == total {
                let allocation = allocation_of(self.0, self.1);
                self.0.flip_bit(allocation, 5, 0).unwrap();
            }
        }
    }

    let flip = Flip(&machine, &bytes);
    let request = SealRequest::bytes(id("shard"), &bytes).progress(&flip);
    let error = manager
        .seal(demanding(request, HostHashing::Trusted, &bytes))
        .unwrap_err();

    assert!(matches!(error, Error::NotAsTrusted { .. }), "{error:?}");
    assert_eq!(manager.capacity().unwrap().used.0, 0);
}

#[test]
fn the_verity_digest_is_compared_before_the_device_measures() {
    let machine = machine();
    let manager = crewed(&machine);
    let bytes = weights(2_000_000);
    let launches = machine.calls(Function::cuLaunchKernel);

    let request = SealRequest::bytes(id("shard"), &bytes).hashing(HostHashing::Verity);
    let error = manager
        .seal(request.expect_verity(VerityDigest::of(b"other")))
        .unwrap_err();

    assert!(
        matches!(error, Error::Unexpected { kind: "verity", .. }),
        "{error:?}"
    );
    assert_eq!(machine.calls(Function::cuLaunchKernel), launches);
    assert_eq!(manager.capacity().unwrap().used.0, 0);
}

/// A source that no refusal may touch.
struct Unreadable;

impl Read for Unreadable {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        panic!("a byte was read of what should have been refused before")
    }
}

#[test]
fn digests_that_hashing_so_cannot_give_are_refused_before_anything_is_read() {
    let machine = machine();
    let manager = manager(&machine);
    let content = Digest::of(b"bytes");
    let verity = VerityDigest::of(b"bytes");
    type Asked = fn(SealRequest<'_>, Digest, VerityDigest) -> SealRequest<'_>;
    let cases: [(Asked, &str); 4] = [
        (
            |request, _, _| request.hashing(HostHashing::Trusted),
            "no verity digest to compare",
        ),
        (
            |request, content, _| {
                let request = request.hashing(HostHashing::Trusted);
                request.expect_content(content)
            },
            "a content digest is expected",
        ),
        (
            |request, content, verity| {
                let request = request.hashing(HostHashing::Trusted);
                request.expect_content(content).expect_verity(verity)
            },
            "a content digest is expected",
        ),
        (
            |request, content, _| {
                let request = request.hashing(HostHashing::Verity);
                request.expect_content(content)
            },
            "a content digest is expected",
        ),
    ];
    machine.record();
    for (asked, words) in cases {
        let mut never_read = Unreadable;
        let request = SealRequest::reader(id("shard"), &mut never_read, 5);
        let error = manager.seal(asked(request, content, verity)).unwrap_err();

        assert!(matches!(error, Error::Hashing { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.is_fatal() && !error.is_retriable() && !error.is_integrity_failure());
    }
    assert!(
        machine.stop_recording().is_empty(),
        "the driver was not called"
    );
    assert!(manager.shard_ids().is_empty());
}

#[test]
fn a_model_file_has_its_tensors_whoever_hashes_it() {
    let machine = machine();
    let manager = crewed(&machine);
    let content = sample_safetensors();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, &content).unwrap();
    for hashing in ALL {
        let request = SealRequest::file(id("model"), &path);

        let shard = manager.seal(demanding(request, hashing, &content)).unwrap();

        let permit = manager.verify(&shard).unwrap().permit;
        let weight = permit.tensor("weight").unwrap();
        assert_eq!(weight.tensor.shape(), [4, 4], "{hashing}");
    }
}
