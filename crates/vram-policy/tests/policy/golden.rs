//! Reports as JSON, byte for byte: what other programs read. `VRAM_BLESS=1` writes them anew.

use std::path::Path;

use vram_policy::{CheckId, Enforcement, Policy, Report};

use crate::subjects::{Machine, closed_host, plain_region, set};

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
fn an_accepted_machine_reads_as_published() {
    let report = Machine::perfect().judged_by(&Policy::strict());

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

#[test]
fn what_configuration_raised_and_lowered_reads_as_published() {
    let mut host = closed_host();
    set(&mut host, "CUDA_VISIBLE_DEVICES", "1,0");
    set(&mut host, "LD_PRELOAD", "libjemalloc.so.2");
    host.dumpable = None;
    let policy = Policy::standard()
        .with(CheckId::HostVisibleDevices, Enforcement::Refuse)
        .with(CheckId::HostInjectedLibraries, Enforcement::Note);

    assert_golden(&policy.assess_host(&host), "configured");
}
