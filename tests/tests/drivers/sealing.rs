//! Shards, sealed and verified on the device.

use std::time::SystemTime;

use vram_alloc::{Device, Mechanism};
use vram_policy::Policy;
use vram_residency::{Error, Manager, SealRequest};
use vram_seal::evidence::{Challenge, Expectations, ExpectedShard, Profile, verify_evidence};
use vram_seal::{Freezing, SignatureAlgorithm, SigningKey, Token};

use crate::content::{noise, sha256};
use crate::subject::{Subject, platforms};

/// A manager on the subject's device.
pub(crate) fn manager(subject: &Subject) -> Manager {
    manager_on(&subject.device, subject.mechanism)
}

pub(crate) fn manager_on(device: &Device, mechanism: Mechanism) -> Manager {
    let token = Token::new(&[7; 32]).unwrap();
    let builder = Manager::builder()
        .token(token, "worker-0".parse().unwrap())
        .staging(2, 64 << 10)
        // What is tested is the driver, on whatever machine it runs.
        .policy(Policy::development())
        .allow_simulated();
    let builder = if mechanism == Mechanism::Plain {
        builder.without_mmu_freezing()
    } else {
        builder
    };
    builder.build_on(device).unwrap()
}

/// Covers: FN-2.1, FN-2.2.
#[test]
fn a_sealed_shard_verifies_where_it_lies() {
    for subject in platforms().iter() {
        let manager = manager(subject);
        for len in [1, 4096, 4097, 524_289, 3_000_001] {
            let bytes = noise(len as u64, len);
            let id = "weights".parse().unwrap();

            let shard = manager.seal(SealRequest::bytes(id, &bytes)).unwrap();

            let content = shard.content_digest().unwrap();
            assert_eq!(content.as_bytes(), &sha256(&bytes));
            assert_eq!(shard.is_simulated(), subject.platform.is_simulated());
            let frozen = shard.freezing() == Freezing::Mmu;
            assert_eq!(frozen, subject.maps_pages());
            let verified = manager.verify(&shard).unwrap();
            assert_eq!(verified.report.verity, shard.verity_digest());
            assert_eq!(verified.report.size.0, len as u64);
        }
    }
}

/// Covers: CI-007.
#[test]
fn a_permit_gives_out_ranges_of_its_shard_alone() {
    for subject in platforms().iter() {
        let manager = manager(subject);
        let id = "weights".parse().unwrap();
        let shard = manager
            .seal(SealRequest::bytes(id, &noise(1, 10_000)))
            .unwrap();
        let permit = manager.verify(&shard).unwrap().permit;

        let start = permit.device_address().unwrap().as_raw();
        assert_ne!(start, 0);
        assert_eq!(permit.range(9999..10_000).unwrap().as_raw(), start + 9999);
        assert!(permit.range(0..10_001).is_err());
        assert!(permit.range(u64::MAX..u64::MAX).is_err());
    }
}

/// Covers: EX-2.1, LO-1, CI-007.
#[test]
fn a_flipped_bit_is_found_and_stops_the_manager() {
    for subject in platforms().iter() {
        let manager = manager(subject);
        let id = "weights".parse().unwrap();
        let bytes = noise(2, 600_000);
        let mut shard = manager.seal(SealRequest::bytes(id, &bytes)).unwrap();
        drop(manager.verify(&shard).unwrap());

        manager.damage(&mut shard, 555_555, 3).unwrap();

        let error = manager.verify(&shard).unwrap_err();
        assert!(error.is_integrity_failure(), "{error}");
        assert!(error.to_string().contains("block 135"), "{error}");
        let refused = manager.verify(&shard).unwrap_err();
        assert!(matches!(refused, Error::Stopped { .. }), "{refused}");
    }
}

/// Covers: VP-006.
#[test]
fn evidence_of_a_sealed_shard_verifies_against_its_bytes_and_no_others() {
    for subject in platforms().iter() {
        let manager = manager(subject);
        let bytes = noise(4, 600_000);
        let request = SealRequest::bytes("weights".parse().unwrap(), &bytes);
        let shard = manager.seal(request).unwrap();
        let challenge = Challenge::generate().unwrap();
        let key = SigningKey::generate(SignatureAlgorithm::Ed25519).unwrap();

        let attestation = manager.attest([&shard], challenge, &key).unwrap();

        let device = &attestation.statement().predicate().device;
        assert_eq!(device.simulated, subject.platform.is_simulated());
        let mut expected = Expectations::new(SystemTime::now(), Some(challenge));
        expected.least_profile = Profile::Development;
        expected.accept_warnings = true;
        expected.accept_lowered_checks = true;
        expected.accept_unproven_residency = true;
        expected.accept_simulated = subject.platform.is_simulated();
        // No management library knows a simulated device.
        expected.accept_unknown_confidential_compute = subject.platform.is_simulated();
        let verify = |bytes: &[u8]| {
            let mut expected = expected.clone();
            let shard = ExpectedShard::of_bytes(bytes, Some(&challenge));
            expected.shards = Some([("weights".parse().unwrap(), shard)].into());
            verify_evidence(
                &attestation.to_json().unwrap(),
                key.verifying_key(),
                &expected,
            )
        };
        let verified = verify(&bytes).unwrap();
        assert!(verified.digests_were_compared() && verified.answer_was_recomputed());
        assert!(verify(&bytes[1..]).is_err());
    }
}

/// Covers: FN-3.2.
#[test]
fn shards_that_are_dropped_give_their_memory_back() {
    for subject in platforms().iter() {
        let manager = manager(subject);
        let before = manager.capacity().unwrap();
        for round in 0..5 {
            let id = "weights".parse().unwrap();
            let bytes = noise(round, 100_000);
            let shard = manager.seal(SealRequest::bytes(id, &bytes)).unwrap();
            assert_eq!(manager.capacity().unwrap().used, shard.mapped());
        }
        let after = manager.capacity().unwrap();
        assert_eq!((after.used.0, after.scratch), (0, before.scratch));
        assert_eq!(after.unreleased.0, 0);
    }
}
