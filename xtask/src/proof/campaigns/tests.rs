use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::campaign::FAULTS;

const COMMIT: &str = "0123456789abcdef";

fn faults(passed: &Value) -> Value {
    json!({"schema": FAULTS.schema, "passed": passed, "commit": {"id": COMMIT, "dirty": false}})
}

fn written(report: &Value) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    std::fs::write(&path, report.to_string()).unwrap();
    (folder, path)
}

fn read_one(report: &Value) -> Campaign {
    let mut files = Files::default();
    let attempt = Attempt::of_report(&FAULTS, report, &mut files).unwrap();
    files.insert_json(CAMPAIGNS, &[attempt]).unwrap();
    read(&files, COMMIT).unwrap().remove(0)
}

fn refusal(paths: &[PathBuf]) -> String {
    given(paths, COMMIT, false).unwrap_err().to_string()
}

#[test]
fn a_report_passes_only_where_it_says_so() {
    let outcome = |passed| read_one(&faults(&passed)).outcome;

    assert_eq!(outcome(json!(true)), CampaignOutcome::Passed);
    assert_eq!(outcome(json!(false)), CampaignOutcome::Failed);
    assert_eq!(outcome(json!("true")), CampaignOutcome::Failed);
    assert_eq!(outcome(Value::Null), CampaignOutcome::Failed);
}

#[test]
fn the_facts_are_the_reports_own() {
    let mut report = faults(&json!(true));
    report["flips"] = json!(1_000_000);

    let facts = read_one(&report).facts;

    assert_eq!(facts.len(), 1);
    assert_eq!((&*facts[0].name, &*facts[0].value), ("Flips", "1,000,000"));
}

#[test]
fn a_report_changed_afterwards_is_judged_again() {
    let mut files = Files::default();
    let attempt = Attempt::of_report(&FAULTS, &faults(&json!(true)), &mut files).unwrap();
    files.insert_json(CAMPAIGNS, &[attempt]).unwrap();
    files
        .insert_json("faults.json", &faults(&json!(false)))
        .unwrap();

    let outcome = |files: &Files| read(files, COMMIT).unwrap()[0].outcome;
    assert_eq!(outcome(&files), CampaignOutcome::Failed);

    let attempt = Attempt {
        file: Some("faults.json".to_owned()),
        ..Attempt::not_done(&FAULTS, "left out")
    };
    files.insert_json(CAMPAIGNS, &[attempt]).unwrap();
    assert_eq!(outcome(&files), CampaignOutcome::Failed);
}

#[test]
fn a_report_of_another_commit_is_refused_or_shown_to_be_that() {
    let mut other = faults(&json!(true));
    other["commit"]["id"] = json!("fedcba9876543210");
    let mut changed = faults(&json!(true));
    changed["commit"]["dirty"] = json!(true);
    let mut unnamed = faults(&json!(true));
    unnamed["commit"] = Value::Null;

    for (report, says) in [
        (other, "of another commit, fedcba987654"),
        (changed, "of this commit with changes"),
        (unnamed, "of a commit that it doesn't name"),
    ] {
        let (_folder, path) = written(&report);
        assert!(
            refusal(std::slice::from_ref(&path)).contains(says),
            "{says}"
        );
        assert_eq!(given(&[path], COMMIT, true).unwrap().len(), 1);
        let shown = read_one(&report);
        assert_eq!(shown.outcome, CampaignOutcome::Passed);
        assert!(shown.why.unwrap().contains(says), "{says}");
    }
    assert_eq!(read_one(&faults(&json!(true))).why, None);
}

/// A report of faults that a GPU was asked to find.
fn gpu_faults(passed: bool) -> Value {
    let mut report = faults(&json!(passed));
    report["driver"] = json!("gpu");
    report["device"] = json!("NVIDIA H100 80GB HBM3");
    report["simulated"] = json!(false);
    report
}

/// The campaigns and problems of a bundle with this report from a GPU and that one of simulated devices.
fn beside(on_gpu: &Value, commit: &str) -> anyhow::Result<(Vec<Campaign>, Vec<String>)> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("faults.json"), on_gpu.to_string()).unwrap();
    let mut files = Files::default();
    merge_gpu_faults(folder.path(), commit, false, &mut files)?;
    files.insert(GPU_RESULTS, "{}");
    let attempt = |kind: &&Kind| Attempt::not_done(kind, "it was left out");
    let attempts: Vec<_> = KINDS.iter().map(attempt).collect();
    files.insert_json(CAMPAIGNS, &attempts).unwrap();
    Ok((read(&files, COMMIT).unwrap(), problems(&files)))
}

