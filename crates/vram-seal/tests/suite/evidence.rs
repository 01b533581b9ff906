//! Evidence: what is accepted, and that each thing that is not as expected is refused and named.

use std::time::Duration;

use serde_json::Value;
use vram_seal::{
    Digest, Error, ExpectedFrom, HashPlan, Salt, SignatureAlgorithm, SigningKey, StatementRefusal,
    Subject, VerityDigest,
    dsse::Envelope,
    evidence::{
        Challenge, ConfidentialCompute, EnvelopeForm, Evidence, EvidenceFailure, EvidenceStatement,
        Expectations, ExpectedShard, FailureKind, FindingEnforcement, FindingStatus, MAX_FINDINGS,
        PolicyFindings, PolicyVerdict, Profile, ResidencyVerdict, verify_evidence,
    },
    hash_bytes,
};

use crate::evidence_sample::{
    evidence, expectations, finding, key, shards, signed, signed_payload, statement, subjects,
};

/// What each failure says, for a document and what is expected of it.
pub(crate) fn failures(document: &[u8], expected: &Expectations) -> Vec<String> {
    match verify_evidence(document, key().verifying_key(), expected) {
        Ok(_) => Vec::new(),
        Err(refused) => refused.failures().map(ToString::to_string).collect(),
    }
}

/// One failure, which says this.
#[track_caller]
fn assert_refused_for(document: &[u8], expected: &Expectations, says: &str) {
    let failures = failures(document, expected);
    assert!(
        failures.len() == 1 && failures[0].contains(says),
        "{failures:#?}"
    );
}

#[track_caller]
fn assert_inconsistent(change: impl FnOnce(&mut Evidence), says: &str) {
    let mut evidence = evidence();
    change(&mut evidence);
    let error = EvidenceStatement::evidence(subjects(), evidence.clone()).unwrap_err();
    assert!(error.to_string().contains(says), "{error}");
    // Whoever signs it all the same is refused too.
    let mut document: Value = serde_json::from_slice(&statement().to_json().unwrap()).unwrap();
    document["predicate"] = serde_json::to_value(&evidence).unwrap();
    assert_refused_for(
        &signed_payload(&document.to_string()),
        &expectations(),
        says,
    );
}

#[test]
fn evidence_that_is_as_expected_is_accepted() {
    let document = signed(|_| {});
    let verified = verify_evidence(&document, key().verifying_key(), &expectations()).unwrap();
    assert_eq!(verified.statement(), &statement());
    assert_eq!(verified.signer(), key().verifying_key().id());
    assert_eq!(verified.ignored_signatures(), 0);
    assert!(verified.digests_were_compared() && verified.answer_was_recomputed());
}

#[test]
fn what_was_not_compared_is_not_said_to_have_been() {
    let document = signed(|_| {});
    let mut expected = expectations();
    for shard in expected.shards.as_mut().unwrap().values_mut() {
        shard.challenged_verity = None;
    }
    let verified = verify_evidence(&document, key().verifying_key(), &expected).unwrap();
    assert!(verified.digests_were_compared() && !verified.answer_was_recomputed());
    expected.shards = None;
    let verified = verify_evidence(&document, key().verifying_key(), &expected).unwrap();
    assert!(!verified.digests_were_compared() && !verified.answer_was_recomputed());
    let mut unasked = expectations();
    unasked.challenge = None;
    let verified = verify_evidence(&document, key().verifying_key(), &unasked).unwrap();
    assert!(!verified.answer_was_recomputed());
}

/// Covers: EV-1.
#[test]
fn evidence_by_another_key_is_refused_without_a_look_at_it() {
    let other = SigningKey::generate(SignatureAlgorithm::EcdsaP256Sha256).unwrap();
    let refused =
        verify_evidence(&signed(|_| {}), other.verifying_key(), &expectations()).unwrap_err();
    let failures: Vec<_> = refused.failures().collect();
    assert!(matches!(
        failures[..],
        [EvidenceFailure::Refused(Error::Envelope(_))]
    ));
    assert_refused_for(b"{}", &expectations(), "not a DSSE envelope");
}

