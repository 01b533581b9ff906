//! Evidence for a challenge.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use vram_observe::{
    Answer, Card, CardAttestation, ConfidentialSettings, ManagementFunction, Witness,
};
use vram_policy::{CheckId, Enforcement, HostFacts, ManagementFacts, Policy};
use vram_residency::{
    Attestation, Error, Event, Manager, ManagerBuilder, Observer, ObserverError, SealRequest,
    SealedShard,
};
use vram_seal::evidence::{
    Challenge, ConfidentialCompute, EvidenceFailure, Expectations, ExpectedShard,
    FindingEnforcement, PolicyVerdict, Profile, RefusedEvidence, VerifiedEvidence, verify_evidence,
};
use vram_seal::{
    Digest, ExpectedFrom, Freezing, HashPlan, SignatureAlgorithm, SigningKey, VerityDigest,
    hash_bytes,
};
use vram_sim::{Machine, ManagementFault};

use crate::support::*;
use crate::witness::*;

/// When the stopped clock stands: 2026-01-01.
const NOW: u64 = 1_767_225_600;

fn challenge() -> Challenge {
    Challenge::from_bytes(&[0xc4; 32]).unwrap()
}

fn key() -> SigningKey {
    SigningKey::generate(SignatureAlgorithm::Ed25519).unwrap()
}

/// A strict manager of a machine that nothing is wrong with.
fn strict(witness: impl Witness + 'static) -> ManagerBuilder {
    builder()
        .policy(Policy::strict())
        .witness(Arc::new(witness))
        .clock(StoppedClock::at(NOW))
}

/// The least that has to be relaxed for small shards on a simulated device.
fn expectations() -> Expectations {
    let now = SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_secs(NOW))
        .unwrap();
    let mut expected = Expectations::new(now, Some(challenge()));
    expected.accept_simulated = true;
    expected.accept_unproven_residency = true;
    expected.accept_warnings = true;
    expected
}

fn expecting(shards: &[(&str, &[u8])]) -> Expectations {
    let expected = shards.iter().map(|(name, bytes)| {
        let shard = ExpectedShard::of_bytes(bytes, Some(&challenge()));
        (id(name), shard)
    });
    Expectations {
        shards: Some(expected.collect()),
        ..expectations()
    }
}

fn verify(
    attestation: &Attestation,
    key: &SigningKey,
    expected: &Expectations,
) -> Result<VerifiedEvidence, RefusedEvidence> {
    let document = attestation.to_json().unwrap();
    verify_evidence(&document, key.verifying_key(), expected)
}

/// Covers: EV-3.
#[test]
fn a_verifier_with_the_files_recomputes_every_answer() {
    let machine = card();
    let manager = strict(sound()).build(&platform(&machine)).unwrap();
    let (one, two) = (weights(1_000_000), weights(4097));
    let shards = [seal(&manager, "one", &one), seal(&manager, "two", &two)];
    let key = key();

    let attestation = manager.attest(&shards, challenge(), &key).unwrap();

    let expected = expecting(&[("one", &one), ("two", &two)]);
    let verified = verify(&attestation, &key, &expected).unwrap();
    assert!(verified.digests_were_compared() && verified.answer_was_recomputed());
    assert_eq!(verified.statement(), attestation.statement());
    // Without any one of the relaxations it is no evidence about a GPU.
    for tighten in [
        (|expected| expected.accept_simulated = false) as fn(&mut Expectations),
        |expected| expected.accept_unproven_residency = false,
    ] {
        let mut tighter = expected.clone();
        tighten(&mut tighter);
        assert!(verify(&attestation, &key, &tighter).is_err());
    }
}

