//! Whether shards that are held are as they were sealed, as far as is known at this moment.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use serde::Serialize;
use vram_residency::Manager;

/// How much later than the interval a verification may end and still be on time: a tenth of it and a second, since
/// no two take equally long.
const SLACK: Duration = Duration::from_secs(1);

/// What is known of the shards.
#[derive(Debug)]
pub(super) struct Health {
    limit: Duration,
    state: Mutex<State>,
    /// Once there is one, and while there is.
    manager: RwLock<Option<Manager>>,
}

#[derive(Clone, Debug)]
enum State {
    /// Nothing was verified yet.
    Sealing,
    /// Everything was, then.
    Verified(Instant),
    /// Something was not as it was sealed.
    Failed(String),
    /// A signal came.
    Ending,
}

/// What is told of it.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Condition {
    /// Whether the answer is yes.
    pub(super) ok: bool,
    /// Why.
    pub(super) reason: String,
    /// How long ago everything was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verified_seconds_ago: Option<f64>,
    /// How long ago it may be.
    pub(super) limit_seconds: f64,
}

impl Health {
    /// For verifications at this interval.
    pub(super) fn new(every: Duration) -> Self {
        let tenth = every.checked_div(10).unwrap_or_default();
        Self {
            limit: every.saturating_add(tenth).saturating_add(SLACK),
            state: Mutex::new(State::Sealing),
            manager: RwLock::new(None),
        }
    }

    /// Asks this manager from now on whether it has stopped.
    pub(super) fn watch(&self, manager: &Manager) {
        let mut asked = self.manager.write().unwrap_or_else(PoisonError::into_inner);
        *asked = Some(manager.clone());
    }

    /// Asks the manager nothing more: it can end after that. Whoever is asking it at this moment is waited for.
    pub(super) fn release(&self) {
        let mut asked = self.manager.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = asked.take().and_then(|manager| {
            // What it stopped for is still told after.
            manager.stop_reason().map(str::to_owned)
        }) {
            self.failed(&format!("the manager has stopped: {reason}"));
        } else if !matches!(*self.state(), State::Failed(_)) {
            self.ending();
        }
    }

    /// The manager, while there is one. It can't end before this is dropped.
    pub(super) fn manager(&self) -> RwLockReadGuard<'_, Option<Manager>> {
        self.manager.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything was verified.
    pub(super) fn verified(&self, at: Instant) {
        *self.state() = State::Verified(at);
    }

    /// Something was not as it was sealed.
    pub(super) fn failed(&self, reason: &str) {
        *self.state() = State::Failed(reason.to_owned());
    }

    /// The end was asked for.
    pub(super) fn ending(&self) {
        *self.state() = State::Ending;
    }

    /// Whether the shards may be used: verified within the interval, and nothing wrong since.
    pub(super) fn readiness(&self, now: Instant) -> Condition {
        let state = self.state().clone();
        let ago = match state {
            State::Verified(at) => Some(now.saturating_duration_since(at)),
            _ => None,
        };
        let no = |reason: String| (false, reason);
        let stopped = self.stopped();
        let (ok, reason) = match (stopped, state, ago) {
            (Some(reason), _, _) => no(format!("the manager has stopped: {reason}")),
            (None, State::Sealing, _) => no("sealing; nothing is verified yet".to_owned()),
            (None, State::Failed(reason), _) => no(reason),
            (None, State::Ending, _) => no("ending, as a signal asked for".to_owned()),
            (None, State::Verified(_), Some(ago)) if ago > self.limit => {
                no("the last verification that passed is too long ago".to_owned())
            }
            (None, State::Verified(_), _) => (true, "verified within the interval".to_owned()),
        };
        self.condition(ok, reason, ago)
    }

    /// Whether the process can still come to a good end: not once something failed, or the manager has stopped.
    pub(super) fn liveness(&self) -> Condition {
        let (ok, reason) = match (self.stopped(), self.state().clone()) {
            (Some(reason), _) => (false, format!("the manager has stopped: {reason}")),
            (None, State::Failed(reason)) => (false, reason),
            (None, _) => (true, "running".to_owned()),
        };
        self.condition(ok, reason, None)
    }

    fn condition(&self, ok: bool, reason: String, ago: Option<Duration>) -> Condition {
        Condition {
            ok,
            reason,
            verified_seconds_ago: ago.map(|ago| ago.as_secs_f64()),
            limit_seconds: self.limit.as_secs_f64(),
        }
    }

    fn stopped(&self) -> Option<String> {
        let manager = self.manager();
        manager.as_ref()?.stop_reason().map(str::to_owned)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Covers: OB-1.
    #[test]
    fn ready_means_verified_within_the_interval() {
        let health = Health::new(MINUTE);
        let then = Instant::now();
        assert!(!health.readiness(then).ok, "nothing is verified yet");

        health.verified(then);

        assert!(health.readiness(then).ok);
        assert!(health.readiness(then + MINUTE).ok);
        assert!(health.readiness(then + Duration::from_secs(67)).ok);
        let late = health.readiness(then + Duration::from_millis(67_001));
        assert!(!late.ok);
        assert_eq!(late.verified_seconds_ago, Some(67.001));
        assert_eq!(late.limit_seconds, 67.0);
        assert!(health.liveness().ok);
        health.verified(then + MINUTE * 2);
        assert!(health.readiness(then + MINUTE * 3).ok);
    }

    /// Covers: OB-1.
    #[test]
    fn what_failed_is_neither_ready_nor_alive() {
        let health = Health::new(MINUTE);
        health.verified(Instant::now());

        health.failed("a bit is not what it was");

        let ready = health.readiness(Instant::now());
        assert_eq!(
            (ready.ok, &*ready.reason),
            (false, "a bit is not what it was")
        );
        assert!(!health.liveness().ok);
    }

    #[test]
    fn what_ends_is_not_ready_and_alive() {
        let health = Health::new(MINUTE);
        health.verified(Instant::now());

        health.ending();

        assert!(!health.readiness(Instant::now()).ok);
        assert!(health.liveness().ok);
    }
}
