//! Reports as JSON, byte for byte: what other programs read.

use vram_policy::{Policy, Report};

use crate::subjects::{discrete_gpu, plain_region};

fn assert_golden(report: &Report, golden: &str) {
    let json = serde_json::to_string_pretty(report).unwrap();
    assert_eq!(
        json.trim(),
        golden.trim(),
        "the report's JSON changed; it now reads:\n{json}"
    );
}

#[test]
fn an_accepted_device_and_region_read_as_published() {
    let policy = Policy::strict();

    let report = policy
        .assess_device(&discrete_gpu())
        .and(policy.assess_region(&plain_region()));

    assert_golden(&report, include_str!("golden/accepted.json"));
}

#[test]
fn a_refused_region_reads_as_published() {
    let mut facts = plain_region();
    facts.managed = Some(true);
    facts.reported_size = None;
    facts.host_alias = Some(true);

    let report = Policy::strict().assess_region(&facts);

    assert_golden(&report, include_str!("golden/refused.json"));
}
