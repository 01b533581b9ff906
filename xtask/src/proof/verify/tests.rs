use std::fs;
use std::path::Path;

use vram_seal::{SignatureAlgorithm, SigningKey};

use super::super::campaigns::Attempt;
use super::super::files::{
    CAMPAIGNS, COVERAGE, DOC_TESTS, ENVIRONMENT, GPU_RESULTS, JUNIT, LOCK, NEXTEST, PAGE, PROPTEST,
    REQUIREMENTS, SBOM, SPEC_COVERAGE,
};
use super::super::model::Run;
use super::super::results::Proptest;
use super::super::{fixture, gpu_run, junit, run};
use super::*;
use crate::campaign::KINDS;

const CATALOGUE: &str = r#"
[[requirement]]
id = "FN-2.1"
doc = "00_vram-residency"
section = "§2 Core operations"
title = "Seal model in VRAM"
means = "It is sealed."
tests = ["vram-seal tag::tests::good"]

[[requirement]]
id = "FN-3.1"
doc = "00_vram-residency"
section = "§3 VRAM management"
title = "Allocate VRAM"
means = "It is allocated."
device = true
tests = ["vram-tests::drivers freezing::left"]

[[vulnerability]]
id = "VU-1"
doc = "20_security"
section = "Vulnerabilities"
title = "Seal forgery"
means = "It is refused."
severity = "CRITICAL"
mitigation = "HMAC-SHA256"
tests = ["vram-seal tag::tests::bad"]
"#;

fn key() -> SigningKey {
    SigningKey::generate(SignatureAlgorithm::Ed25519).unwrap()
}

/// The data files of a run with a failing and a skipped test, and with a run on a GPU.
fn data(key: &SigningKey) -> (Files, Run) {
    let fixture = fixture::bundle();
    let run = Run {
        schema: read::SCHEMA.to_owned(),
        commit: gpu_run::tests::COMMIT.to_owned(),
        signer: super::super::model::Signer {
            key_id: key.verifying_key().id().to_string(),
            given: true,
        },
        ..fixture.run
    };
    let mut files = Files::default();
    files
        .insert_json(ENVIRONMENT, &fixture.environment)
        .unwrap();
    files.insert(JUNIT, junit::tests::REPORT);
    files.insert(
        DOC_TESTS,
        "   Doc-tests vram_seal\nrunning 1 test\ntest src/lib.rs - (line 7) ... ok\n",
    );
    files.insert(GPU_RESULTS, gpu_run::tests::results(gpu_run::tests::COMMIT));
    files.insert(REQUIREMENTS, CATALOGUE);
    files.insert(LOCK, "version = 4\n");
    files.insert(NEXTEST, "[profile.proof]\n");
    files.insert(SBOM, "{}\n");
    files.insert(
        "features/a.feature",
        "Feature: A\n\n  Scenario: b\n    Given x\n",
    );
    files.insert_json(PROPTEST, &Proptest::default()).unwrap();
    let campaigns = KINDS.map(|kind| Attempt::not_done(kind, "it was left out"));
    files.insert_json(CAMPAIGNS, &campaigns).unwrap();
    let coverage = serde_json::json!({"tool": "t 1", "files": [
        {"path": "crates/vram-seal/src/tag.rs", "package": "vram-seal", "lines": {"all": 10, "covered": 9}}
    ]});
    files.insert_json(COVERAGE, &coverage).unwrap();
    (files, run)
}

/// A bundle in a folder, as a run leaves it.
fn bundle(key: &SigningKey) -> (tempfile::TempDir, std::path::PathBuf) {
    let (mut files, run) = data(key);
    run::finish(&mut files, &run, key).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("bundle");
    files.write(&folder).unwrap();
    (parent, folder)
}

fn problems(folder: &Path) -> Vec<String> {
    verify(folder, None).problems
}

fn change(folder: &Path, name: &str, change: impl FnOnce(String) -> String) {
    let path = folder.join(name);
    let text = fs::read_to_string(&path).unwrap();
    let changed = change(text.clone());
    assert_ne!(text, changed, "nothing to change in {name}");
    fs::write(path, changed).unwrap();
}

/// Lists and signs a folder's files again, with pages and results as they are there.
fn remake_manifest(folder: &Path) {
    let files = Files::read(folder).unwrap();
    let run: Run = files.required(RUN).unwrap();
    let manifest = Manifest::of(&files, &run);
    fs::write(folder.join(MANIFEST), files::json(&manifest).unwrap()).unwrap();
}

fn sign_again(folder: &Path, key: &SigningKey) {
    remake_manifest(folder);
    let files = Files::read(folder).unwrap();
    let bundle = read::read(&files).unwrap();
    let statement = sign::statement(&bundle, &files).unwrap();
    fs::write(folder.join(SIGNATURE), sign::sign(&statement, key).unwrap()).unwrap();
}

fn named(problems: &[String], beginning: &str) -> bool {
    problems
        .iter()
        .any(|problem| problem.starts_with(beginning))
}

