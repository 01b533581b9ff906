//! A run folder made up for these tests: its figures are of no device.

use tempfile::TempDir;

use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

const ENVIRONMENT: &str = r#"{
  "schema": "vram-gpu-environment/1", "date": "2026-01-31T10:20:30Z", "kernel": "Linux 6.1 x86_64",
  "system": "Test 1", "glibc": "ldd 2.39", "cpu": "Test CPU", "cores": 16, "sha_instructions": true,
  "memory": 137438953472, "lscpu": {"L3 cache": null}, "gpus": 1,
  "gpu": {"name": "NVIDIA TEST 9000", "driver_version": "1.2.3", "mig.mode.current": null},
  "tools": {"ncu": "Version 1"},
  "archive": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": false,
    "packed": "2026-01-31T09:00:00Z", "rustc": "rustc 1.95.0", "version": "0.1.0", "glibc": "2.34",
    "files": [], "left_out": []}
}"#;

const STAGES: &str = r#"{"schema": "vram-gpu-stages/1", "seconds": 100, "stages": [
  {"name": "bench", "outcome": "passed", "status": 0, "seconds": 60, "why": null},
  {"name": "cust", "outcome": "skipped", "status": 77, "seconds": 0, "why": "no such example is packed"}
]}"#;

const BENCH: &str = r#"{"schema": "vram-bench/1", "simulated": false,
  "device": {"name": "NVIDIA TEST 9000", "uuid": "GPU-0a1b2c3d-0001-0002-0003-00000000abcd"},
  "host": {"cpu": "Test CPU"},
  "ceilings": [{"id": "sha256-registers", "title": "SHA-256 in registers", "value": 1000.0, "unit": "GB/s"}],
  "figures": [
    {"id": "verify-large", "title": "Verify one large shard", "value": 900.0, "unit": "GB/s",
     "samples": [900.0], "ceiling": "sha256-registers", "of_ceiling": 0.9,
     "target": {"must": 940.0, "aim": 980.0, "better": "higher"}, "verdict": "missed", "note": "8 GiB"},
    {"id": "verify-1m", "title": "Verify one shard of 1 MiB", "value": 120.0, "unit": "us",
     "target": {"must": 250.0, "aim": 130.0, "better": "lower"}, "verdict": "aim"},
    {"id": "warm-start", "title": "Start again", "value": 0.25, "unit": "s", "verdict": "no target"}
  ],
  "peers": [{"id": "engine", "title": "Copy and hash", "value": 0.45, "unit": "GB/s",
     "compared_with": "verify-large", "ratio": 2000.0}],
  "skipped": [{"id": "engine-python", "why": "no torch"}]}"#;

const DOCTOR: &str = r#"{"vram": "0.1.0", "command": "doctor", "schema": "vram-doctor/1", "simulated": false,
  "simulated_because": null, "profile": "strict", "changed": [], "verdict": "refused", "exit_code": 4,
  "seconds": 0.412, "host": {"facts": {}, "report": {"verdict": "refused", "findings": [
    {"id": "host.core-dumps", "status": "fail", "enforcement": "refuse", "observed": "core limit|none"},
    {"id": "host.environment", "status": "pass", "enforcement": "refuse", "observed": "nothing"}]}},
  "devices": [{"index": 0, "name": "NVIDIA TEST 9000", "uuid": "GPU-0a1b2c3d-0001-0002-0003-00000000abcd",
    "report": {"verdict": "accepted", "findings": [
      {"id": "device.own-memory", "status": "pass", "enforcement": "refuse", "observed": "INTEGRATED 0"}]},
    "residency": {"measured": {"status": "proven"}, "summary": "proven: 3000 GB/s over a link of 55 GB/s"}}]}"#;

const TESTS: &str = "##### suite drivers on the GPU
running 3 tests
test kernels::one ... ok
test copies::two ... FAILED
test copies::three ... ignored, needs two devices
##### exit status 101 after 7 s
##### example cust_kernel on the GPU
sealed
##### exit status 0 after 2 s
";

const SANITIZER: &str = "##### sanitizer memcheck
test kernels::one ... ok
========= ERROR SUMMARY: 0 errors
##### exit status 0 after 9 s
##### sanitizer initcheck
========= Uninitialized read at 0x7f3a00000000
========= ERROR SUMMARY: 4 errors
##### exit status 1 after 9 s
";