/// Covers: EV-2.
#[test]
fn the_answer_to_another_challenge_is_refused() {
    let mut expected = expectations();
    expected.challenge = Some(Challenge::from_bytes(&[1; 32]).unwrap());
    assert_refused_for(&signed(|_| {}), &expected, "challenge: 00010203");
}

/// Covers: EV-2.
#[test]
fn evidence_that_is_too_old_or_from_the_future_is_refused() {
    let document = signed(|_| {});
    let mut expected = expectations();
    expected.max_age = Duration::from_secs(60);
    assert!(failures(&document, &expected).is_empty());
    expected.now += Duration::from_nanos(1);
    assert_refused_for(
        &document,
        &expected,
        "age: measured at 2026-01-01T00:00:00.25Z",
    );

    let mut early = expectations();
    early.now -= Duration::from_secs(60) + early.clock_skew;
    assert!(failures(&document, &early).is_empty());
    early.now -= Duration::from_nanos(1);
    assert_refused_for(&document, &early, "compare the clocks");
}

/// Covers: EV-4.
#[test]
fn a_simulated_device_is_refused_unless_it_was_accepted_by_name() {
    let document = signed(|evidence| {
        evidence.device.simulated = true;
        for shard in &mut evidence.shards {
            shard.residency.verdict = ResidencyVerdict::Unproven;
        }
    });
    let mut expected = expectations();
    expected.accept_unproven_residency = true;
    assert_refused_for(&document, &expected, "device: it is simulated");
    expected.accept_simulated = true;
    assert!(failures(&document, &expected).is_empty());
}

/// Covers: EV-4.
#[test]
fn only_a_policy_that_accepts_is_accepted() {
    let with = |status, enforcement| {
        signed(|evidence| {
            evidence.policy.findings[0].status = status;
            evidence.policy.findings[0].enforcement = enforcement;
        })
    };
    let mut usual = expectations();
    // What is required is to pass, whatever the policy makes of it.
    usual.required_findings.clear();
    let mut lenient = usual.clone();
    lenient.accept_warnings = true;
    for status in [FindingStatus::Fail, FindingStatus::Unknown] {
        let document = with(status, FindingEnforcement::Refuse);
        for expected in [&usual, &lenient] {
            assert_refused_for(&document, expected, &format!("device.own-memory {status}"));
        }
        let document = with(status, FindingEnforcement::Warn);
        assert_refused_for(&document, &usual, "accepted-with-warnings");
        assert!(failures(&document, &lenient).is_empty());
        let document = with(status, FindingEnforcement::Note);
        assert!(failures(&document, &usual).is_empty());
    }
    // What stands in the way is named, and nothing else.
    let document = signed(|evidence| {
        evidence.policy.findings[0].status = FindingStatus::Fail;
        evidence.policy.findings[1].status = FindingStatus::NotApplicable;
        let mut noted = finding("host.noted", None);
        noted.status = FindingStatus::Fail;
        noted.enforcement = FindingEnforcement::Note;
        evidence.policy.findings.push(noted);
    });
    let refused = failures(&document, &usual);
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert!(refused[0].contains("device.own-memory fail: IS_MANAGED 0"));
    for other in ["region.not-managed", "host.noted"] {
        assert!(!refused[0].contains(other), "{refused:#?}");
    }
    let none = signed(|evidence| evidence.policy.findings.clear());
    let failures = failures(&none, &lenient);
    assert!(
        failures[0].contains("policy: the verdict is undecided"),
        "{failures:#?}"
    );
    assert_eq!(failures.len(), 3, "and neither shard was looked at");
}

