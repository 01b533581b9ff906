//! `vram doctor`.

use std::path::Path;

use crate::choice::{driver, without_gpu};
use crate::run::{Ran, run, vram};

/// Examines a simulated machine of that kind.
fn examine(kind: &str, arguments: &[&str]) -> Ran {
    let simulated = format!("--simulated={kind}");
    Ran::of(vram().args(["doctor", &simulated]).args(arguments))
}

fn findings(report: &serde_json::Value) -> &Vec<serde_json::Value> {
    report["findings"].as_array().unwrap()
}

/// Covers: DR-2.
#[test]
fn without_a_gpu_the_host_is_examined_and_what_to_install_is_said() {
    let ran = Ran::of(without_gpu().arg("doctor"));

    assert_eq!(ran.code, 1, "{}", ran.text());
    for expected in [
        "Profile",
        "strict",
        "Host",
        "host.",
        "No device",
        "fix",
        "Verdict",
    ] {
        assert!(
            ran.text().contains(expected),
            "{expected} in {}",
            ran.text()
        );
    }
    assert!(ran.text().contains("no device to judge"), "{}", ran.text());
    assert_eq!(
        ran.stderr, "",
        "it simulates nothing that it wasn't asked to"
    );
}

/// Covers: DR-2.
#[test]
fn without_a_gpu_programs_are_told_the_same() {
    let ran = Ran::of(without_gpu().args(["doctor", "--json"]));

    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let document = ran.json();
    assert_eq!(document["command"], "doctor");
    assert_eq!(document["schema"], "vram-doctor/1");
    assert_eq!(document["verdict"], "no-device");
    assert_eq!(document["exit_code"], 1);
    assert_eq!(document["simulated"], false);
    assert_eq!(document["devices"], serde_json::json!([]));
    assert!(!findings(&document["host"]["report"]).is_empty());
    let absence = &document["no_device"];
    assert!(
        absence["reason"]
            .as_str()
            .unwrap()
            .contains("NVIDIA driver")
    );
    assert!(!absence["remedies"].as_array().unwrap().is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_driver_that_does_not_work_is_examined_as_one() {
    let folder = tempfile::tempdir().unwrap();
    driver(folder.path(), "int nothing(void) { return 0; }");

    let ran = Ran::of(vram().env("LD_LIBRARY_PATH", folder.path()).arg("doctor"));

    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.text().contains("has no function"), "{}", ran.text());
    assert!(ran.text().contains("R525 or later"), "{}", ran.text());
}

/// Covers: HA-1.
#[cfg(target_os = "linux")]
#[test]
fn the_process_that_asks_is_closed_to_core_dumps() {
    let document = Ran::of(without_gpu().args(["doctor", "--json"])).json();

    let facts = &document["host"]["facts"];
    assert_eq!(facts["core_limit"], 0);
    assert_eq!(facts["dumpable"], false);
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_environment_does_to_memory_is_seen() {
    let mut command = without_gpu();
    command.env("CUDA_ENABLE_COREDUMP_ON_EXCEPTION", "1");
    let ran = Ran::of(command.arg("doctor"));

    assert!(
        ran.text().contains("CUDA_ENABLE_COREDUMP_ON_EXCEPTION"),
        "{}",
        ran.text()
    );
}

/// Covers: TS-1.5.
#[test]
fn a_simulated_machine_says_so_wherever_it_shows() {
    let text = examine("h100", &[]);
    let document = examine("h100", &["--json"]).json();

    assert!(text.text().contains("(simulated)"), "{}", text.text());
    assert!(text.stderr.contains("simulated device"), "{}", text.stderr);
    assert_eq!(document["simulated"], true);
    assert_eq!(document["simulated_because"], "it was asked for by name");
    assert_eq!(document["devices"][0]["simulated"], true);
    assert_eq!(document["devices"][0]["facts"]["simulated"], true);
}

/// Covers: DR-1.
#[test]
fn the_exit_code_is_the_chosen_profiles_verdict() {
    for kind in ["h100", "integrated", "coherent", "vgpu"] {
        for profile in ["strict", "standard", "development"] {
            let ran = examine(kind, &["--json", "--profile", profile]);

            let document = ran.json();
            let verdict = document["verdict"].as_str().unwrap();
            let code = if verdict.starts_with("accepted") {
                0
            } else {
                4
            };
            assert_eq!(ran.code, code, "{kind}, {profile}: {verdict}");
            assert_eq!(document["exit_code"], code);
            assert_eq!(document["profile"], profile);
            assert_eq!(document["devices"][0]["verdicts"][profile], verdict);
        }
    }
}

#[test]
fn memory_that_is_not_the_devices_own_is_refused_in_every_profile() {
    for kind in ["integrated", "coherent"] {
        for profile in ["strict", "standard", "development"] {
            let ran = examine(kind, &["--profile", profile]);

            assert_eq!(ran.code, 4, "{kind}, {profile}");
            assert!(
                ran.text().contains("✗ fail     device.own-memory"),
                "{}",
                ran.text()
            );
        }
    }
}

/// Covers: DR-1.
#[test]
fn the_default_is_strict() {
    let document = examine("h100", &["--json"]).json();

    assert_eq!(document["profile"], "strict");
}

/// Covers: PO-3.
#[test]
fn what_was_raised_or_lowered_is_shown_and_counts() {
    let lowered = examine("integrated", &["--set", "device.own-memory=warn"]);
    let document = examine("integrated", &["--json", "--set", "device.own-memory=warn"]).json();

    assert!(
        lowered
            .text()
            .contains("device.own-memory: warn instead of refuse"),
        "{}",
        lowered.text()
    );
    let changed = serde_json::json!([
        {
            "id": "device.own-memory",
            "profile": "refuse",
            "profile_when_unknown": "refuse",
            "configured": "warn",
        }
    ]);
    assert_eq!(document["changed"], changed);
    let report = &document["devices"][0]["report"];
    let finding = findings(report)
        .iter()
        .find(|f| f["id"] == "device.own-memory");
    assert_eq!(finding.unwrap()["raised_or_lowered_from"], "refuse");
    assert_eq!(finding.unwrap()["enforcement"], "warn");
}

#[test]
fn one_device_can_be_chosen_and_one_that_is_not_there_is_an_error() {
    let one = examine("h100", &["--json", "--device", "0"]).json();
    let none = examine("h100", &["--device", "7"]);

    assert_eq!(one["devices"].as_array().unwrap().len(), 1);
    assert_eq!(none.code, 1);
    assert!(
        none.stderr.contains("no device 7; choose one of 0"),
        "{}",
        none.stderr
    );
}

/// Covers: DR-1.
#[test]
fn every_check_of_a_report_can_be_explained() {
    let document = examine("h100", &["--json"]).json();
    let host = findings(&document["host"]["report"]).iter();
    let device = findings(&document["devices"][0]["report"]).iter();

    for finding in host.chain(device) {
        let id = finding["id"].as_str().unwrap();
        let text = run(["doctor", "--explain", id]);
        let explained = run(["doctor", "--json", "--explain", id]);

        assert_eq!(text.code, 0, "{}", text.stderr);
        assert!(text.text().starts_with(id), "{}", text.text());
        for part in ["Means", "Asks", "After", "Wants", "Fix", "strict: "] {
            assert!(text.text().contains(part), "{part} in {}", text.text());
        }
        let check = &explained.json()["check"];
        assert_eq!(check["id"], id);
        assert_eq!(check["remedy"], finding["remedy"]);
        assert!(check["enforcement"]["strict"]["failing"].is_string());
    }
}

#[test]
fn what_is_no_check_or_profile_is_a_usage_error_with_those_there_are() {
    for (arguments, words) in [
        (["--explain", "device.luck"], "device.own-memory"),
        (["--set", "device.luck=warn"], "device.own-memory"),
        (["--set", "device.own-memory"], "ID=HOW"),
        (["--set", "device.own-memory=ignore"], "refuse"),
        (["--profile", "lenient"], "development"),
    ] {
        let ran = run(["doctor"].iter().chain(&arguments));

        assert_eq!(ran.code, 2, "{arguments:?}");
        assert_eq!(ran.text(), "");
        assert!(ran.stderr.contains(words), "{words} in {}", ran.stderr);
    }
}

#[test]
fn explaining_examines_nothing() {
    let ran = run(["doctor", "--explain", "device.own-memory", "--simulated"]);

    assert_eq!(ran.code, 2);
}

#[test]
fn a_report_fits_its_width_and_is_plain_in_a_pipe() {
    for kind in ["h100", "integrated"] {
        let ran = examine(kind, &[]);

        assert!(!ran.text().contains('\u{1b}'), "{}", ran.text());
        for line in ran.text().lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        let said: Vec<_> = ran.stderr.lines().collect();
        assert_eq!(said.len(), 2, "the notes on the simulation: {said:?}");
    }
}

#[test]
fn a_check_that_passes_takes_one_line() {
    let ran = examine("h100", &[]);

    let lines: Vec<_> = ran.text().lines().collect();
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with("✓ pass") {
            let next = lines.get(at + 1).copied().unwrap_or_default();
            assert!(!next.starts_with(' '), "{line}\n{next}");
        }
    }
}

/// Covers: EX-2.3.
#[test]
fn no_report_holds_an_address() {
    for kind in ["h100", "integrated", "vgpu"] {
        let document = String::from_utf8(examine(kind, &["--json"]).stdout).unwrap();

        assert!(!document.contains("0x"), "{document}");
    }
}

#[test]
fn a_refusal_elsewhere_shows_what_stands_in_the_way_with_its_remedy() {
    for command in ["seal", "drill", "bench"] {
        let ran = run([command, "--simulated=integrated"]);

        assert_eq!(ran.code, 4, "{command}: {}", ran.stderr);
        assert_eq!(ran.text(), "");
        for expected in [
            "refused by policy: device.own-memory",
            "✗ fail     device.own-memory",
            "INTEGRATED 1",
            "want",
            "fix     Use a discrete GPU",
            "vram doctor shows every check",
        ] {
            assert!(
                ran.stderr.contains(expected),
                "{expected} in {}",
                ran.stderr
            );
        }
    }
}

#[test]
fn a_profile_and_a_change_count_elsewhere_too() {
    let lowered = run([
        "drill",
        "--simulated=integrated",
        "--size=1",
        "--set=device.own-memory=warn",
    ]);

    assert_eq!(lowered.code, 0, "{}", lowered.stderr);
    for expected in [
        "Policy    development, with warnings",
        "device.own-memory: warn instead of refuse",
    ] {
        assert!(lowered.text().contains(expected), "{}", lowered.text());
    }
}

#[test]
fn the_documents_of_others_say_under_which_policy_they_came_about() {
    let arguments = ["--simulated", "--json", "--set=device.ecc-mode=note"];
    for command in [
        &["seal"][..],
        &["drill", "--size=1"],
        &["bench", "--quick", "--only=sha256-registers"],
    ] {
        let ran = run(command.iter().chain(&arguments));

        let policy = &ran.json()["policy"];
        assert_eq!(policy["profile"], "development", "{command:?}");
        assert_eq!(policy["changed"][0]["id"], "device.ecc-mode", "{command:?}");
        assert_eq!(policy["verdict"], "accepted", "{command:?}");
    }
}

#[test]
fn what_strict_says_of_a_machine_is_what_a_strict_seal_meets() {
    for kind in ["h100", "vgpu", "integrated", "coherent"] {
        let said = examine(kind, &[]).code;
        let simulated = format!("--simulated={kind}");
        let drilled = run(["drill", "--size=1", "--profile=strict", &simulated]);

        assert_eq!(drilled.code, said, "{kind}: {}", drilled.stderr);
    }
}

#[test]
fn a_closed_pipe_keeps_the_verdict() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);

    let ran = Ran::of(
        vram()
            .args(["doctor", "--simulated=integrated"])
            .stdout(writer),
    );

    assert_eq!(ran.code, 4, "{}", ran.stderr);
}

#[test]
fn nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let ran = Ran::of(
        vram()
            .current_dir(folder.path())
            .env("TMPDIR", folder.path())
            .args(["doctor", "--simulated"]),
    );

    assert!(!ran.stdout.is_empty());
    let left = |path: &Path| path.read_dir().unwrap().count();
    assert_eq!(left(folder.path()), 0);
}