#[test]
fn a_bundle_as_it_was_made_adds_up_whatever_its_tests_came_to() {
    let key = key();
    let (_parent, folder) = bundle(&key);

    let verified = verify(&folder, Some(key.verifying_key()));

    assert!(verified.adds_up, "{:?}", verified.problems);
    assert_eq!(verified.verdict, Some(Verdict::Failed));
    assert!(problems(&folder).is_empty());
}

#[test]
fn a_changed_byte_in_any_file_is_found_and_the_file_named() {
    let key = key();
    let (_parent, folder) = bundle(&key);
    let names: Vec<String> = Files::read(&folder)
        .unwrap()
        .iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    assert!(names.len() > 15, "{names:?}");

    for name in &names {
        let path = folder.join(name);
        let original = fs::read(&path).unwrap();
        for at in [0, original.len() / 2, original.len() - 1] {
            let mut changed = original.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();

            let found = problems(&folder);

            let about_it = |problem: &String| problem.contains(name.as_str());
            assert!(found.iter().any(about_it), "{name}, byte {at}: {found:?}");
        }
        fs::write(&path, &original).unwrap();
    }
    assert!(problems(&folder).is_empty());
}

#[test]
fn a_file_that_was_added_or_removed_is_named() {
    let (_parent, folder) = bundle(&key());
    fs::write(folder.join("extra.txt"), "").unwrap();
    fs::remove_file(folder.join(SBOM)).unwrap();

    let found = problems(&folder);

    assert!(named(&found, "extra.txt: it was added"), "{found:?}");
    assert!(named(&found, "sbom.cdx.json: it is missing"), "{found:?}");
}

#[test]
fn an_empty_folder_that_was_added_is_named() {
    let (_parent, folder) = bundle(&key());
    fs::create_dir(folder.join("extra")).unwrap();
    fs::create_dir_all(folder.join("features/more/below")).unwrap();

    let found = problems(&folder);

    assert_eq!(found.len(), 2, "{found:?}");
    assert!(named(&found, "extra/: it was added"), "{found:?}");
    assert!(
        named(&found, "features/more/below/: it was added"),
        "{found:?}"
    );
}

#[test]
fn what_was_left_out_is_found_even_if_it_is_signed_again() {
    let key = key();
    for name in [
        PAGE,
        SPEC_COVERAGE,
        SBOM,
        PROPTEST,
        CAMPAIGNS,
        LOCK,
        NEXTEST,
        DOC_TESTS,
    ] {
        let (_parent, folder) = bundle(&key);
        fs::remove_file(folder.join(name)).unwrap();
        sign_again(&folder, &key);

        let found = problems(&folder);

        assert!(
            named(&found, &format!("{name}: it is missing")),
            "{found:?}"
        );
    }
}

#[test]
fn a_stage_that_was_left_out_is_found_even_if_it_is_signed_again() {
    let key = key();
    let (_parent, folder) = bundle(&key);
    let run: Run = Files::read(&folder).unwrap().required(RUN).unwrap();
    let mut without = run;
    without.stages.retain(|stage| stage.name != "doc tests");
    fs::write(folder.join(RUN), files::json(&without).unwrap()).unwrap();
    sign_again(&folder, &key);

    let found = problems(&folder);

    assert!(
        named(&found, "run.json: there is no stage \"doc tests\""),
        "{found:?}"
    );
}

#[test]
fn a_campaign_that_passed_without_a_report_is_found_even_if_it_is_signed_again() {
    let key = key();
    let (_parent, folder) = bundle(&key);
    change(&folder, CAMPAIGNS, |text| {
        text.replacen("not-done", "passed", 1)
    });
    sign_again(&folder, &key);

    let found = problems(&folder);

    assert!(
        found
            .iter()
            .any(|problem| problem.contains("passed without a report")),
        "{found:?}"
    );
}

