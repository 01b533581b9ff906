//! Reports as JSON, byte for byte: what other programs read. `VRAM_BLESS=1` writes them anew.

use std::path::Path;

use vram_policy::{Policy, Report};

use crate::subjects::{discrete_gpu, plain_region};

/// Compares a text with a file of this package, or writes the file where it is to be written anew.
pub(crate) fn assert_file(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("VRAM_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        golden,
        "{} differs; VRAM_BLESS=1 writes it anew",
        path.display()
    );
}

fn assert_golden(report: &Report, name: &str) {
    let json = serde_json::to_string_pretty(report).unwrap();
    assert_file(
        &format!("tests/policy/golden/{name}.json"),
        &format!("{json}\n"),
    );
}

#[test]
fn an_accepted_device_and_region_read_as_published() {
    let policy = Policy::strict();

    let report = policy
        .assess_device(&discrete_gpu())
        .and(policy.assess_region(&plain_region()));

    assert_golden(&report, "accepted");
}

#[test]
fn a_refused_region_reads_as_published() {
    let mut facts = plain_region();
    facts.managed = Some(true);
    facts.reported_size = None;
    facts.host_alias = Some(true);

    let report = Policy::strict().assess_region(&facts);

    assert_golden(&report, "refused");
}
