//! `vram seal --hold`: keeps shards sealed, verifies them again and again, and says how they are.

mod health;
mod http;
mod metrics;
mod request;
mod server;
mod signals;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use vram_residency::{Manager, MetricsObserver, Observer, SealedShard};

use self::health::Health;
use self::metrics::Exposition;
use self::server::Server;
use self::signals::Signals;
use crate::exit::{self, Exit, Misused};
use crate::output;
use crate::quantity::{parse_duration, time};
use crate::trail::Kept;

/// What is done once everything is sealed and verified.
#[derive(Debug, Args)]
#[command(next_help_heading = "Holding")]
pub(crate) struct HoldOptions {
    /// Keep the shards sealed until SIGTERM, SIGINT or SIGHUP, and verify them again and again. Then the memory is
    /// wiped and given back, and the trail closed. A verification that fails ends it, with 3.
    #[arg(long)]
    hold: bool,
    /// Verify that often; as 60s, 5m or 1h.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "60s",
        value_parser = parse_duration,
        requires = "hold"
    )]
    verify_every: Duration,
    /// Serve /metrics for Prometheus there, and /healthz and /readyz; as 127.0.0.1:9464. Ready means
    /// verified within the interval.
    #[arg(long, value_name = "ADDRESS", requires = "hold")]
    metrics: Option<SocketAddr>,
    /// Let --metrics listen on an address that other machines reach. What is served needs no password.
    #[arg(long, requires = "metrics")]
    metrics_public: bool,
}

/// Everything that holding needs, before there is anything to hold.
#[derive(Debug)]
pub(crate) struct Holding {
    every: Duration,
    health: Arc<Health>,
    metrics: Arc<MetricsObserver>,
    exposition: Option<Arc<Exposition>>,
    /// Serves as long as this lives.
    server: Option<Server>,
    /// Declared last: a signal that comes while the others end is still heard.
    signals: Signals,
}

/// What documents say of it.
#[derive(Serialize)]
pub(crate) struct HoldDocument {
    verify_every_seconds: f64,
    /// Where metrics and health are served.
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<SocketAddr>,
}

impl HoldOptions {
    /// Prepares to hold, if that is asked for: listens for signals, binds the address, and serves. What can't be
    /// had is refused before anything is sealed.
    pub(crate) fn prepare(&self) -> anyhow::Result<Option<Holding>> {
        if !self.hold {
            return Ok(None);
        }
        if let Some(address) = self.metrics
            && !address.ip().is_loopback()
            && !self.metrics_public
        {
            let what = format!(
                "--metrics {address} is reached from other machines: give a loopback address such as \
                 127.0.0.1:{}, or --metrics-public as well",
                address.port()
            );
            return Err(Misused(what).into());
        }
        let signals = Signals::listen()?;
        let health = Arc::new(Health::new(self.verify_every));
        // The recorder has to be there before anything is described to it.
        let recorder = self.metrics.map(|_| metrics::install()).transpose()?;
        let metrics = Arc::new(MetricsObserver::new());
        let exposition = recorder.map(|recorder| {
            let (health, metrics) = (Arc::clone(&health), Arc::clone(&metrics));
            Arc::new(Exposition::new(recorder, health, metrics))
        });
        let server = match (self.metrics, &exposition) {
            (Some(address), Some(exposition)) => {
                Some(Server::start(address, Arc::clone(exposition))?)
            }
            _ => None,
        };
        if let Some(server) = &server {
            let address = server.address();
            output::note(&format!(
                "serving http://{address}/metrics, /healthz and /readyz"
            ));
        }
        Ok(Some(Holding {
            every: self.verify_every,
            signals,
            health,
            metrics,
            exposition,
            server,
        }))
    }
}