/// Covers: VP-006.
#[test]
fn it_says_what_was_measured_where_and_under_which_policy() {
    let machine = card();
    let manager = strict(sound()).build(&platform(&machine)).unwrap();
    let bytes = weights(100_000);
    let expecting = SealRequest::bytes(id("named"), &bytes)
        .expect_content(Digest::of(&bytes))
        .expected_from(ExpectedFrom::ModelSignature);
    let shards = [
        manager.seal(expecting).unwrap(),
        seal(&manager, "free", b"f"),
    ];

    let attestation = manager.attest(&shards, challenge(), &key()).unwrap();

    let statement = attestation.statement();
    let subject = &statement.subjects()[0];
    assert_eq!(subject.name(), "named");
    assert_eq!(subject.digests().sha256(), Some(Digest::of(&bytes)));
    let verity = VerityDigest::of(&bytes);
    assert_eq!(subject.digests().fsverity_sha256(), Some(verity));
    let evidence = statement.predicate();
    assert_eq!(evidence.measured_at.to_string(), "2026-01-01T00:00:00Z");
    assert_eq!(evidence.challenge, challenge());
    let device = &evidence.device;
    assert_eq!(device.name, manager.device().name);
    assert_eq!(device.uuid, manager.device().uuid);
    assert_eq!(device.driver, "580.159.04");
    assert!(device.simulated);
    let shard = &evidence.shards[0];
    assert_eq!((shard.size_bytes, shard.freezing), (100_000, Freezing::Mmu));
    assert!(shard.bytes_per_second > 0);
    assert!(shard.residency.reason.contains("simulated"), "{shard:?}");
    assert_eq!(shard.expected_from, ExpectedFrom::ModelSignature);
    assert_eq!(evidence.shards[1].expected_from, ExpectedFrom::None);
    let salted = hash_bytes(&bytes, HashPlan::VERITY, &challenge().salt());
    assert_eq!(shard.challenged_verity, salted.verity.unwrap().digest());
    let program = Digest::of(vram_kernels::PTX.to_bytes());
    assert_eq!(evidence.kernel.ptx_sha256, program);
    assert_eq!(evidence.library.name, "vram-residency");

    // Every check there is, of device and host once, of regions for every shard.
    assert_eq!(evidence.policy.profile, Profile::Strict);
    for check in CheckId::ALL {
        let of_check = evidence.policy.findings.iter();
        let about: Vec<_> = of_check
            .filter(|finding| finding.id == check.as_str())
            .map(|finding| finding.shard.as_ref().map(|shard| shard.as_str()))
            .collect();
        if check.as_str().starts_with("region.") {
            assert_eq!(about, [Some("named"), Some("free")], "{check}");
        } else {
            assert_eq!(about, [None], "{check}");
        }
    }
    // With what was observed of the device, in the policy's words.
    for finding in manager.device_report().findings() {
        let mut said = evidence.policy.findings.iter();
        let said = said.find(|said| said.id == finding.id.as_str()).unwrap();
        assert_eq!(
            (&said.observed, &said.expected),
            (&finding.observed, &finding.expected)
        );
    }
}

/// Covers: PO-3.
#[test]
fn what_configuration_lowered_and_what_only_warns_is_in_it() {
    let machine = card();
    let policy = Policy::strict().with(CheckId::DeviceRowRemapping, Enforcement::Warn);
    let manager = strict(failing()).policy(policy);
    let manager = manager.build(&platform(&machine)).unwrap();
    let shard = seal(&manager, "one", b"weights");
    let key = key();

    let attestation = manager.attest([&shard], challenge(), &key).unwrap();

    let policy = &attestation.statement().predicate().policy;
    assert_eq!(policy.verdict, PolicyVerdict::AcceptedWithWarnings);
    let mut lowered = policy
        .findings
        .iter()
        .filter(|finding| finding.was_lowered());
    let remapping = lowered.next().unwrap();
    assert_eq!(remapping.id, CheckId::DeviceRowRemapping.as_str());
    assert_eq!(remapping.enforcement, FindingEnforcement::Warn);
    let refused = verify(&attestation, &key, &expectations()).unwrap_err();
    let is_lowered = |failure: &EvidenceFailure| matches!(failure, EvidenceFailure::Lowered { .. });
    assert!(refused.failures().any(is_lowered), "{refused}");
}

