//! What operators are given, beside the command: the dashboard and the guide name metrics that there are.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use vram_residency::metrics::{CATALOGUE, Kind};

use crate::hold::Held;

fn document(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// The names in a text that look like a metric's.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = text.split(|letter: char| !is_part(letter));
    let names = words.filter(|word| word.starts_with("vram_"));
    names.map(str::to_owned).collect()
}

/// The metrics of the command's own, with those that a process which holds a shard tells.
fn served() -> BTreeSet<String> {
    let held = Held::start(&[]).until_it_holds();
    let (_, text) = held.get("/metrics");
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect()
}

/// Every metric that can be served. Those of an audit trail are served only where there is one.
fn known() -> BTreeSet<String> {
    let library = CATALOGUE.iter().map(|metric| metric.name.to_owned());
    let audit = ["vram_audit_running", "vram_audit_dropped_total"].map(str::to_owned);
    library.chain(served()).chain(audit).collect()
}

/// Every series: a histogram has three.
fn series() -> BTreeSet<String> {
    let mut all = known();
    let histograms = CATALOGUE
        .iter()
        .filter(|metric| metric.kind == Kind::Histogram);
    for histogram in histograms {
        let parts = ["bucket", "sum", "count"];
        all.extend(parts.map(|part| format!("{}_{part}", histogram.name)));
    }
    all
}

/// All queries of a dashboard.
fn queries(dashboard: &Value) -> Vec<String> {
    match dashboard {
        Value::Object(members) => {
            let own = members.get("expr").or_else(|| members.get("query"));
            let own = own.and_then(Value::as_str).map(str::to_owned);
            own.into_iter()
                .chain(members.values().flat_map(queries))
                .collect()
        }
        Value::Array(items) => items.iter().flat_map(queries).collect(),
        _ => Vec::new(),
    }
}

/// Covers: OB-3.
#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let dashboard: Value =
        serde_json::from_str(&document("docs/grafana/vram-residency.json")).unwrap();
    let asked = names(&queries(&dashboard).join("\n"));
    assert!(asked.len() > 10, "{asked:?}");

    let unknown: Vec<_> = asked.difference(&series()).cloned().collect();

    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_dashboard_shows_what_goes_wrong() {
    let dashboard: Value =
        serde_json::from_str(&document("docs/grafana/vram-residency.json")).unwrap();
    let asked = names(&queries(&dashboard).join("\n"));

    for name in [
        "vram_ready",
        "vram_manager_running",
        "vram_verification_failures_total",
        "vram_policy_violations_total",
        "vram_refusals_total",
        "vram_release_failures_total",
        "vram_audit_running",
        "vram_audit_dropped_total",
    ] {
        assert!(asked.contains(name), "{name}");
    }
}

/// Covers: OB-3.
#[test]
fn the_guide_lists_every_metric_with_its_kind_and_labels() {
    let guide = document("docs/guides/operations.md");
    let rows: Vec<_> = guide
        .lines()
        .filter(|line| line.starts_with("| `vram_"))
        .collect();

    for metric in CATALOGUE {
        let begins = format!("| `{}` | ", metric.name);
        let row = rows.iter().find(|row| row.starts_with(&begins));
        let row = row.unwrap_or_else(|| panic!("{} is not in the guide", metric.name));
        let kind = format!("{:?}", metric.kind).to_lowercase();
        assert!(row.starts_with(&format!("{begins}{kind} |")), "{row}");
        for label in metric.labels {
            assert!(row.contains(&format!("`{label}`")), "{row}");
        }
    }
    let listed = names(&rows.join("\n"));
    let listed: BTreeSet<_> = listed.into_iter().collect();
    assert_eq!(listed, known());
}

/// Covers: OB-3.
#[test]
fn the_guides_alerts_fire_for_what_is_there_only_once() {
    let guide = document("docs/guides/operations.md");
    let rules: Vec<_> = guide
        .lines()
        .filter(|line| line.trim().starts_with("expr:"))
        .collect();

    // A process that ends after its failure is scraped once after it at most: no difference is ever seen.
    for name in [
        "vram_verification_failures_total",
        "vram_policy_violations_total",
    ] {
        let rule = rules.iter().find(|rule| rule.contains(name)).unwrap();
        assert!(rule.contains(&format!("{name} > 0")), "{rule}");
        assert!(!rule.contains("increase("), "{rule}");
    }
    assert!(
        rules
            .iter()
            .any(|rule| rule.contains("absent(vram_manager_running)"))
    );
    assert!(rules.iter().any(|rule| rule.contains("up{")));
}