#[test]
fn faults_on_the_gpu_stand_beside_those_on_simulated_devices() {
    let (campaigns, problems) = beside(&gpu_faults(true), COMMIT).unwrap();

    assert_eq!(problems, [""; 0]);
    let ids: Vec<_> = campaigns.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "planted-breaks",
            "mutation",
            "faults",
            "gpu-faults",
            "fuzzing",
            "timing"
        ]
    );
    assert_eq!(campaigns[3].outcome, CampaignOutcome::Passed);
    assert_eq!(campaigns[3].facts[0].value, "NVIDIA H100 80GB HBM3");
    let (failed, _) = beside(&gpu_faults(false), COMMIT).unwrap();
    assert_eq!(failed[3].outcome, CampaignOutcome::Failed);
}

#[test]
fn only_a_report_of_faults_on_a_gpu_is_taken_from_a_run_there() {
    let mut simulated = gpu_faults(true);
    simulated["simulated"] = json!(true);
    let mut of_another_driver = gpu_faults(true);
    of_another_driver["driver"] = json!("simulated");
    for other in [faults(&json!(true)), simulated, of_another_driver] {
        let refusal = beside(&other, COMMIT).unwrap_err().to_string();
        assert!(refusal.contains("in a GPU's memory"), "{refusal}");
    }
    let refusal = beside(&gpu_faults(true), "fedcba9876543210").unwrap_err();
    assert!(
        refusal.to_string().contains("of another commit"),
        "{refusal}"
    );

    let mut files = Files::default();
    let attempt = |kind: &&Kind| Attempt::not_done(kind, "it was left out");
    let attempts: Vec<_> = KINDS.iter().map(attempt).collect();
    files.insert_json(CAMPAIGNS, &attempts).unwrap();
    files
        .insert_json(GPU_FAULTS, &faults(&json!(true)))
        .unwrap();
    let found = problems(&files).join("\n");
    assert!(found.contains("no report of faults in a GPU's memory"));
    assert!(found.contains("there is no run on a GPU"));
}

#[test]
fn what_a_report_has_reservations_about_is_shown() {
    let mut report = faults(&json!(true));
    report["reservations"] = json!(["10 flips only"]);

    let campaign = read_one(&report);

    assert_eq!(campaign.outcome, CampaignOutcome::Passed);
    assert_eq!(campaign.why.as_deref(), Some("10 flips only"));
}

#[test]
fn what_passed_must_have_its_own_report_and_nothing_may_be_left_out() {
    let mut files = Files::default();
    let attempts = |files: &mut Files| {
        let attempt = |kind: &&Kind| Attempt::not_done(kind, "it was left out");
        let mut attempts: Vec<_> = KINDS.iter().map(attempt).collect();
        let made = Attempt::of_report(&FAULTS, &faults(&json!(true)), files).unwrap();
        let place = attempts.iter().position(|one| one.id == FAULTS.id).unwrap();
        attempts[place] = made;
        (attempts, place)
    };
    let (good, faults_at) = attempts(&mut files);
    let mut found = |attempts: &[Attempt]| {
        files.insert_json(CAMPAIGNS, &attempts).unwrap();
        problems(&files)
    };
    assert_eq!(found(&good), [""; 0]);

    assert_eq!(found(&good[1..]).len(), 1);
    let mut bad = good.clone();
    bad[faults_at].file = None;
    assert!(found(&bad)[0].contains("passed without a report"));
    let mut bad = good.clone();
    bad[0].outcome = CampaignOutcome::Passed;
    bad[0].file = Some("faults.json".to_owned());
    assert!(found(&bad)[0].contains("faults.json is no report of planted-breaks"));
    let mut bad = good.clone();
    bad[faults_at].outcome = CampaignOutcome::NotDone;
    assert!(found(&bad)[0].contains("faults was not done, and has a report"));
    let mut bad = good;
    bad[0].title = "Something".to_owned();
    assert!(found(&bad)[0].contains("another title"));
}

#[test]
fn reports_are_told_by_what_they_say_they_are() {
    let (_folder, path) = written(&faults(&json!(true)));
    let (_other, unknown) = written(&json!({"schema": "vram-bench/1", "passed": true}));

    let found = given(std::slice::from_ref(&path), COMMIT, false).unwrap();

    assert_eq!(found[0].kind, &FAULTS);
    assert!(refusal(&[unknown]).contains("is no report of"));
    assert!(refusal(&[path.clone(), path]).contains("second report"));
}