/// Covers: EV-4.
#[test]
fn a_policy_that_was_softened_is_refused() {
    let document = signed(|evidence| evidence.policy.profile = Profile::Standard);
    let mut expected = expectations();
    assert_refused_for(&document, &expected, "the profile standard judged");
    expected.least_profile = Profile::Development;
    assert!(failures(&document, &expected).is_empty());

    let document = signed(|evidence| {
        let finding = &mut evidence.policy.findings[1];
        finding.enforcement = FindingEnforcement::Note;
        finding.raised_or_lowered_from = Some(FindingEnforcement::Refuse);
    });
    assert_refused_for(
        &document,
        &expected,
        "region.not-managed was lowered from refuse to note",
    );
    expected.accept_lowered_checks = true;
    assert!(failures(&document, &expected).is_empty());
}

#[test]
fn a_shard_that_no_check_looked_at_is_refused() {
    let mut expected = expectations();
    expected.required_findings.clear();
    let document = signed(|evidence| drop(evidence.policy.findings.pop()));

    assert_refused_for(&document, &expected, "no finding is about shard model:1");
}

#[test]
fn what_was_expected_must_come_from_where_it_is_asked_for() {
    let mut expected = expectations();
    expected.expected_from = Some([ExpectedFrom::ModelSignature].into());
    assert!(failures(&signed(|_| {}), &expected).is_empty());

    for (source, word) in [
        (
            ExpectedFrom::None,
            "model:1 was sealed against came from: none",
        ),
        (ExpectedFrom::Caller, "came from: caller"),
    ] {
        let document = signed(|evidence| evidence.shards[1].expected_from = source);
        assert_refused_for(&document, &expected, word);
        assert!(failures(&document, &expectations()).is_empty());
    }
}

#[test]
fn no_rate_of_a_simulated_device_shows_anything() {
    for verdict in [ResidencyVerdict::Proven, ResidencyVerdict::Contradicted] {
        let mut evidence = evidence();
        evidence.device.simulated = true;
        for shard in &mut evidence.shards {
            shard.residency.verdict = verdict;
        }
        let refused = EvidenceStatement::evidence(subjects(), evidence).unwrap_err();
        assert!(
            refused.to_string().contains("simulated device"),
            "{refused}"
        );
    }
}

#[test]
fn a_required_check_must_have_looked_at_every_shard() {
    let mut expected = expectations();
    expected
        .required_findings
        .insert("device.ecc-mode".to_owned());
    assert_refused_for(
        &signed(|_| {}),
        &expected,
        "the check device.ecc-mode was required, and there is no finding of it",
    );
    let document = signed(|evidence| {
        let last = evidence.policy.findings.last_mut().unwrap();
        "region.read-only".clone_into(&mut last.id);
    });
    assert_refused_for(
        &document,
        &expectations(),
        "region.not-managed was required for shard model:1, and there is no finding of it",
    );
}

/// Covers: EV-4.
#[test]
fn a_rate_that_contradicts_residency_is_never_accepted() {
    let with = |verdict| signed(move |evidence| evidence.shards[1].residency.verdict = verdict);
    let mut lenient = expectations();
    lenient.accept_unproven_residency = true;
    let unproven = with(ResidencyVerdict::Unproven);
    assert_refused_for(
        &unproven,
        &expectations(),
        "of shard model:1 it is unproven",
    );
    assert!(failures(&unproven, &lenient).is_empty());
    let contradicted = with(ResidencyVerdict::Contradicted);
    for expected in [expectations(), lenient] {
        assert_refused_for(
            &contradicted,
            &expected,
            "of shard model:1 it is contradicted",
        );
    }
}

/// Covers: EV-3.
#[test]
fn the_shards_are_exactly_the_expected_ones() {
    let document = signed(|_| {});
    let mut fewer = expectations();
    fewer.shards.as_mut().unwrap().pop_last();
    assert_refused_for(
        &document,
        &fewer,
        "shard model:1 is in the evidence and not expected",
    );

    let mut more = expectations();
    let any = more
        .shards
        .as_ref()
        .unwrap()
        .values()
        .next()
        .unwrap()
        .clone();
    more.shards
        .as_mut()
        .unwrap()
        .insert("model:2".parse().unwrap(), any);
    assert_refused_for(&document, &more, "shard model:2 is not in the evidence");
}

