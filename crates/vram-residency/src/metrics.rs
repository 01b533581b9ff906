//! Counts what happens, through the facade of the crate `metrics`: whoever installs a recorder gets it.
//!
//! Without a recorder all this costs next to nothing. [`CATALOGUE`] lists what is told, under which labels.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{Unit, counter, gauge, histogram};
use vram_policy::{CheckId, Report, Status, Verdict};

use crate::Result;
use crate::event::{Event, Observer, ObserverError, Operation};
use crate::manager::Manager;

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, while the process lives.
    Counter,
    /// It is what it was when it was looked at.
    Gauge,
    /// How values are distributed.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// Its name; `_total` ends a counter's, the unit the others'.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// Its unit.
    pub unit: Unit,
    /// Its labels, beside `device`, the UUID of the device.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// The label `check` of a violation that no check found: a measurement contradicts what the checks were told.
const CONTRADICTED: &str = "residency";

const fn metric(
    name: &'static str,
    kind: Kind,
    unit: Unit,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        unit,
        labels,
        help,
    }
}

macro_rules! catalogue {
    ($($constant:ident = $name:literal, $kind:ident, $unit:ident, $labels:expr, $help:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`: ", $help, ".")]
            pub const $constant: &str = $name;
        )*

        /// Every metric that [`MetricsObserver`] tells.
        pub const CATALOGUE: &[Metric] = &[
            $(metric($constant, Kind::$kind, Unit::$unit, &$labels, $help)),*
        ];
    };
}

catalogue! {
    ALLOCATIONS = "vram_allocations_total", Counter, Count, [],
        "Allocations of device memory for shards";
    ALLOCATED_BYTES = "vram_allocated_bytes_total", Counter, Bytes, [],
        "Bytes of device memory taken for shards, rounded up to the device's granularity";
    FREES = "vram_frees_total", Counter, Count, [],
        "Allocations that were wiped and given back";
    FREED_BYTES = "vram_freed_bytes_total", Counter, Bytes, [],
        "Bytes that were wiped and given back";
    RELEASE_FAILURES = "vram_release_failures_total", Counter, Count, ["wiped"],
        "Allocations that could not be wiped, or not be given back";
    SEALS = "vram_seals_total", Counter, Count, [],
        "Shards sealed";
    SEALED_BYTES = "vram_sealed_bytes_total", Counter, Bytes, [],
        "Bytes of the shards sealed";
    SEAL_SECONDS = "vram_seal_duration_seconds", Histogram, Seconds, [],
        "From a request to its signature";
    SHARD_BYTES = "vram_shard_size_bytes", Histogram, Bytes, [],
        "Sizes of the shards sealed";
    VERIFICATIONS = "vram_verifications_total", Counter, Count, [],
        "Verifications that passed";
    VERIFIED_BYTES = "vram_verified_bytes_total", Counter, Bytes, [],
        "Bytes of verifications that passed";
    VERIFICATION_SECONDS = "vram_verification_duration_seconds", Histogram, Seconds, [],
        "From the call to the permit; shards verified together take the same time";
    VERIFICATION_FAILURES = "vram_verification_failures_total", Counter, Count, [],
        "Shards that were not what was sealed, or of which it can't be said any more";
    LAST_VERIFICATION = "vram_last_verification_timestamp_seconds", Gauge, Seconds, [],
        "When a verification passed last, in seconds since 1970";
    REFUSALS = "vram_refusals_total", Counter, Count, ["operation"],
        "Requests to seal or to verify that were refused, or failed with nothing wrong found";
    RECHECKS = "vram_rechecks_total", Counter, Count, [],
        "Re-checks of the device and the machine that refused nothing";
    POLICY_VIOLATIONS = "vram_policy_violations_total", Counter, Count, ["check"],
        "Checks of the policy that refused";
    POLICY_WARNINGS = "vram_policy_warnings_total", Counter, Count, ["check"],
        "Findings that the policy tolerates, when they were new or had changed";
    POLICY_FINDINGS = "vram_policy_findings", Gauge, Count, ["subject", "status"],
        "Findings of the newest look at the device and the host, by their status";
    POLICY_VERDICT = "vram_policy_verdict", Gauge, Count, ["subject", "verdict"],
        "1 for the newest verdict on the device and on the host, 0 for the others";
    KEY_ROTATIONS = "vram_key_rotations_total", Counter, Count, [],
        "Changes of the key that seals";
    EVIDENCE = "vram_evidence_total", Counter, Count, [],
        "Signed statements given out";
    RUNNING = "vram_manager_running", Gauge, Count, [],
        "1 while the manager seals and permits, 0 once it has stopped or ended";
    SHARDS = "vram_shards", Gauge, Count, [],
        "Shards that are sealed, or being sealed";
    MEMORY = "vram_memory_bytes", Gauge, Bytes, ["state"],
        "Device memory: total, used by shards, available, unavailable, scratch, unreleased; NaN where the driver won't say";
    STAGING = "vram_staging_bytes", Gauge, Bytes, ["state"],
        "Pinned host memory for seals: limit, lent, idle";
}

/// Counts the events of one manager. Every counter is there, at 0, from the manager's start. Every metric has the label `device`, the UUID of its device.
///
/// ```
/// use std::sync::Arc;
/// use vram_residency::{Manager, MetricsObserver};
///
/// let metrics = Arc::new(MetricsObserver::new());
/// let builder = Manager::builder().observer(metrics.clone());
/// // … and whenever the metrics are read: metrics.sample(&manager)
/// # let _ = builder;
/// ```
#[derive(Debug, Default)]
pub struct MetricsObserver {
    /// Known from the manager's first event on.
    device: OnceLock<String>,
}

impl MetricsObserver {
    /// For one manager. The recorder should be installed before: it learns here what each metric is.
    #[must_use]
    pub fn new() -> Self {
        for Metric {
            name,
            kind,
            unit,
            help,
            ..
        } in CATALOGUE
        {
            match kind {
                Kind::Counter => metrics::describe_counter!(*name, *unit, *help),
                Kind::Gauge => metrics::describe_gauge!(*name, *unit, *help),
                Kind::Histogram => metrics::describe_histogram!(*name, *unit, *help),
            }
        }
        Self::default()
    }

    /// Looks at what no event tells: memory, staging, shards, whether the manager has stopped.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](crate::Error::Memory) if the driver won't say how much memory there is: the metrics
    /// of memory are NaN then, the others right.
    pub fn sample(&self, manager: &Manager) -> Result<()> {
        let device = self.device();
        let running = manager.stop_reason().is_none();
        gauge!(RUNNING, "device" => device.clone()).set(f64::from(u8::from(running)));
        gauge!(SHARDS, "device" => device.clone()).set(count(manager.shard_ids().len()));
        let newest = manager.newest_surroundings();
        judged(&device, "device", &newest.device);
        judged(&device, "host", &newest.host);
        let staging = manager.staging();
        for (state, bytes) in [
            ("limit", staging.limit),
            ("lent", staging.lent),
            ("idle", staging.idle),
        ] {
            gauge!(STAGING, "device" => device.clone(), "state" => state).set(float(bytes.0));
        }
        let capacity = manager.capacity();
        let of = |bytes: Option<u64>| bytes.map_or(f64::NAN, float);
        let known = capacity.as_ref().ok();
        for (state, bytes) in [
            ("total", known.map(|known| known.total.0)),
            ("used", known.map(|known| known.used.0)),
            ("available", known.map(|known| known.available.0)),
            ("unavailable", known.map(|known| known.unavailable.0)),
            ("scratch", known.map(|known| known.scratch.0)),
            ("unreleased", known.map(|known| known.unreleased.0)),
        ] {
            gauge!(MEMORY, "device" => device.clone(), "state" => state).set(of(bytes));
        }
        capacity.map(drop)
    }

    fn device(&self) -> String {
        self.device.get().cloned().unwrap_or_default()
    }

    /// Makes every counter there is, at 0. One that came into being with its first event would never be seen to
    /// grow: the difference of two samples needs a first.
    fn begin_counting(&self) {
        let counters = CATALOGUE.iter().filter(|each| each.kind == Kind::Counter);
        for Metric { name, labels, .. } in counters {
            match *labels {
                ["operation"] => {
                    for operation in [Operation::Seal, Operation::Verify] {
                        self.count_operation(name, operation, 0);
                    }
                }
                ["check"] => {
                    for check in CheckId::ALL {
                        self.count_check(name, check.as_str(), 0);
                    }
                    self.count_check(name, CONTRADICTED, 0);
                }
                _ => self.count(name, 0),
            }
        }
    }

    fn count_operation(&self, name: &'static str, operation: Operation, by: u64) {
        let operation = operation.as_str();
        counter!(name, "device" => self.device(), "operation" => operation).increment(by);
    }

    fn count(&self, name: &'static str, by: u64) {
        counter!(name, "device" => self.device()).increment(by);
    }

    fn count_check(&self, name: &'static str, check: &'static str, by: u64) {
        counter!(name, "device" => self.device(), "check" => check).increment(by);
    }

    fn observe(&self, name: &'static str, value: f64) {
        histogram!(name, "device" => self.device()).record(value);
    }
}

impl Observer for MetricsObserver {
    fn on_event(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        match event {
            Event::ManagerStarted { device, .. } => {
                let device = self.device.get_or_init(|| device.to_string());
                gauge!(RUNNING, "device" => device.clone()).set(1.0);
                self.begin_counting();
            }
            Event::ManagerReady { .. }
            | Event::KeyRotationRefused { .. }
            | Event::KeyRetired { .. } => {}
            Event::ManagerRefused { .. }
            | Event::ManagerStopped { .. }
            | Event::ManagerEnded {} => {
                gauge!(RUNNING, "device" => self.device()).set(0.0);
            }
            Event::Rechecked { .. } => self.count(RECHECKS, 1),
            Event::KeyRotated { .. } => self.count(KEY_ROTATIONS, 1),
            Event::EvidenceMade { .. } => self.count(EVIDENCE, 1),
            Event::Allocated { bytes, .. } => {
                self.count(ALLOCATIONS, 1);
                self.count(ALLOCATED_BYTES, bytes.0);
            }
            Event::Sealed { record, duration } => {
                self.count(SEALS, 1);
                self.count(SEALED_BYTES, record.size);
                self.observe(SEAL_SECONDS, duration.as_secs_f64());
                self.observe(SHARD_BYTES, float(record.size));
            }
            Event::Verified {
                bytes, duration, ..
            } => {
                self.count(VERIFICATIONS, 1);
                self.count(VERIFIED_BYTES, bytes.0);
                self.observe(VERIFICATION_SECONDS, duration.as_secs_f64());
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let now = now.unwrap_or(Duration::ZERO).as_secs_f64();
                gauge!(LAST_VERIFICATION, "device" => self.device()).set(now);
            }
            Event::VerificationFailed { .. } => self.count(VERIFICATION_FAILURES, 1),
            Event::Freed { bytes, .. } => {
                self.count(FREES, 1);
                self.count(FREED_BYTES, bytes.0);
            }
            Event::ReleaseFailed { wiped, .. } => {
                let wiped = if *wiped { "true" } else { "false" };
                let device = self.device();
                counter!(RELEASE_FAILURES, "device" => device, "wiped" => wiped).increment(1);
            }
            Event::Refused { operation, .. } => {
                self.count_operation(REFUSALS, *operation, 1);
            }
            Event::PolicyViolation { checks, .. } if checks.is_empty() => {
                self.count_check(POLICY_VIOLATIONS, CONTRADICTED, 1);
            }
            Event::PolicyViolation { checks, .. } => {
                for check in checks {
                    self.count_check(POLICY_VIOLATIONS, check.as_str(), 1);
                }
            }
            Event::PolicyWarning { findings, .. } => {
                for finding in findings {
                    self.count_check(POLICY_WARNINGS, finding.id.as_str(), 1);
                }
            }
        }
        Ok(())
    }
}

/// What the policy found of a subject, and its verdict.
fn judged(device: &str, subject: &'static str, report: &Report) {
    let each = [
        Status::Pass,
        Status::NotApplicable,
        Status::Warn,
        Status::Unknown,
        Status::Fail,
    ];
    for status in each {
        let found = report.findings().iter();
        let found = found.filter(|finding| finding.status == status).count();
        let labels = [
            ("device", device.to_owned()),
            ("subject", subject.to_owned()),
            ("status", status.as_str().to_owned()),
        ];
        gauge!(POLICY_FINDINGS, &labels).set(count(found));
    }
    let verdict = report.verdict();
    for (each, name) in [
        (Verdict::Accepted, "accepted"),
        (Verdict::AcceptedWithWarnings, "accepted-with-warnings"),
        (Verdict::Undecided, "undecided"),
        (Verdict::Refused, "refused"),
    ] {
        let labels = [
            ("device", device.to_owned()),
            ("subject", subject.to_owned()),
            ("verdict", name.to_owned()),
        ];
        gauge!(POLICY_VERDICT, &labels).set(f64::from(u8::from(verdict == each)));
    }
}

fn count(items: usize) -> f64 {
    float(u64::try_from(items).unwrap_or(u64::MAX))
}

/// As a metric holds it: exact up to 8 PiB.
#[expect(
    clippy::cast_precision_loss,
    reason = "a metric is a float, whose 53 bits are exact for every size of memory"
)]
const fn float(value: u64) -> f64 {
    value as f64
}
