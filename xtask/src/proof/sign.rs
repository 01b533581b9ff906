//! The signature: an in-toto Statement with the test-result predicate, about the manifest and the commit, in a
//! DSSE envelope.
//!
//! The predicate is [version 0.1](https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md).
//! Tests that were skipped are its warned ones.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use vram_seal::dsse::Envelope;
use vram_seal::statement::PAYLOAD_TYPE;
use vram_seal::{Predicate, SignatureAlgorithm, SigningKey, Statement, Subject, VerifyingKey};

use super::files::{FEATURES, Files, LOCK, MANIFEST, NEXTEST, PROPTEST, REQUIREMENTS};
use super::manifest::sha256;
use super::model::{Bundle, Driver, Outcome, Verdict};

/// The predicate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TestResult {
    result: Summary,
    /// What decided which tests there are and what they have to show.
    configuration: Vec<Descriptor>,
    passed_tests: Vec<String>,
    warned_tests: Vec<String>,
    failed_tests: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Summary {
    Passed,
    Warned,
    Failed,
}

/// in-toto's `ResourceDescriptor`, as far as it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Descriptor {
    name: String,
    digest: vram_seal::DigestSet,
}

impl Predicate for TestResult {
    const TYPE: &'static str = "https://in-toto.io/attestation/test-result/v0.1";
}

/// What is signed of a bundle, its manifest among its files.
pub(super) fn statement(bundle: &Bundle, files: &Files) -> anyhow::Result<Statement<TestResult>> {
    let manifest = files
        .get(MANIFEST)
        .with_context(|| format!("there is no {MANIFEST}"))?;
    let commit = if bundle.run.dirty {
        "commit, with changes"
    } else {
        "commit"
    };
    let subjects: Vec<Subject> = serde_json::from_value(json!([
        {"name": MANIFEST, "digest": {"sha256": sha256(manifest)}},
        {"name": commit, "digest": {"gitCommit": bundle.run.commit}},
    ]))?;
    let named = |outcome| {
        let tests = bundle.tests.iter().filter(|test| test.outcome == outcome);
        let named = tests.map(|test| {
            let driver = match test.driver {
                Driver::Host => "host",
                Driver::Simulated => "simulated",
                Driver::Gpu => &test.machine,
            };
            format!("{} ({driver})", test.id)
        });
        named.collect()
    };
    let predicate = TestResult {
        result: match bundle.conclusion.verdict {
            Verdict::Passed => Summary::Passed,
            Verdict::PassedWithReservations => Summary::Warned,
            Verdict::Failed => Summary::Failed,
        },
        configuration: configuration(files)?,
        passed_tests: named(Outcome::Passed),
        warned_tests: named(Outcome::Skipped),
        failed_tests: named(Outcome::Failed),
    };
    Ok(Statement::new(subjects, predicate)?)
}

fn configuration(files: &Files) -> anyhow::Result<Vec<Descriptor>> {
    let of_it = files.iter().filter(|(name, _)| {
        [REQUIREMENTS, LOCK, NEXTEST, PROPTEST].contains(name) || name.starts_with(FEATURES)
    });
    let described = of_it.map(|(name, content)| {
        Ok(Descriptor {
            name: name.to_owned(),
            digest: serde_json::from_value(json!({"sha256": sha256(content)}))?,
        })
    });
    described.collect()
}

/// The key to sign with: the one in a file, or one made on the spot, of which nothing but the public key stays.
pub(super) fn key(file: Option<&Path>) -> anyhow::Result<SigningKey> {
    let Some(file) = file else {
        return Ok(SigningKey::generate(SignatureAlgorithm::Ed25519)?);
    };
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("the signing key {shown} can't be read"))?;
    SigningKey::from_pkcs8_pem(&text)
        .with_context(|| format!("{shown} is no signing key; `vram keygen` makes one"))
}

/// The envelope, as it is written.
pub(super) fn sign(statement: &Statement<TestResult>, key: &SigningKey) -> anyhow::Result<Vec<u8>> {
    Ok(statement.sign(key)?.to_json()?)
}

/// What is wrong with a signature, each in one line.
pub(super) fn problems(
    document: &[u8],
    key: &VerifyingKey,
    expected: anyhow::Result<Statement<TestResult>>,
) -> Vec<String> {
    let envelope = match Envelope::from_json(document) {
        Ok(envelope) => envelope,
        Err(error) => return vec![format!("it is no envelope: {error}")],
    };
    let statement = match envelope.verify(key, PAYLOAD_TYPE) {
        Ok(payload) => Statement::<TestResult>::from_payload(&payload),
        Err(error) => return vec![format!("it is not signed by the key {}: {error}", key.id())],
    };
    let statement = match statement {
        Ok(statement) => statement,
        Err(error) => return vec![format!("what is signed is no test result: {error}")],
    };
    let mut problems = Vec::new();
    if !envelope.is_as_written(document) {
        problems.push("it was changed where the signature doesn't reach".to_owned());
    }
    let id = key.id().to_string();
    if envelope.claimed_key_ids().any(|claimed| claimed != id) {
        problems.push(format!("it names another key than {id}"));
    }
    match expected {
        Ok(expected) if expected == statement => {}
        Ok(expected) => problems.extend(differences(&statement, &expected)),
        Err(error) => problems.push(format!(
            "what should be signed can't be computed: {error:#}"
        )),
    }
    problems
}

/// What was signed beside what the files come to.
fn differences(signed: &Statement<TestResult>, expected: &Statement<TestResult>) -> Vec<String> {
    let mut differences = Vec::new();
    if signed.subjects() != expected.subjects() {
        differences.push(format!(
            "it is about another manifest or commit than those here ({MANIFEST})"
        ));
    }
    let (said, found) = (signed.predicate(), expected.predicate());
    if said.result != found.result {
        differences.push(format!(
            "it says {:?}, and the files come to {:?}",
            said.result, found.result
        ));
    }
    for (what, said, found) in [
        ("passed", &said.passed_tests, &found.passed_tests),
        ("skipped", &said.warned_tests, &found.warned_tests),
        ("failed", &said.failed_tests, &found.failed_tests),
    ] {
        if let Some(test) = said.iter().find(|test| !found.contains(test)) {
            differences.push(format!("it says that {test} {what}, and the results don't"));
        } else if let Some(test) = found.iter().find(|test| !said.contains(test)) {
            differences.push(format!(
                "the results say that {test} {what}, and it doesn't"
            ));
        }
    }
    if said.configuration != found.configuration {
        differences.push(
            "it names other requirements, features or dependencies than those here".to_owned(),
        );
    }
    differences
}