/// Covers: EV-3.
#[test]
fn every_digest_that_is_expected_is_compared() {
    let document = signed(|_| {});
    let with = |change: fn(&mut ExpectedShard)| {
        let mut expected = expectations();
        change(
            expected
                .shards
                .as_mut()
                .unwrap()
                .values_mut()
                .next()
                .unwrap(),
        );
        expected
    };
    for (expected, says) in [
        (
            with(|shard| shard.content = Some(Digest::of(b"x"))),
            "the content digest of shard model:0",
        ),
        (
            with(|shard| shard.verity = Some(VerityDigest::of(b"x"))),
            "the verity digest of",
        ),
        (
            with(|shard| shard.challenged_verity = Some(VerityDigest::of(b"x"))),
            "the verity digest with the challenge of",
        ),
        (
            with(|shard| shard.size = Some(1)),
            "the size in bytes of shard model:0 is 8192, 1",
        ),
        (
            with(|shard| *shard = Default::default()),
            "none is both expected and in the evidence",
        ),
    ] {
        assert_refused_for(&document, &expected, says);
    }
}

#[test]
fn one_digest_that_is_as_expected_is_enough() {
    let document = signed(|_| {});
    let only: [fn(&ExpectedShard) -> ExpectedShard; 3] = [
        |all| ExpectedShard {
            content: all.content,
            ..ExpectedShard::default()
        },
        |all| ExpectedShard {
            verity: all.verity,
            ..ExpectedShard::default()
        },
        |all| ExpectedShard {
            challenged_verity: all.challenged_verity,
            ..ExpectedShard::default()
        },
    ];
    for only in only {
        let mut expected = expectations();
        for shard in expected.shards.as_mut().unwrap().values_mut() {
            *shard = only(shard);
        }
        assert_eq!(failures(&document, &expected), [""; 0]);
    }
}

/// A subject whose file nobody hashed as a whole.
#[test]
fn a_shard_needs_no_content_digest() {
    let subjects =
        shards().map(|(name, bytes)| Subject::shard(&name, None, VerityDigest::of(&bytes)));
    EvidenceStatement::evidence(subjects.into(), evidence()).unwrap();
}

#[test]
fn evidence_holds_so_many_findings_and_no_more() {
    let with = |count: usize| {
        let mut evidence = evidence();
        let findings = vec![finding("device.own-memory", None); count];
        evidence.policy = PolicyFindings::new(Profile::Strict, findings);
        EvidenceStatement::evidence(subjects(), evidence)
    };
    with(MAX_FINDINGS).unwrap();
    for count in [MAX_FINDINGS + 1, 2 * MAX_FINDINGS] {
        let refused = with(count).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("{count} findings, the limit is 16384")),
            "{refused}"
        );
    }
}

#[test]
fn a_failure_names_the_shard_that_it_is_about() {
    let document = signed(|_| {});
    let mut expected = expectations();
    expected.shards.as_mut().unwrap().pop_last();
    expected.challenge = Some(Challenge::from_bytes(&[1; 32]).unwrap());
    let refused = verify_evidence(&document, key().verifying_key(), &expected).unwrap_err();

    let about: Vec<_> = (refused.failures())
        .filter_map(EvidenceFailure::shard)
        .map(ToString::to_string)
        .collect();

    assert_eq!(about, ["model:1"]);
    assert_eq!(refused.failures().count(), 2, "{refused}");
}

#[test]
fn every_failure_is_named() {
    let document = signed(|evidence| {
        evidence.device.simulated = true;
        evidence.policy.findings[0].status = FindingStatus::Fail;
        for shard in &mut evidence.shards {
            shard.residency.verdict = ResidencyVerdict::Unproven;
        }
    });
    let mut expected = expectations();
    expected.challenge = Some(Challenge::from_bytes(&[1; 32]).unwrap());
    expected.now += Duration::from_secs(3600);
    expected.shards.as_mut().unwrap().pop_last();
    let refused = verify_evidence(&document, key().verifying_key(), &expected).unwrap_err();
    assert_eq!(refused.failures().count(), 8, "{refused}");
    assert_eq!(refused.to_string().lines().count(), 9);
}