#[test]
fn what_a_run_says_of_itself_has_the_form_that_a_run_gives_it() {
    let key = key();
    for (field, text) in [
        ("date", "2026-01-31T23:59:59Z\\n\\n<!--"),
        ("date", "2026-01-31T23:59:58Z"),
        ("date", "yesterday"),
        ("id", "20260131-235959-76543210"),
        ("commit", "HEAD"),
        ("commit", "0123456789abcdef0123456789abcdef01234567~25"),
        ("commit", "0123456789ABCDEF0123456789ABCDEF01234567"),
        ("commit", "--output=0123456"),
    ] {
        let (_parent, folder) = bundle(&key);
        let pattern = format!(r#""{field}": "[^"]*""#);
        let pattern = regex::Regex::new(&pattern).unwrap();
        change(&folder, RUN, |run| {
            let replaced = format!(r#""{field}": "{text}""#);
            pattern
                .replace(&run, regex::NoExpand(&replaced))
                .into_owned()
        });
        remake_manifest(&folder);

        let found = problems(&folder);

        assert!(
            named(&found, "its pages can't be computed: run.json: "),
            "{field} {text}: {found:?}"
        );
    }
}

#[test]
fn the_run_on_a_gpu_names_a_whole_commit() {
    let (_parent, folder) = bundle(&key());
    change(&folder, GPU_RESULTS, |results| {
        results.replace(gpu_run::tests::COMMIT, "HEAD")
    });
    remake_manifest(&folder);

    let found = problems(&folder);

    let beginning = "its pages can't be computed: gpu-results.json: ";
    assert!(named(&found, beginning), "{found:?}");
}

#[test]
fn a_result_that_was_turned_is_found_under_a_new_manifest_with_the_old_signature() {
    let (_parent, folder) = bundle(&key());
    change(&folder, RESULTS, |text| {
        text.replacen("\"outcome\":\"failed\"", "\"outcome\":\"passed\"", 1)
    });
    remake_manifest(&folder);

    let found = problems(&folder);

    assert!(
        named(
            &found,
            "results.ndjson: it is not what the test runners' own files say: line 1"
        ),
        "{found:?}"
    );
    assert!(
        named(&found, "spec_coverage.md: it is not what the data comes to"),
        "{found:?}"
    );
    assert!(
        named(&found, "manifest.dsse.json: it is about another manifest"),
        "{found:?}"
    );
    assert!(
        named(
            &found,
            "manifest.dsse.json: it says that vram-seal tag::tests::bad (host) failed"
        ),
        "{found:?}"
    );
}

#[test]
fn a_result_that_was_turned_is_found_even_if_it_is_signed_again() {
    let key = key();
    let (_parent, folder) = bundle(&key);
    change(&folder, RESULTS, |text| {
        text.replacen("\"outcome\":\"failed\"", "\"outcome\":\"passed\"", 1)
    });
    sign_again(&folder, &key);

    let found = problems(&folder);

    assert!(named(&found, "results.ndjson: it is not what"), "{found:?}");
}

#[test]
fn a_page_that_was_edited_is_found_even_if_it_is_signed_again() {
    let key = key();
    for (name, from, to) in [
        (SPEC_COVERAGE, "❌ FAILED", "✅ passed"),
        (PAGE, "</", "<!-- --></"),
    ] {
        let (_parent, folder) = bundle(&key);
        change(&folder, name, |text| text.replacen(from, to, 1));
        sign_again(&folder, &key);

        let found = problems(&folder);

        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            named(
                &found,
                &format!("{name}: it is not what the data comes to: line")
            ),
            "{found:?}"
        );
    }
}

#[test]
fn a_signature_by_another_key_than_the_given_one_is_refused() {
    let (_parent, folder) = bundle(&key());

    let found = verify(&folder, Some(key().verifying_key())).problems;

    assert!(
        named(&found, "manifest.dsse.json: it is not signed by the key"),
        "{found:?}"
    );
}

#[test]
fn a_bundle_signed_anew_by_someone_else_shows_it_under_the_key_that_was_trusted() {
    let trusted = key();
    let other = key();
    let (_parent, folder) = bundle(&other);

    assert!(problems(&folder).is_empty());
    assert!(!verify(&folder, Some(trusted.verifying_key())).adds_up);
}

#[test]
fn the_given_key_must_be_the_one_that_the_pages_name() {
    let trusted = key();
    let (_parent, folder) = bundle(&key());
    sign_again(&folder, &trusted);

    let found = verify(&folder, Some(trusted.verifying_key())).problems;

    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        named(&found, "signer.pub.pem: it is not the key"),
        "{found:?}"
    );
}

#[test]
fn the_key_of_the_bundle_must_be_the_one_that_the_run_names() {
    let (_parent, folder) = bundle(&key());
    fs::write(
        folder.join(SIGNER),
        key().verifying_key().to_spki_pem().unwrap(),
    )
    .unwrap();

    let found = problems(&folder);

    assert!(
        named(&found, "signer.pub.pem: it is not the key"),
        "{found:?}"
    );
}

#[test]
fn a_manifest_that_names_another_commit_is_found() {
    let key = key();
    let (_parent, folder) = bundle(&key);
    change(&folder, MANIFEST, |text| {
        text.replacen("\"dirty\": true", "\"dirty\": false", 1)
    });

    let found = problems(&folder);

    assert!(
        named(&found, "manifest.json: it is of another run"),
        "{found:?}"
    );
}

#[test]
fn a_folder_that_is_no_bundle_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();

    let found = problems(folder.path());

    assert!(named(&found, "there is no manifest.json"), "{found:?}");
    assert!(!verify(&folder.path().join("nowhere"), None).adds_up);
}

#[test]
fn statuses_follow_from_the_results_on_both_drivers() {
    let (mut files, run) = data(&key());
    run::finish(&mut files, &run, &key()).unwrap();

    let bundle = read::read(&files).unwrap();

    let specification = &bundle.specifications[0];
    assert_eq!(
        (specification.counts.total, specification.counts.passed),
        (2, 2)
    );
    assert_eq!(
        bundle.vulnerabilities[0].status,
        super::super::model::Status::Failed
    );
    assert_eq!(bundle.features[0].counts.not_run, 1);
}