/// Covers: EV-2.
#[test]
fn another_challenge_gets_other_answers_to_the_same_bytes() {
    let machine = card();
    let manager = strict(sound()).build(&platform(&machine)).unwrap();
    let shard = seal(&manager, "one", &weights(600_000));
    let key = key();
    let other = Challenge::from_bytes(&[0xc5; 32]).unwrap();

    let first = manager.attest([&shard], challenge(), &key).unwrap();
    let second = manager.attest([&shard], other, &key).unwrap();

    let answer = |of: &Attestation| of.statement().predicate().shards[0].challenged_verity;
    assert_ne!(answer(&first), answer(&second));
    let refused = verify(&second, &key, &expectations()).unwrap_err();
    let is_challenge =
        |failure: &EvidenceFailure| matches!(failure, EvidenceFailure::Challenge { .. });
    assert!(refused.failures().any(is_challenge), "{refused}");
}

/// Covers: VP-006.
#[test]
fn changed_bytes_give_no_evidence_and_stop_the_manager() {
    let machine = card();
    let manager = strict(sound()).build(&platform(&machine)).unwrap();
    let bytes = weights(300_000);
    let good = seal(&manager, "good", &weights(5000));
    let bad = seal(&manager, "bad", &bytes);
    let changed = allocation_of(&machine, &bytes);
    machine.flip_bit(changed, 123_456, 3).unwrap();

    let refused = manager.attest([&good, &bad], challenge(), &key());

    assert!(
        matches!(refused, Err(Error::Tampered { .. })),
        "{refused:?}"
    );
    let after = manager.attest([&good], challenge(), &key());
    assert!(matches!(after, Err(Error::Stopped { .. })), "{after:?}");
}

/// Changes a shard's bytes as soon as it has been verified.
#[derive(Debug)]
struct ChangesLater {
    machine: Machine,
    changes: Mutex<Option<u64>>,
}

impl Observer for ChangesLater {
    fn on_event(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        if let Event::Verified { .. } = event
            && let Some(allocation) = self.changes.lock().unwrap().take()
        {
            self.machine.flip_bit(allocation, 0, 0).unwrap();
        }
        Ok(())
    }
}

/// Covers: EV-2.
#[test]
fn nothing_of_an_earlier_answer_is_remembered() {
    let machine = card();
    let changes = Arc::new(ChangesLater {
        machine: machine.clone(),
        changes: Mutex::new(None),
    });
    let manager = strict(sound()).observer(changes.clone());
    let manager = manager.build(&platform(&machine)).unwrap();
    let bytes = weights(300_000);
    let shard = seal(&manager, "one", &bytes);
    *changes.changes.lock().unwrap() = Some(allocation_of(&machine, &bytes));
    let key = key();

    // The bytes change once all has been measured: what was measured is said.
    let attestation = manager.attest([&shard], challenge(), &key).unwrap();
    verify(&attestation, &key, &expecting(&[("one", &bytes)])).unwrap();

    let refused = manager.attest([&shard], challenge(), &key);

    assert!(
        matches!(refused, Err(Error::Tampered { .. })),
        "{refused:?}"
    );
    assert!(manager.stop_reason().is_some());
}

#[test]
fn a_region_that_was_opened_for_writing_gives_no_evidence() {
    let machine = card();
    let recorder = Recorder::new();
    let manager = strict(sound()).observer(recorder.clone());
    let manager = manager.build(&platform(&machine)).unwrap();
    let shard = seal(&manager, "one", &weights(300_000));
    let address = manager.verify(&shard).unwrap().permit.device_address();
    let address = address.unwrap().as_raw();
    Outsider::new(&machine).allow_writes(address, shard.mapped().0);

    let refused = manager.attest([&shard], challenge(), &key());

    assert!(matches!(refused, Err(Error::Policy(_))), "{refused:?}");
    assert!(manager.stop_reason().is_some());
    assert_eq!(recorder.count("policy_violation"), 1);
}

#[test]
fn a_card_that_has_failed_since_gives_no_evidence() {
    let machine = card();
    let witness = Arc::new(sound());
    let manager = strict(witness.clone()).build(&platform(&machine)).unwrap();
    let shard = seal(&manager, "one", b"weights");
    let fail = |card: &mut vram_sim::ManagedCardModel| {
        card.remapped_rows.as_mut().unwrap().failed = true;
    };
    witness.library().change(0, fail).unwrap();

    let refused = manager.attest([&shard], challenge(), &key());

    assert!(matches!(refused, Err(Error::Policy(_))), "{refused:?}");
    assert!(manager.stop_reason().is_some());
}

