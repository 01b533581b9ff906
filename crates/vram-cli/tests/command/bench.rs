//! `vram bench` on the simulated device: it works, says what it is, and invents nothing.

use crate::run::{Ran, run};

fn bench(arguments: &[&str]) -> Ran {
    run(["bench", "--simulated", "--quick"].iter().chain(arguments))
}

/// The ids in a part of the document.
fn ids(document: &serde_json::Value, part: &str) -> Vec<String> {
    let listed = document[part].as_array().unwrap().iter();
    listed
        .map(|entry| entry["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn figures_asked_for_are_measured_alone_and_said_to_be_simulated() {
    let ran = bench(&["--only", "verify-1m,scratch", "--json"]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("simulated device"), "{}", ran.stderr);
    let document = ran.json();
    assert_eq!(document["schema"], "vram-bench/1");
    assert_eq!(document["command"], "bench");
    assert_eq!(document["simulated"], true);
    assert!(document["device"]["name"].is_string());
    assert!(document["device"]["memory"].is_number());
    assert!(document["host"]["cores"].is_number());
    assert_eq!(ids(&document, "figures"), ["verify-1m", "scratch"]);
    for part in ["ceilings", "peers", "skipped"] {
        assert!(ids(&document, part).is_empty(), "{part}");
    }
    for figure in document["figures"].as_array().unwrap() {
        assert!(figure["value"].as_f64().unwrap() > 0.0, "{figure}");
        assert!(!figure["samples"].as_array().unwrap().is_empty());
        assert!(figure["target"].is_null());
        assert_eq!(figure["verdict"], "no target");
        assert!(!figure["note"].as_str().unwrap().is_empty());
    }
}

#[test]
fn a_peer_brings_the_figure_and_the_ceiling_that_it_is_held_against() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();

    let ran = bench(&["--only", "cpu-best", "--json", "--folder", path]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let document = ran.json();
    assert_eq!(ids(&document, "peers"), ["cpu-best"]);
    assert_eq!(ids(&document, "figures"), ["verify-large"]);
    assert_eq!(ids(&document, "ceilings"), ["sha256-registers"]);
    let (peer, figure) = (&document["peers"][0], &document["figures"][0]);
    assert_eq!(peer["compared_with"], "verify-large");
    let ratio = figure["value"].as_f64().unwrap() / peer["value"].as_f64().unwrap();
    assert!((peer["ratio"].as_f64().unwrap() - ratio).abs() < 1e-9);
    let part =
        figure["value"].as_f64().unwrap() / document["ceilings"][0]["value"].as_f64().unwrap();
    assert!((figure["of_ceiling"].as_f64().unwrap() - part).abs() < 1e-9);
    assert_eq!(
        folder.path().read_dir().unwrap().count(),
        0,
        "nothing is left"
    );
}

#[test]
fn residency_is_measured_both_ways_and_asking_about_regions_has_its_cost() {
    let ran = bench(&[
        "--only",
        "region-checks,residency-device,residency-host",
        "--json",
    ]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let document = ran.json();
    let expected = ["region-checks", "residency-device", "residency-host"];
    assert_eq!(ids(&document, "figures"), expected);
    assert_eq!(
        ids(&document, "ceilings"),
        ["device-read", "host-to-device"]
    );
    assert_eq!(document["figures"][0]["unit"], "µs");
    for figure in &document["figures"].as_array().unwrap()[1..] {
        let note = figure["note"].as_str().unwrap();
        assert!(note.contains("simulated: "), "{note}");
        assert_eq!(figure["unit"], "GB/s");
    }
}

#[test]
fn what_can_not_be_measured_is_listed_with_why() {
    let ran = bench(&["--only", "seal-memory", "engine-python", "--json"]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let document = ran.json();
    assert_eq!(ids(&document, "skipped"), ["seal-memory", "engine-python"]);
    for skipped in document["skipped"].as_array().unwrap() {
        assert!(skipped["why"].as_str().unwrap().contains("simulated"));
    }
}

#[test]
fn a_new_process_is_started_on_the_same_device() {
    let ran = bench(&["--only", "first-use,warm-start"]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for expected in ["first-use", "warm-start", "(simulated)"] {
        assert!(ran.text().contains(expected), "{}", ran.text());
    }
}

#[test]
fn people_see_a_table_in_which_nothing_is_judged() {
    let ran = bench(&["--only", "verify-64m,engine-rust"]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = ran.text();
    for expected in [
        "Figure",
        "verify-64m",
        "sha256-registers",
        "times as fast",
        "simulated",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(!text.contains("missed"), "{text}");
}

#[test]
fn an_unknown_id_is_a_usage_error_that_lists_the_ids() {
    let ran = bench(&["--only", "verify-2m"]);

    assert_eq!(ran.code, 2);
    assert_eq!(ran.text(), "");
    for expected in [
        "verify-2m",
        "verify-large",
        "seal-trusted-1",
        "engine-python",
    ] {
        assert!(
            ran.stderr.contains(expected),
            "{expected} in {}",
            ran.stderr
        );
    }
}

#[test]
fn a_folder_that_is_not_there_is_told_and_the_rest_is_measured() {
    let ran = bench(&[
        "--only",
        "verify-1m,scratch",
        "--json",
        "--folder",
        "no/such/folder",
    ]);

    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let document = ran.json();
    assert_eq!(ids(&document, "figures"), ["verify-1m"]);
    assert_eq!(ids(&document, "skipped"), ["scratch"]);
    let why = document["skipped"][0]["why"].as_str().unwrap();
    assert!(why.contains("no/such/folder"), "{why}");
}