#[test]
fn evidence_that_contradicts_itself_is_neither_made_nor_accepted() {
    assert_inconsistent(|e| drop(e.shards.pop()), "2 subjects and 1 measured shards");
    assert_inconsistent(
        |e| e.shards.swap(0, 1),
        "is measured where another is the subject",
    );
    assert_inconsistent(
        |e| e.shards[0].challenged_verity = VerityDigest::of(&shards()[0].1),
        "was not measured with the challenge",
    );
    assert_inconsistent(
        |e| e.shards[0].size_bytes = 1 << 53,
        "a size is 9007199254740992",
    );
    assert_inconsistent(
        |e| e.policy.verdict = PolicyVerdict::Refused,
        "add up to accepted",
    );
    assert_inconsistent(
        |e| e.policy.findings[0].status = FindingStatus::Fail,
        "is said to be accepted, its findings add up to refused",
    );
    assert_inconsistent(
        |e| e.policy.findings[1].shard = Some("other".parse().unwrap()),
        "shard other, which is no subject",
    );
    assert_inconsistent(
        |e| e.device.name = "a\nb".to_owned(),
        "device's name holds a control",
    );
    assert_inconsistent(
        |e| e.device.driver.clear(),
        "driver's version is 0 bytes long",
    );
    assert_inconsistent(
        |e| e.policy.findings[0].observed = "x".repeat(4097),
        "observation is 4097 bytes long",
    );
}

#[test]
fn a_devices_report_belongs_to_its_statement() {
    let report = |nonce| ConfidentialCompute::Report {
        developer_tools: false,
        nonce,
        report: vec![1; 100].into(),
        certificate_chain: vec![2; 100].into(),
    };
    let nonce = statement().confidential_compute_nonce().unwrap();
    let with = statement()
        .with_confidential_compute(report(nonce))
        .unwrap();
    assert_eq!(with.confidential_compute_nonce().unwrap(), nonce);
    let document = with.sign(&key()).unwrap().to_json().unwrap();
    assert!(failures(&document, &expectations()).is_empty());

    let mut other = nonce;
    other[31] ^= 1;
    assert_inconsistent(
        |e| e.confidential_compute = Some(report(other)),
        "its nonce differs",
    );
    assert_inconsistent(
        |e| {
            let found = finding("device.confidential-compute", None);
            e.policy.findings.push(found);
        },
        "found to be on, and is said not to be",
    );
    assert_inconsistent(
        |e| {
            let mut found = finding("device.confidential-compute", None);
            found.status = FindingStatus::Fail;
            found.enforcement = FindingEnforcement::Note;
            e.policy.findings.push(found);
            e.confidential_compute = Some(report(nonce));
        },
        "found to be off, and there is a report",
    );
    let document = signed(|evidence| evidence.confidential_compute = None);
    assert_refused_for(
        &document,
        &expectations(),
        "neither that there is a report nor why",
    );
}

/// Covers: EV-4.
#[test]
fn what_could_not_be_found_out_about_confidential_computing_is_refused_unless_it_is_accepted() {
    let reason = "the card is lost".to_owned();
    let failed = ConfidentialCompute::Failed { reason };
    let document = signed(|evidence| evidence.confidential_compute = Some(failed));
    assert_refused_for(&document, &expectations(), "(the card is lost)");

    let mut accepting = expectations();
    accepting.accept_unknown_confidential_compute = true;
    assert!(failures(&document, &accepting).is_empty());
}