impl Holding {
    /// What counts events.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::<MetricsObserver>::clone(&self.metrics)
    }

    /// Lets what is served know whom to ask.
    pub(crate) fn watch(&self, manager: &Manager, trail: Option<&Kept>) {
        self.health.watch(manager);
        if let Some(exposition) = &self.exposition {
            exposition.watch(trail.map(Kept::trail));
        }
    }

    /// Whether a signal asked for the end already.
    pub(crate) fn is_over(&self) -> bool {
        self.signals.came()
    }

    /// What documents say.
    pub(crate) fn document(&self) -> HoldDocument {
        HoldDocument {
            verify_every_seconds: self.every.as_secs_f64(),
            metrics: self.server.as_ref().map(Server::address),
        }
    }

    /// Lets go of the manager, so that it can end. What is served goes on and says that the end has come.
    pub(crate) fn release(&self) {
        self.health.release();
    }

    /// Holds shards that have just been verified, until a signal comes or one of them fails. Serves on: the shards are
    /// not to wait for a client.
    pub(crate) fn hold(&self, manager: &Manager, shards: &[&SealedShard]) -> Exit {
        self.health.verified(Instant::now());
        let count = match shards.len() {
            1 => "1 shard".to_owned(),
            count => format!("{count} shards"),
        };
        output::note(&format!(
            "holding {count}, verifying every {}; SIGTERM, SIGINT or SIGHUP ends it",
            time(self.every)
        ));
        let held = self.verify_until_the_end(manager, shards);
        match &held {
            Ok(()) => self.health.ending(),
            Err(error) => self.health.failed(&exit::message(error)),
        }
        match held {
            Ok(()) => Exit::Good,
            Err(error) => exit::told("seal", &error),
        }
    }

    fn verify_until_the_end(
        &self,
        manager: &Manager,
        shards: &[&SealedShard],
    ) -> anyhow::Result<()> {
        let mut began = Instant::now();
        while !self
            .signals
            .wait(self.every.saturating_sub(began.elapsed()))
        {
            began = Instant::now();
            verify(manager, shards)?;
            self.health.verified(Instant::now());
            if let Some(exposition) = &self.exposition {
                exposition.upkeep();
            }
        }
        Ok(())
    }
}

/// Looks at the device, the machine and every shard again.
fn verify(manager: &Manager, shards: &[&SealedShard]) -> anyhow::Result<()> {
    manager.recheck()?;
    let verified = manager.verify_all(shards.iter().copied())?;
    // The permits are given back at once: what is wanted is that they would be given.
    drop(verified.into_permits()?);
    Ok(())
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod tests {
    use vram_residency::{ManagerBuilder, SealRequest};
    use vram_seal::SealKey;

    use super::*;

    fn manager() -> (vram_sim::Machine, Manager) {
        let model = vram_sim::DeviceModel::small(64 << 20);
        let machine = vram_sim::Machine::builder().device(model).build().unwrap();
        let platform = vram_alloc::Platform::with_driver(machine.driver()).unwrap();
        let builder = ManagerBuilder::new()
            .key(SealKey::from_bytes(&[7; 32]).unwrap())
            .allow_simulated();
        (machine, builder.build(&platform).unwrap())
    }

    fn holding() -> Holding {
        let options = HoldOptions {
            hold: true,
            verify_every: Duration::from_millis(1),
            metrics: None,
            metrics_public: false,
        };
        options.prepare().unwrap().unwrap()
    }

    /// Covers: OB-1.
    #[test]
    fn a_bit_that_flips_while_it_is_held_ends_it_as_an_integrity_failure() {
        let (_machine, manager) = manager();
        let request = SealRequest::bytes("one".parse().unwrap(), &[1; 5000]);
        let mut shard = manager.seal(request).unwrap();
        manager.verify(&shard).map(drop).unwrap();
        let holding = holding();
        let health = Arc::clone(&holding.health);
        holding.watch(&manager, None);
        manager.damage(&mut shard, 4097, 3).unwrap();

        let exit = holding.hold(&manager, &[&shard]);

        assert_eq!(exit, Exit::Integrity);
        assert!(!health.readiness(Instant::now()).ok);
        assert!(!health.liveness().ok);
    }

    #[test]
    fn a_manager_that_was_stopped_is_held_no_longer_and_was_not_ready_at_once() {
        let (_machine, manager) = manager();
        let holding = holding();
        let health = Arc::clone(&holding.health);
        holding.watch(&manager, None);
        health.verified(Instant::now());
        assert!(health.readiness(Instant::now()).ok);

        manager.stop("an operator said so");

        let ready = health.readiness(Instant::now());
        assert!(ready.reason.contains("an operator said so"), "{ready:?}");
        assert!(!ready.ok);
        assert_eq!(holding.hold(&manager, &[]), Exit::Error);
    }
}
