//! Evidence that the tests change.

use std::time::{Duration, SystemTime};

use vram_seal::{
    Digest, ExpectedFrom, Freezing, HashPlan, ShardId, SigningKey, Subject, VerityDigest,
    evidence::{
        Challenge, ConfidentialCompute, Evidence, EvidenceFinding, EvidenceStatement, Expectations,
        ExpectedShard, FindingEnforcement, FindingSeverity, FindingStatus, Kernel, Library,
        MeasuredDevice, MeasuredShard, PolicyFindings, Profile, Residency, ResidencyVerdict,
    },
    hash_bytes,
};

use crate::signatures::ed25519;

/// The key of RFC 8032's first test.
pub(crate) fn key() -> SigningKey {
    ed25519("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
}

pub(crate) fn challenge() -> Challenge {
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        .parse()
        .unwrap()
}

/// The bytes of the shards: zeros, so that anyone can make the files.
pub(crate) fn shards() -> [(ShardId, Vec<u8>); 2] {
    [("model:0", 8192), ("model:1", 4097)].map(|(name, len)| (name.parse().unwrap(), vec![0; len]))
}

pub(crate) fn finding(id: &str, shard: Option<&ShardId>) -> EvidenceFinding {
    EvidenceFinding {
        id: id.to_owned(),
        shard: shard.cloned(),
        status: FindingStatus::Pass,
        severity: FindingSeverity::Critical,
        enforcement: FindingEnforcement::Refuse,
        raised_or_lowered_from: None,
        observed: "IS_MANAGED 0".to_owned(),
        expected: "IS_MANAGED 0".to_owned(),
    }
}

pub(crate) fn subjects() -> Vec<Subject> {
    shards()
        .iter()
        .map(|(name, bytes)| Subject::shard(name, Some(Digest::of(bytes)), VerityDigest::of(bytes)))
        .collect()
}

pub(crate) fn evidence() -> Evidence {
    let measured = shards().map(|(name, bytes)| MeasuredShard {
        name,
        size_bytes: bytes.len() as u64,
        freezing: Freezing::Mmu,
        challenged_verity: hash_bytes(&bytes, HashPlan::VERITY, &challenge().salt())
            .verity
            .unwrap()
            .digest(),
        duration_microseconds: 120,
        bytes_per_second: 68_266_666,
        residency: Residency {
            verdict: ResidencyVerdict::Proven,
            reason: "faster than the link".to_owned(),
        },
        expected_from: ExpectedFrom::ModelSignature,
    });
    let mut findings = vec![finding("device.own-memory", None)];
    findings.extend(
        measured
            .iter()
            .map(|shard| finding("region.not-managed", Some(&shard.name))),
    );
    Evidence {
        challenge: challenge(),
        measured_at: "2026-01-01T00:00:00.25Z".parse().unwrap(),
        duration_microseconds: 250,
        device: MeasuredDevice {
            name: "Example GPU".to_owned(),
            uuid: std::array::from_fn(|at| at as u8),
            driver: "580.159.03".to_owned(),
            simulated: false,
        },
        shards: measured.into(),
        policy: PolicyFindings::new(Profile::Strict, findings),
        library: Library {
            name: "vram-residency".to_owned(),
            version: "0.1.0".to_owned(),
        },
        kernel: Kernel {
            ptx_sha256: Digest::of(b"the program"),
        },
        confidential_compute: Some(ConfidentialCompute::None {
            reason: "the device reports that it is off".to_owned(),
        }),
    }
}

pub(crate) fn statement() -> EvidenceStatement {
    EvidenceStatement::evidence(subjects(), evidence()).unwrap()
}

/// The sample with one change, signed.
pub(crate) fn signed(change: impl FnOnce(&mut Evidence)) -> Vec<u8> {
    let mut evidence = evidence();
    change(&mut evidence);
    evidence.policy = PolicyFindings::new(evidence.policy.profile, evidence.policy.findings);
    let statement = EvidenceStatement::evidence(subjects(), evidence).unwrap();
    statement.sign(&key()).unwrap().to_json().unwrap()
}

/// Any payload, signed as a statement.
pub(crate) fn signed_payload(payload: &str) -> Vec<u8> {
    let payload = payload.as_bytes().to_vec();
    vram_seal::dsse::Envelope::sign(&key(), vram_seal::statement::PAYLOAD_TYPE, payload)
        .unwrap()
        .to_json()
        .unwrap()
}

/// One minute after the measurement, with the challenge and the files at hand.
pub(crate) fn expectations() -> Expectations {
    let measured = SystemTime::from(evidence().measured_at);
    let mut expected = Expectations::new(measured + Duration::from_secs(60), Some(challenge()));
    let shards =
        shards().map(|(name, bytes)| (name, ExpectedShard::of_bytes(&bytes, Some(&challenge()))));
    expected.shards = Some(shards.into());
    expected.required_findings = ["device.own-memory", "region.not-managed"]
        .map(str::to_owned)
        .into();
    expected
}