#[test]
fn a_lost_device_gives_no_evidence_and_stops_the_manager() {
    let machine = card();
    let manager = strict(sound()).build(&platform(&machine)).unwrap();
    let shard = seal(&manager, "one", b"weights");
    machine.lose_context(0).unwrap();

    let refused = manager.attest([&shard], challenge(), &key());

    assert!(matches!(refused, Err(Error::Memory(_))), "{refused:?}");
    assert!(manager.stop_reason().is_some());
}

#[test]
fn a_stopped_manager_never_attests_nor_measures() {
    let machine = card();
    let witness = Arc::new(sound());
    let manager = strict(witness.clone()).build(&platform(&machine)).unwrap();
    let shard = seal(&manager, "one", b"weights");
    manager.stop("enough");
    let looks = witness.looks_at_host();

    let refused = manager.attest([&shard], challenge(), &key());

    assert!(matches!(refused, Err(Error::Stopped { .. })), "{refused:?}");
    assert_eq!(witness.looks_at_host(), looks);
}

/// Stops the manager while it is asked about the card for the evidence.
#[derive(Debug)]
struct Stops {
    told: vram_sim::SimulatedWitness,
    manager: Mutex<Option<Manager>>,
    /// Questions left until then.
    questions: AtomicUsize,
}

impl Witness for Stops {
    fn host(&self) -> HostFacts {
        self.told.host()
    }

    fn management(&self, card: &Card<'_>) -> ManagementFacts {
        if let Some(manager) = &*self.manager.lock().unwrap()
            && self.questions.fetch_sub(1, Ordering::Relaxed) == 1
        {
            manager.stop("somebody else's failure");
        }
        self.told.management(card)
    }
}

/// Covers: CI-007.
#[test]
fn a_manager_that_is_stopped_meanwhile_signs_nothing() {
    // When it is looked at again, when all is measured, and when all is verified and its card is asked.
    for questions in [1, 2, 3] {
        let machine = card();
        let witness = Arc::new(Stops {
            told: sound(),
            manager: Mutex::default(),
            questions: AtomicUsize::new(questions),
        });
        let manager = strict(witness.clone()).build(&platform(&machine)).unwrap();
        let shard = seal(&manager, "one", b"weights");
        *witness.manager.lock().unwrap() = Some(manager.clone());

        let refused = manager.attest([&shard], challenge(), &key());

        assert!(matches!(refused, Err(Error::Stopped { .. })), "{refused:?}");
        assert_eq!(witness.questions.load(Ordering::Relaxed), 0);
        *witness.manager.lock().unwrap() = None;
    }
}

#[test]
fn what_can_not_be_subjects_is_refused_before_anything_is_looked_at() {
    let machine = card();
    let witness = Arc::new(sound());
    let manager = strict(witness.clone()).build(&platform(&machine)).unwrap();
    let shard = seal(&manager, "one", b"weights");
    let looks = witness.looks_at_host();

    let none: [&SealedShard; 0] = [];
    let none = manager.attest(none, challenge(), &key()).unwrap_err();
    let twice = manager.attest([&shard, &shard], challenge(), &key());

    assert!(none.to_string().contains("0 subjects"), "{none}");
    assert!(
        twice
            .unwrap_err()
            .to_string()
            .contains("the name of one before it")
    );
    assert_eq!(witness.looks_at_host(), looks);
    assert_eq!(manager.stop_reason(), None);
}

#[test]
fn another_managers_shard_gets_no_evidence() {
    let (machine, elsewhere) = (card(), card());
    let manager = strict(sound()).build(&platform(&machine)).unwrap();
    let other = strict(sound()).build(&platform(&elsewhere)).unwrap();
    let shard = seal(&other, "one", b"weights");

    let refused = manager.attest([&shard], challenge(), &key());

    assert!(matches!(refused, Err(Error::Foreign { .. })), "{refused:?}");
}

fn confidential(enabled: bool) -> vram_sim::SimulatedWitness {
    unsound(|card| {
        card.confidential = Some(ConfidentialSettings {
            enabled,
            developer_tools: false,
        });
        card.confidential_ready = Some(true);
    })
}

