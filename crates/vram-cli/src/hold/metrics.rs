//! What is served: metrics as Prometheus reads them, health as Kubernetes asks for it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use anyhow::Context as _;
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use vram_residency::metrics::{SEAL_SECONDS, SHARD_BYTES, VERIFICATION_SECONDS};
use vram_residency::{MetricsObserver, TrailObserver};

use super::health::{Condition, Health};
use super::http::Answer;
use super::request::Status;

/// 1 while `/readyz` says yes.
const READY: &str = "vram_ready";
/// 1 while the audit trail records; left out where there is none.
const AUDIT_RUNNING: &str = "vram_audit_running";
/// Routine events that the audit trail dropped.
const AUDIT_DROPPED: &str = "vram_audit_dropped_total";
/// 1, with the version of this command as its label.
const BUILD: &str = "vram_build_info";

/// Upper ends of the buckets of durations, in seconds: a page to a card full of weights.
const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0,
];
/// Upper ends of the buckets of sizes, in bytes: 1 MiB to 64 GiB.
const BYTES: [f64; 9] = [
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
    17_179_869_184.0,
    68_719_476_736.0,
];

/// Installs what keeps the metrics of this process.
pub(super) fn install() -> anyhow::Result<PrometheusHandle> {
    let buckets = |builder: PrometheusBuilder, name: &str, ends: &[f64]| {
        builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), ends)
    };
    let builder = buckets(PrometheusBuilder::new(), SEAL_SECONDS, &SECONDS)
        .and_then(|builder| buckets(builder, VERIFICATION_SECONDS, &SECONDS))
        .and_then(|builder| buckets(builder, SHARD_BYTES, &BYTES));
    let handle = builder.and_then(PrometheusBuilder::install_recorder);
    let handle = handle.context("metrics can't be kept")?;
    describe_gauge!(READY, Unit::Count, "1 while /readyz says yes");
    describe_gauge!(
        AUDIT_RUNNING,
        Unit::Count,
        "1 while the audit trail records; left out where there is none"
    );
    describe_counter!(
        AUDIT_DROPPED,
        Unit::Count,
        "Routine events that the audit trail dropped, because its disk did not keep up"
    );
    describe_gauge!(
        BUILD,
        Unit::Count,
        "1, with the version of the command as its label"
    );
    Ok(handle)
}

/// What is known, in pages.
pub(super) struct Exposition {
    recorder: PrometheusHandle,
    health: Arc<Health>,
    metrics: Arc<MetricsObserver>,
    /// Set once it is known whether there is one.
    trail: OnceLock<Arc<TrailObserver>>,
}

impl fmt::Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exposition")
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

impl Exposition {
    pub(super) fn new(
        recorder: PrometheusHandle,
        health: Arc<Health>,
        metrics: Arc<MetricsObserver>,
    ) -> Self {
        Self {
            recorder,
            health,
            metrics,
            trail: OnceLock::new(),
        }
    }

    /// Asks this trail how it is from now on.
    pub(super) fn watch(&self, trail: Option<Arc<TrailObserver>>) {
        if let Some(trail) = trail {
            self.trail.get_or_init(|| trail);
        }
    }

    /// Keeps what has been counted from growing where nobody reads it.
    pub(super) fn upkeep(&self) {
        self.recorder.run_upkeep();
    }

    /// The page of a path.
    pub(super) fn page(&self, path: &str) -> Answer {
        match path {
            "/metrics" => self.text(),
            "/healthz" => condition(&self.health.liveness()),
            "/readyz" => condition(&self.health.readiness(Instant::now())),
            _ => Answer::plain(Status::NotFound, "there are /metrics, /healthz and /readyz"),
        }
    }

    fn text(&self) -> Answer {
        let ready = self.health.readiness(Instant::now()).ok;
        gauge!(READY).set(f64::from(u8::from(ready)));
        gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        let manager = self.health.manager();
        if let Some(manager) = manager.as_ref()
            && let Err(error) = self.metrics.sample(manager)
        {
            tracing::warn!(%error, "the driver does not say how much memory there is");
        }
        drop(manager);
        if let Some(trail) = self.trail.get() {
            gauge!(AUDIT_RUNNING).set(f64::from(u8::from(trail.health().is_ok())));
            counter!(AUDIT_DROPPED).absolute(trail.dropped().unwrap_or(0));
        }
        self.recorder.run_upkeep();
        Answer {
            status: Status::Ok,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body: self.recorder.render(),
        }
    }
}

fn condition(condition: &Condition) -> Answer {
    let status = if condition.ok {
        Status::Ok
    } else {
        Status::Unavailable
    };
    match serde_json::to_string(condition) {
        Ok(body) => Answer {
            status,
            content_type: "application/json",
            body: format!("{body}\n"),
        },
        Err(error) => Answer::plain(Status::Unavailable, &error.to_string()),
    }
}