const NCU: &str = r#""ID","Host Name","Kernel Name","Metric Name","Metric Unit","Metric Value"
"0","secret-host","vram_sha256_blocks(Args)","gpu__time_duration.sum","ns","4,500,000"
"0","secret-host","vram_sha256_blocks(Args)","smsp__issue_active.avg.pct_of_peak_sustained_active","%","91.5"
"#;

/// A folder as `run.sh` leaves it.
fn run_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("environment.json", ENVIRONMENT),
        ("stages.json", STAGES),
        ("bench.json", BENCH),
        ("tests.txt", TESTS),
        ("sanitizer.txt", SANITIZER),
        ("ncu.csv", NCU),
        ("doctor.json", DOCTOR),
        ("doctor.txt", "##### vram doctor\nrefused\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Pages with the one of that run, and the page's folder.
pub(crate) fn collected() -> (TempDir, PathBuf) {
    let benchmarks = tempfile::tempdir().unwrap();
    let page = collect(run_folder().path(), benchmarks.path(), COMMIT, false).unwrap();
    (benchmarks, page)
}

fn page() -> String {
    let (_benchmarks, page) = collected();
    fs::read_to_string(page.join("README.md")).unwrap()
}

/// The refusal of a run in which one file's text is replaced.
fn refusal(name: &str, from: &str, to: &str) -> String {
    let run = run_folder();
    let path = run.path().join(name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} is not in {name}");
    fs::write(&path, text.replace(from, to)).unwrap();
    let benchmarks = tempfile::tempdir().unwrap();
    let error = collect(run.path(), benchmarks.path(), COMMIT, false).unwrap_err();
    assert_eq!(fs::read_dir(benchmarks.path()).unwrap().count(), 0);
    format!("{error:#}")
}

#[test]
fn a_run_becomes_a_folder_of_its_day_and_gpu() {
    let (_benchmarks, page) = collected();

    assert_eq!(page.file_name().unwrap(), "2026-01-31-test-9000");
    let mut files: Vec<_> = fs::read_dir(&page)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "README.md",
            "bench.json",
            "ceilings.svg",
            "doctor.json",
            "doctor.txt",
            "peers.svg",
            "results.json",
            "sanitizer.txt",
            "stages.json",
            "targets.svg",
            "tests.txt"
        ]
    );
}

#[test]
fn the_document_can_be_read_again() {
    let (benchmarks, page) = collected();

    let (folder, results) = Results::newest(benchmarks.path()).unwrap().unwrap();

    assert_eq!(folder, page);
    assert_eq!(results.commit, COMMIT);
    assert_eq!(results.suites[0].tests.len(), 3);
    assert_eq!(results.sanitizers[1].errors, Some(4));
    assert_eq!(results.bench.figures.len(), 3);
    assert!(!results.collected_elsewhere);
}

#[test]
fn a_missed_target_is_shown_as_missed() {
    let page = page();

    assert!(
        page.contains(
            "| Verify one large shard | 900 GB/s | at least 940 | 980 | **missed** | \
             SHA-256 in registers | 90 % |"
        ),
        "{page}"
    );
    assert!(page.contains("| 120 us | at most 250 | 130 | aim reached |"));
    assert!(page.contains("1 reach what they aim for, 0 what they must, 1 missed it, 1 have no"));
}