/// Covers: EV-4.
#[test]
fn developer_tools_are_refused_unless_they_are_accepted() {
    let nonce = statement().confidential_compute_nonce().unwrap();
    let with = statement()
        .with_confidential_compute(ConfidentialCompute::Report {
            developer_tools: true,
            nonce,
            report: vec![1; 100].into(),
            certificate_chain: vec![2; 100].into(),
        })
        .unwrap();
    let document = with.sign(&key()).unwrap().to_json().unwrap();
    assert_refused_for(&document, &expectations(), "it is on with developer tools");

    let mut accepting = expectations();
    accepting.accept_developer_tools = true;
    assert!(failures(&document, &accepting).is_empty());
}

/// Covers: EV-4.
#[test]
fn a_required_check_that_did_not_pass_is_refused_however_it_counts() {
    let found = [
        FindingStatus::NotApplicable,
        FindingStatus::Warn,
        FindingStatus::Unknown,
        FindingStatus::Fail,
    ];
    for (id, of_shards) in [("device.own-memory", false), ("region.not-managed", true)] {
        for status in found {
            let document = signed(|evidence| {
                let findings = &mut evidence.policy.findings;
                for finding in findings.iter_mut().filter(|finding| finding.id == id) {
                    finding.status = status;
                    finding.enforcement = FindingEnforcement::Note;
                }
            });
            let mut expected = expectations();
            expected.required_findings = [id.to_owned()].into();

            let refused: Vec<_> = failures(&document, &expected);

            let said = format!("the check {id} was required");
            let result = format!("its finding is: {status}");
            let named = refused
                .iter()
                .filter(|failure| failure.contains(&said) && failure.contains(&result));
            let shards = if of_shards { shards().len() } else { 1 };
            assert_eq!(named.count(), shards, "{refused:?}");
            expected.required_findings.clear();
            assert!(failures(&document, &expected).is_empty());
        }
    }
}