fn attestation_of(witness: impl Witness + 'static) -> Attestation {
    let machine = card();
    let manager = strict(witness).policy(Policy::development());
    let manager = manager.build(&platform(&machine)).unwrap();
    let shard = seal(&manager, "one", b"weights");
    manager.attest([&shard], challenge(), &key()).unwrap()
}

#[test]
fn a_confidential_cards_report_is_carried_and_bound_to_the_statement() {
    let attestation = attestation_of(confidential(true));

    let statement = attestation.statement();
    let carried = statement.predicate().confidential_compute.clone().unwrap();
    let ConfidentialCompute::Report {
        developer_tools: false,
        nonce,
        report,
        certificate_chain,
    } = carried
    else {
        panic!("{carried:?}");
    };
    assert_eq!(nonce, statement.confidential_compute_nonce().unwrap());
    assert!(
        report.as_bytes().ends_with(&nonce),
        "the card was asked with it"
    );
    assert!(!certificate_chain.as_bytes().is_empty());
}

#[test]
fn where_there_is_no_report_the_evidence_says_why() {
    for (witness, why) in [
        (confidential(false), "is off"),
        (
            unsound(|card| card.confidential = None),
            "no confidential computing to ask about",
        ),
    ] {
        let attestation = attestation_of(witness);

        let statement = attestation.statement().predicate();
        let carried = statement.confidential_compute.clone().unwrap();
        let ConfidentialCompute::None { reason } = carried else {
            panic!("{carried:?}");
        };
        assert!(reason.contains(why), "{reason}");
    }
}

#[test]
fn a_question_that_failed_is_not_none_in_the_evidence() {
    for fault in ManagementFault::ALL {
        let witness = confidential(true);
        let asked = ManagementFunction::nvmlSystemGetConfComputeSettings;
        witness.library().fail_always(asked, *fault);

        let attestation = attestation_of(witness);

        let statement = attestation.statement().predicate();
        let carried = statement.confidential_compute.clone().unwrap();
        match carried {
            ConfidentialCompute::None { .. } => assert_eq!(*fault, ManagementFault::NotSupported),
            ConfidentialCompute::Failed { reason } => {
                assert_ne!(*fault, ManagementFault::NotSupported);
                assert!(reason.contains(asked.name()), "{reason}");
            }
            report => panic!("{report:?}"),
        }
    }
    let attestation = attestation_of(blind());
    let carried = attestation.statement().predicate();
    let carried = carried.confidential_compute.clone().unwrap();
    let ConfidentialCompute::Failed { reason } = carried else {
        panic!("{carried:?}");
    };
    assert!(reason.contains("could not be loaded"), "{reason}");
}

#[test]
fn a_debugging_mode_is_carried_beside_the_report() {
    let attestation = attestation_of(unsound(|card| {
        card.confidential = Some(ConfidentialSettings {
            enabled: true,
            developer_tools: true,
        });
    }));

    let statement = attestation.statement().predicate();
    let carried = statement.confidential_compute.clone().unwrap();

    assert!(
        matches!(
            carried,
            ConfidentialCompute::Report {
                developer_tools: true,
                ..
            }
        ),
        "{carried:?}"
    );
}

#[test]
fn a_confidential_card_that_gives_no_report_gets_no_evidence() {
    for function in [
        ManagementFunction::nvmlDeviceGetConfComputeGpuAttestationReport,
        ManagementFunction::nvmlDeviceGetConfComputeGpuCertificate,
    ] {
        let machine = card();
        let witness = Arc::new(confidential(true));
        witness
            .library()
            .fail_nth(function, 1, ManagementFault::Unknown);
        let manager = strict(witness.clone()).build(&platform(&machine)).unwrap();
        let shard = seal(&manager, "one", b"weights");

        let refused = manager.attest([&shard], challenge(), &key()).unwrap_err();

        assert!(
            matches!(refused, Error::CardAttestation { .. }),
            "{refused}"
        );
        assert!(refused.to_string().contains(function.name()), "{refused}");
        // Nothing is wrong with the shards: it may be asked again.
        assert_eq!(manager.stop_reason(), None);
        assert!(manager.attest([&shard], challenge(), &key()).is_ok());
    }
}

/// A witness that was written before there were attestations.
#[derive(Debug)]
struct Silent(vram_sim::SimulatedWitness);

