//! What is counted, as Prometheus would read it.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusBuilder;
use vram_policy::{CheckId, Policy};
use vram_residency::metrics::{CATALOGUE, Kind};
use vram_residency::{Event, Manager, MetricsObserver, Observer as _, SealRequest};
use vram_sim::Machine;

use crate::support::*;
use crate::witness::sound;

/// Lets a manager live, and returns the metrics after.
fn counted(live: impl FnOnce(&Machine, &Manager)) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let observer = Arc::new(MetricsObserver::new());
        let machine = machine();
        let manager = builder()
            .observer(observer.clone())
            .build(&platform(&machine))
            .unwrap();
        live(&machine, &manager);
        observer.sample(&manager).unwrap();
        handle.render()
    })
}

/// The value of a metric that has these labels beside the device.
#[track_caller]
fn value(text: &str, name: &str, labels: &[&str]) -> f64 {
    let found = text.lines().find(|line| {
        let series = line.rsplit_once(' ').map_or("", |(series, _)| series);
        let begins = series.strip_prefix(name);
        begins.is_some_and(|rest| rest.starts_with('{'))
            && labels.iter().all(|label| series.contains(label))
    });
    let found = found.unwrap_or_else(|| panic!("no {name} {labels:?} in {text}"));
    found.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[test]
fn seals_verifications_and_memory_are_counted() {
    let text = counted(|machine, manager| {
        let bytes = weights(100_000);
        let shard = seal(manager, "one", &bytes);
        drop(seal(manager, "two", &weights(5000)));
        manager.verify(&shard).map(drop).unwrap();
        manager.verify(&shard).map(drop).unwrap();
        manager
            .seal(SealRequest::bytes(id("none"), b""))
            .unwrap_err();
        manager.recheck().unwrap();
        let capacity = manager.capacity().unwrap();
        let alive = counted_memory(manager);
        assert_eq!(alive, capacity.used.0);
        machine
            .flip_bit(allocation_of(machine, &bytes), 5, 5)
            .unwrap();
        manager.verify(&shard).map(drop).unwrap_err();
    });

    for (name, expected) in [
        ("vram_seals_total", 2.0),
        ("vram_sealed_bytes_total", 105_000.0),
        ("vram_verifications_total", 2.0),
        ("vram_verified_bytes_total", 200_000.0),
        ("vram_verification_failures_total", 1.0),
        ("vram_rechecks_total", 1.0),
        ("vram_allocations_total", 2.0),
        ("vram_frees_total", 2.0),
        ("vram_seal_duration_seconds_count", 2.0),
        ("vram_verification_duration_seconds_count", 2.0),
        ("vram_shard_size_bytes_sum", 105_000.0),
        ("vram_shards", 0.0),
        ("vram_manager_running", 0.0),
    ] {
        let found = value(&text, name, &[]);
        assert!((found - expected).abs() < 0.5, "{name} {found}");
    }
    let refused = value(&text, "vram_refusals_total", &[r#"operation="seal""#]);
    assert!((refused - 1.0).abs() < 0.5);
    let allocated = value(&text, "vram_allocated_bytes_total", &[]);
    let freed = value(&text, "vram_freed_bytes_total", &[]);
    assert!((allocated - freed).abs() < 0.5, "{allocated} {freed}");
}

/// What the shards of a manager hold.
fn counted_memory(manager: &Manager) -> u64 {
    manager.capacity().unwrap().used.0
}

/// Covers: RP-005.
#[test]
fn what_lives_is_what_was_allocated_and_not_freed() {
    let mut used = 0.0;
    let text = counted(|_, manager| {
        let one = seal(manager, "one", &weights(100_000));
        drop(seal(manager, "two", &weights(5000)));
        used = f64::from(u32::try_from(counted_memory(manager)).unwrap());
        // It outlives what is looked at, so that it is counted.
        std::mem::forget(one);
    });

    let allocated = value(&text, "vram_allocated_bytes_total", &[]);
    let freed = value(&text, "vram_freed_bytes_total", &[]);
    let sampled = value(&text, "vram_memory_bytes", &[r#"state="used""#]);
    assert!((allocated - freed - used).abs() < 0.5);
    assert!((sampled - used).abs() < 0.5);
    let shards = value(&text, "vram_shards", &[]);
    assert!((shards - 1.0).abs() < 0.5);
}

/// Covers: OB-2.
#[test]
fn every_metric_names_its_device_and_none_names_a_shard() {
    let text = counted(|_, manager| {
        let shard = seal(manager, "secret-project", &weights(5000));
        manager.verify(&shard).map(drop).unwrap();
    });

    let values = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    for line in values {
        assert!(line.contains("device=\"GPU-"), "{line}");
    }
    assert!(!text.contains("secret-project"));
}

#[test]
fn the_policys_findings_are_counted_by_subject_and_status() {
    let statuses = ["pass", "not-applicable", "warn", "unknown", "fail"];
    let mut counts = Vec::new();
    let text = counted(|_, manager| {
        let findings = manager.device_report().findings();
        counts.extend(statuses.map(|status| {
            let such = findings
                .iter()
                .filter(|found| found.status.as_str() == status);
            (status, f64::from(u32::try_from(such.count()).unwrap()))
        }));
    });

    assert!(!counts.is_empty());
    for (status, expected) in counts {
        let status = format!(r#"status="{status}""#);
        let labels = [r#"subject="device""#, &status];
        let found = value(&text, "vram_policy_findings", &labels);
        assert!((found - expected).abs() < 0.5, "{status}: {found} {text}");
    }
    let verdicts = ["accepted", "accepted-with-warnings", "undecided", "refused"];
    let verdict = |verdict: &str| {
        let verdict = format!(r#"verdict="{verdict}""#);
        value(
            &text,
            "vram_policy_verdict",
            &[r#"subject="device""#, &verdict],
        )
    };
    let [accepted, with_warnings, undecided, refused] = verdicts.map(verdict);
    assert!((accepted + with_warnings - 1.0).abs() < 0.5, "{text}");
    assert!(undecided + refused < 0.5, "{text}");
}

#[test]
fn violations_are_counted_by_check_and_those_of_none_as_the_residency_proofs() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let observer = MetricsObserver::new();
        let violation = |checks: &[CheckId]| {
            let event = Event::PolicyViolation {
                shard: None,
                checks: checks.to_vec(),
                reason: "it is not as it should be".to_owned(),
            };
            observer.on_event(&event).unwrap();
        };
        let counts = |check: &str| {
            let check = format!(r#"check="{check}""#);
            value(&handle.render(), "vram_policy_violations_total", &[&check])
        };
        let [one, other] = [CheckId::DeviceEccErrors, CheckId::RegionNotExportable];

        violation(&[one, other]);
        violation(&[one]);
        assert!((counts(one.as_str()) - 2.0).abs() < 0.5);
        assert!((counts(other.as_str()) - 1.0).abs() < 0.5);
        assert!(!handle.render().contains(r#"check="residency""#));
        violation(&[]);
        assert!((counts("residency") - 1.0).abs() < 0.5);
    });
}

#[test]
fn the_catalogue_is_consistent() {
    for metric in CATALOGUE {
        let is_total = metric.name.ends_with("_total");
        assert_eq!(is_total, metric.kind == Kind::Counter, "{}", metric.name);
        assert!(metric.name.starts_with("vram_"), "{}", metric.name);
        assert!(!metric.help.is_empty());
    }
    let names: std::collections::BTreeSet<_> = CATALOGUE.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), CATALOGUE.len());
}

/// Covers: OB-2.
#[test]
fn everything_that_is_told_is_in_the_catalogue() {
    let text = counted(|machine, manager| {
        let bytes = weights(5000);
        let shard = seal(manager, "one", &bytes);
        manager.verify(&shard).map(drop).unwrap();
        machine
            .flip_bit(allocation_of(machine, &bytes), 5, 5)
            .unwrap();
        manager.verify(&shard).map(drop).unwrap_err();
    });

    let told = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for line in told {
        let name = line.split(' ').next().unwrap();
        assert!(CATALOGUE.iter().any(|metric| metric.name == name), "{line}");
    }
}

/// Covers: OB-2.
#[test]
fn every_counter_is_there_at_zero_before_there_is_anything_to_count() {
    let text = counted(|_, _| {});

    for metric in CATALOGUE {
        // What the policy tolerates of this machine is told at the start.
        if metric.kind == Kind::Counter && metric.name != "vram_policy_warnings_total" {
            assert!(value(&text, metric.name, &[]) < 0.5, "{}", metric.name);
        }
    }
    for operation in ["seal", "verify"] {
        let operation = format!(r#"operation="{operation}""#);
        assert!(value(&text, "vram_refusals_total", &[&operation]) < 0.5);
    }
    let checks = CheckId::ALL.iter().map(|check| check.as_str());
    for check in checks.chain(["residency"]) {
        let check = format!(r#"check="{check}""#);
        let violations = value(&text, "vram_policy_violations_total", &[&check]);
        assert!(violations < 0.5, "{check}");
        // It is there, whatever was warned of.
        value(&text, "vram_policy_warnings_total", &[&check]);
    }
}

#[test]
fn the_policys_verdict_is_that_of_the_newest_look() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let observer = Arc::new(MetricsObserver::new());
        let machine = machine();
        let witness = Arc::new(sound());
        let manager = builder()
            .policy(Policy::strict())
            .witness(witness.clone())
            .observer(observer.clone())
            .build(&platform(&machine))
            .unwrap();
        let labels = |verdict: &str| [r#"subject="device""#.to_owned(), verdict.to_owned()];
        let read = |verdict: &str| {
            observer.sample(&manager).unwrap();
            let [subject, verdict] = labels(&format!(r#"verdict="{verdict}""#));
            value(
                &handle.render(),
                "vram_policy_verdict",
                &[&subject, &verdict],
            )
        };
        assert!(read("refused") < 0.5);

        let change = |card: &mut vram_sim::ManagedCardModel| {
            card.ecc_errors.as_mut().unwrap().uncorrected = 1;
        };
        witness.library().change(0, change).unwrap();
        manager.recheck().unwrap_err();

        assert!(read("refused") > 0.5);
        assert!(read("accepted") < 0.5);
    });
}