#[test]
fn statements_of_other_types_and_members_that_are_not_known_are_refused() {
    let text = String::from_utf8(statement().to_json().unwrap()).unwrap();
    for (from, to, says) in [
        ("Statement/v1", "Statement/v2", "its _type is"),
        ("evidence.md#v1", "evidence.md#v2", "its predicateType is"),
        (
            "\"kernel\"",
            "\"more\":1,\"kernel\"",
            "unknown field `more`",
        ),
        (
            "\"driver\"",
            "\"more\":1,\"driver\"",
            "unknown field `more`",
        ),
        ("\"kind\"", "\"more\":1,\"kind\"", "unknown field `more`"),
        ("\"kernel\"", "\"kernel\":{},\"kernel\"", "\"kernel\" twice"),
        (
            ",\"confidentialCompute\":",
            ",\"confidentialC\":",
            "unknown field",
        ),
        ("\"mmu\"", "\"hope\"", "unknown variant"),
        ("\"sizeBytes\":8192", "\"sizeBytes\":-1", "invalid value"),
        (
            "\"fsverity_sha256\"",
            "\"fsverity\"",
            "has no fs-verity digest",
        ),
        (
            "\"name\":\"model:0\",\"digest\"",
            "\"name\":\"model:1\",\"digest\"",
            "the name of one before it",
        ),
        // in-toto ignores these; evidence has one form.
        ("\"name\"", "\"uri\":\"x\",\"name\"", "canonical form"),
        ("{\"_type\"", "{ \"_type\"", "canonical form"),
        ("\"sha256\"", "\"zzz\":\"x\",\"sha256\"", "canonical form"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert_refused_for(&signed_payload(&changed), &expectations(), says);
    }
    let none = text.replace(",\"confidentialCompute\":{\"kind\":\"none\",\"reason\":\"the device reports that it is off\"}", "");
    assert_ne!(none, text);
    assert_refused_for(
        &signed_payload(&none),
        &expectations(),
        "missing field `confidentialCompute`",
    );
    assert_refused_for(
        &signed_payload(&format!("{text}{text}")),
        &expectations(),
        "trailing",
    );
}

#[test]
fn a_statement_needs_subjects_with_digests() {
    let refused = |subjects: Vec<Subject>| match EvidenceStatement::new(subjects, evidence()) {
        Err(Error::Statement(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        refused(vec![]),
        StatementRefusal::Subjects { found: 0, .. }
    ));
    let bare: Subject = serde_json::from_str(r#"{"name":"a"}"#).unwrap();
    assert!(matches!(
        refused(vec![bare]),
        StatementRefusal::NoDigest { index: 0 }
    ));
    let one = subjects()[0].clone();
    assert!(matches!(
        refused(vec![one.clone(), one.clone()]),
        StatementRefusal::NameTwice { index: 1 }
    ));
    assert!(matches!(
        refused(vec![one; 4097]),
        StatementRefusal::Subjects { found: 4097, .. }
    ));
    let shard = |number: u32| {
        let name = format!("model:{number}").parse().unwrap();
        Subject::shard(&name, None, VerityDigest::of(b""))
    };
    EvidenceStatement::new((0..4096).map(shard).collect(), evidence()).unwrap();
    let upper: Subject = serde_json::from_str(&format!(
        r#"{{"digest":{{"sha256":"{}"}}}}"#,
        "AB".repeat(32)
    ))
    .unwrap();
    assert_eq!(upper.digests().sha256(), None);
}

#[test]
fn another_form_of_the_envelope_is_read_where_it_was_asked_for() {
    let document: Value = serde_json::from_slice(&signed(|_| {})).unwrap();
    let pretty = serde_json::to_vec_pretty(&document).unwrap();
    let mut renamed = document.clone();
    renamed["signatures"][0]["keyid"] = "0".repeat(64).into();
    let mut countersigned = Envelope::from_json(&signed(|_| {})).unwrap();
    let other = SigningKey::generate(SignatureAlgorithm::EcdsaP256Sha256).unwrap();
    countersigned.add_signature(&other).unwrap();

    let mut any = expectations();
    any.form = EnvelopeForm::AnyDsse;
    for document in [pretty, renamed.to_string().into_bytes()] {
        assert_refused_for(
            &document,
            &expectations(),
            "form: the envelope is not as it was",
        );
        assert!(failures(&document, &any).is_empty());
    }
    let countersigned = countersigned.to_json().unwrap();
    assert!(failures(&countersigned, &expectations()).is_empty());
    let verified = verify_evidence(&countersigned, key().verifying_key(), &expectations()).unwrap();
    assert_eq!(verified.ignored_signatures(), 1);
}

#[test]
fn what_was_signed_is_the_statement() {
    let document = signed(|_| {});
    let envelope = Envelope::from_json(&document).unwrap();

    let payload = envelope
        .verify(key().verifying_key(), "application/vnd.in-toto+json")
        .unwrap();

    assert_eq!(
        EvidenceStatement::from_payload(&payload).unwrap(),
        statement()
    );
}

#[test]
fn digests_that_were_computed_before_expect_what_the_bytes_do() {
    let bytes = [7; 5000];
    let challenge = Challenge::from_bytes(&[9; 32]).unwrap();
    let plain = hash_bytes(&bytes, HashPlan::BOTH, &Salt::none());
    let answer = hash_bytes(&bytes, HashPlan::VERITY, &challenge.salt());

    assert_eq!(
        ExpectedShard::of_digests(&plain, Some(&answer)),
        ExpectedShard::of_bytes(&bytes, Some(&challenge))
    );
    assert_eq!(
        ExpectedShard::of_digests(&plain, None),
        ExpectedShard::of_bytes(&bytes, None)
    );
}

#[test]
fn what_the_policy_is_the_matter_of_is_told_apart_from_what_the_evidence_is() {
    let of_policy = [
        FailureKind::Device,
        FailureKind::Policy,
        FailureKind::Residency,
        FailureKind::ConfidentialCompute,
    ];
    let of_evidence = [
        FailureKind::Signature,
        FailureKind::Form,
        FailureKind::Challenge,
        FailureKind::Age,
        FailureKind::Digests,
    ];

    assert!(of_policy.into_iter().all(FailureKind::is_of_policy));
    assert!(!of_evidence.into_iter().any(FailureKind::is_of_policy));
}