impl Witness for Silent {
    fn host(&self) -> HostFacts {
        self.0.host()
    }

    fn management(&self, card: &Card<'_>) -> ManagementFacts {
        self.0.management(card)
    }
}

/// A witness whose card gives a report of any length.
#[derive(Debug)]
struct Talkative(vram_sim::SimulatedWitness, usize);

impl Witness for Talkative {
    fn host(&self) -> HostFacts {
        self.0.host()
    }

    fn management(&self, card: &Card<'_>) -> ManagementFacts {
        self.0.management(card)
    }

    fn attestation(&self, _: &Card<'_>, _: &[u8; 32]) -> Answer<CardAttestation> {
        Ok(CardAttestation {
            report: vec![1; self.1],
            certificates: vec![1],
        })
    }
}

#[test]
fn a_witness_that_can_not_ask_a_confidential_card_closes() {
    let attest = |witness: Arc<dyn Witness>| {
        let machine = card();
        let manager = strict(witness).build(&platform(&machine)).unwrap();
        let shard = seal(&manager, "one", b"weights");
        manager.attest([&shard], challenge(), &key()).map(drop)
    };

    let silent = attest(Arc::new(Silent(confidential(true))));
    assert!(
        matches!(silent, Err(Error::CardAttestation { .. })),
        "{silent:?}"
    );
    for len in [0, (64 << 10) + 1] {
        let talkative = attest(Arc::new(Talkative(confidential(true), len)));
        assert!(matches!(talkative, Err(Error::Seal(_))), "{talkative:?}");
    }
    attest(Arc::new(Talkative(confidential(true), 64 << 10))).unwrap();
}

/// Covers: MS-001.
#[test]
fn evidence_holds_no_address_and_no_secret() {
    let machine = card();
    let manager = strict(sound()).build(&platform(&machine)).unwrap();
    let shard = seal(&manager, "one", &weights(600_000));
    let address = manager.verify(&shard).unwrap().permit.device_address();
    let address = address.unwrap().as_raw();
    let key = key();

    let attestation = manager.attest([&shard], challenge(), &key).unwrap();

    let payload = String::from_utf8(attestation.statement().to_json().unwrap()).unwrap();
    let shown = format!("{payload} {attestation:?}");
    let tag = format!("{:?}", shard.sealed_record().tag);
    let seal_key: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    for secret in [format!("{address:x}"), address.to_string(), seal_key, tag] {
        assert!(!shown.contains(&secret), "{secret}");
    }
}

#[test]
fn evidence_is_told_with_its_hash_its_challenge_and_its_key() {
    let machine = card();
    let recorder = Recorder::new();
    let manager = strict(sound()).observer(recorder.clone());
    let manager = manager.build(&platform(&machine)).unwrap();
    let shard = seal(&manager, "one", b"weights");
    let key = key();
    recorder.forget();

    let attestation = manager.attest([&shard], challenge(), &key).unwrap();

    assert_eq!(recorder.names(), ["rechecked", "verified", "evidence_made"]);
    let told = recorder.told("evidence_made").remove(0);
    let statement = attestation.statement().to_json().unwrap();
    assert_eq!(told["statement"], Digest::of(&statement).to_string());
    assert_eq!(told["challenge"], challenge().to_string());
    assert_eq!(told["key_id"], key.verifying_key().id().to_string());
    assert_eq!(told["shards"], 1);
}

/// Can keep everything but that evidence was made.
#[derive(Debug)]
struct Forgetful;

impl Observer for Forgetful {
    fn on_event(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        match event {
            Event::EvidenceMade { .. } => Err("the disk is full".into()),
            _ => Ok(()),
        }
    }
}

#[test]
fn evidence_that_can_not_be_recorded_is_not_given_out() {
    let machine = card();
    let manager = strict(sound()).observer(Arc::new(Forgetful));
    let manager = manager.build(&platform(&machine)).unwrap();
    let shard = seal(&manager, "one", b"weights");

    let refused = manager.attest([&shard], challenge(), &key());

    assert!(
        matches!(refused, Err(Error::Unrecorded { .. })),
        "{refused:?}"
    );
    assert!(manager.stop_reason().is_some());
}
