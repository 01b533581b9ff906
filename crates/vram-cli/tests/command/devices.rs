//! `vram devices`.

use crate::run::run;

#[test]
fn a_device_is_listed_with_what_it_can_do() {
    let ran = run(["devices", "--simulated"]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for expected in [
        "Simulated H100 80GB HBM3 (simulated)",
        "GPU-7672616d-2d73-696d-2d66-6c6565740001",
        "80.0 GiB",
        "free",
        "CUDA 13.0",
        "sm_90",
        "ECC",
        "by MMU",
        "0: the policy accepts it",
    ] {
        assert!(
            ran.text().contains(expected),
            "{expected} in {}",
            ran.text()
        );
    }
    assert!(ran.stderr.contains("simulated device"), "{}", ran.stderr);
}

#[test]
fn the_table_fits_80_columns() {
    let ran = run(["devices", "--simulated"]);

    for line in ran.text().lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_device_that_the_policy_would_refuse_is_listed_with_the_reason() {
    let ran = run(["devices", "--simulated=integrated"]);

    assert_eq!(ran.code, 0, "a list refuses nothing");
    assert!(ran.text().contains("refuses it"), "{}", ran.text());
    assert!(ran.text().contains("INTEGRATED 1"), "{}", ran.text());
}

#[test]
fn the_verdict_listed_is_the_verdict_that_sealing_meets() {
    for (kind, verdict, code) in [
        ("h100", "accepted", 0),
        ("vgpu", "accepted-with-warnings", 0),
        ("integrated", "refused", 4),
        ("coherent", "refused", 4),
    ] {
        let simulated = format!("--simulated={kind}");
        let listed = run(["devices", "--json", &simulated]).json();
        // What can't be frozen by the device could be exported too, which is the region's to be judged by.
        let allowed = "--set=region.not-exportable=warn";
        let drilled = run(["drill", "--size", "1", allowed, &simulated]);

        assert_eq!(listed["devices"][0]["policy"]["verdict"], verdict, "{kind}");
        assert_eq!(drilled.code, code, "{kind}");
    }
}

#[test]
fn freezing_in_software_is_listed_as_such() {
    let ran = run(["devices", "--simulated=vgpu"]);

    assert!(ran.text().contains("software"), "{}", ran.text());
}