#[test]
fn a_verdict_better_than_its_value_is_not_repeated() {
    let run = run_folder();
    let path = run.path().join("bench.json");
    let flattered = BENCH.replace(r#""verdict": "missed""#, r#""verdict": "aim""#);
    fs::write(&path, flattered).unwrap();
    let benchmarks = tempfile::tempdir().unwrap();

    let folder = collect(run.path(), benchmarks.path(), COMMIT, false).unwrap();

    let page = fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(page.contains("| 980 | **missed** |"), "{page}");
}

#[test]
fn failed_and_ignored_tests_are_named() {
    let page = page();

    assert!(page.contains("1 passed, 1 failed, 1 left out; **exit status 101** after 7 s."));
    assert!(page.contains("| copies | 0 | 1 | 1 |"));
    assert!(page.contains("- `copies::two`: **failed**"));
    assert!(page.contains("- `copies::three`: ignored needs two devices"));
    assert!(page.contains("- example cust_kernel on the GPU: one program; 2 s."));
}

#[test]
fn sanitizer_errors_are_shown() {
    let page = page();

    assert!(page.contains("| memcheck | clean | 0 |"), "{page}");
    assert!(
        page.contains("| initcheck | **exit status 1** | 4 |"),
        "{page}"
    );
}

#[test]
fn peers_counters_and_skipped_parts_are_shown() {
    let page = page();

    assert!(
        page.contains("| Copy and hash | 0.45 GB/s | Verify one large shard: 900 GB/s | 2,000 |")
    );
    assert!(page.contains("| 91.5 % | `smsp__issue_active"));
    assert!(page.contains("- engine-python: no torch"));
    assert!(page.contains("| cust | skipped | 0 | no such example is packed |"));
}

#[test]
fn what_the_policy_found_is_on_the_page_with_what_was_not_good() {
    let page = page();

    for expected in [
        "`vram doctor`, profile strict: **refused**, after 0.412 s.",
        "[doctor.json](doctor.json)",
        "| host | refused | 1 | 1 | 0 | 0 |",
        "| device 0: NVIDIA TEST 9000 | accepted | 1 | 0 | 0 | 0 |",
        "- `host.core-dumps`: fail (refuse): core limit\\|none",
        "on device 0, by measurement: proven: 3000 GB/s over a link of 55 GB/s",
    ] {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    assert!(!page.contains("- `host.environment`"), "{page}");
}

#[test]
fn a_run_without_a_doctors_report_says_so() {
    let run = run_folder();
    fs::remove_file(run.path().join("doctor.json")).unwrap();
    let benchmarks = tempfile::tempdir().unwrap();

    let folder = collect(run.path(), benchmarks.path(), COMMIT, false).unwrap();

    let page = fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(page.contains("`vram doctor` was not run."), "{page}");
}

#[test]
fn a_doctors_report_of_another_form_or_of_a_simulation_is_refused() {
    let newer = refusal("doctor.json", "vram-doctor/1", "vram-doctor/9");
    let simulated = refusal(
        "doctor.json",
        r#""simulated": false"#,
        r#""simulated": true"#,
    );

    assert!(newer.contains("vram-doctor/9"), "{newer}");
    assert!(simulated.contains("a simulated device"), "{simulated}");
}

#[test]
fn nothing_published_identifies_the_card_or_the_host() {
    let (_benchmarks, page) = collected();

    for entry in fs::read_dir(&page).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for secret in ["0a1b2c3d", "7f3a00000000", "secret-host"] {
            assert!(!text.contains(secret), "{} has {secret}", path.display());
        }
    }
}

#[test]
fn a_run_without_figures_or_environment_is_refused() {
    for name in ["bench.json", "environment.json", "stages.json"] {
        let run = run_folder();
        fs::remove_file(run.path().join(name)).unwrap();

        let error = collect(run.path(), run.path(), COMMIT, false).unwrap_err();

        assert!(
            error.to_string().ends_with(&format!("has no {name}")),
            "{error}"
        );
    }
}

#[test]
fn files_that_cannot_be_read_are_refused_by_name() {
    assert!(refusal("bench.json", "{", "[").starts_with("bench.json of"));
    assert!(refusal("environment.json", "2026-01-31T", "yesterday ").contains("is no date"));
    assert!(refusal("bench.json", "vram-bench/1", "vram-bench/9").contains("vram-bench/9"));
}

#[test]
fn a_simulated_run_is_refused() {
    let said = refusal(
        "bench.json",
        r#""simulated": false"#,
        r#""simulated": true"#,
    );

    assert!(said.contains("a simulated device"), "{said}");
}

#[test]
fn a_host_without_a_gpu_is_refused() {
    let said = refusal(
        "environment.json",
        r#""name": "NVIDIA TEST 9000""#,
        r#""name": null"#,
    );

    assert!(said.contains("names no GPU"), "{said}");
}

#[test]
fn a_run_of_another_commit_is_refused_unless_it_is_allowed_and_then_shown() {
    let (run, benchmarks) = (run_folder(), tempfile::tempdir().unwrap());

    let error = collect(run.path(), benchmarks.path(), "f00", false).unwrap_err();
    assert!(
        error.to_string().contains("--allow-other-commit"),
        "{error}"
    );

    let folder = collect(run.path(), benchmarks.path(), "f00", true).unwrap();
    let page = fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(
        page.contains("made from the tree of another commit"),
        "{page}"
    );
}

#[test]
fn a_run_of_changed_source_says_so() {
    let run = run_folder();
    let changed = ENVIRONMENT.replace(r#""dirty": false"#, r#""dirty": true"#);
    fs::write(run.path().join("environment.json"), changed).unwrap();
    let benchmarks = tempfile::tempdir().unwrap();

    let folder = collect(run.path(), benchmarks.path(), COMMIT, false).unwrap();

    let page = fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(
        page.contains("**The source differed from that commit.**"),
        "{page}"
    );
}
