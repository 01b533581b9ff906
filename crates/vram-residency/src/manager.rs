//! The manager: one device, one key, the shards sealed there, and whether it may go on.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use vram_alloc::{Allocator, Capacity, DeviceProperties};
use vram_policy::{Policy, Report};
use vram_seal::{DeviceId, SealKeys, ShardId};

use crate::builder::ManagerBuilder;
use crate::clock::Timekeeper;
use crate::enforcement::{Surroundings, Watch};
use crate::event::{self, Event, Observer};
use crate::measurer::Measurer;
use crate::recheck::Rechecks;
use crate::residency::Residency;
use crate::staging::{StagingPool, StagingUse};
use crate::sync::{Mutex, MutexGuard, OnceLock, RwLock};
use crate::{Error, Result};

/// Seals weights into one device's memory and verifies them there.
///
/// Cheap to clone; clones are the same manager. All its operations may be called from several
/// threads at once.
///
/// It stops at the first failed verification, policy violation or loss of the device, and says so
/// from then on: it seals nothing and permits nothing more. Its shards can still be
/// [inspected](Self::inspect), and are wiped as they are dropped. What to do next is for the
/// operator to decide, with a new process.
#[derive(Clone)]
pub struct Manager {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// Declared first: they have ended before anything else here is gone.
    rechecks: OnceLock<Rechecks>,
    pub(crate) settings: Settings,
    /// One measurement at a time: each keeps the whole device busy.
    measurer: Mutex<Measurer>,
    /// Ids of shards that are sealed, or being sealed.
    live: Mutex<BTreeSet<ShardId>>,
    stopped: OnceLock<String>,
    /// For proofs of where shards lie.
    pub(crate) residency: Residency,
}

/// What a manager is made of.
pub(crate) struct Settings {
    pub(crate) allocator: Allocator,
    pub(crate) device_id: DeviceId,
    pub(crate) watch: Watch,
    /// As they were judged when the manager was made.
    pub(crate) surroundings: Surroundings,
    pub(crate) keys: RwLock<SealKeys>,
    pub(crate) max_shard_size: u64,
    pub(crate) max_age: Option<Duration>,
    pub(crate) staging: StagingPool,
    pub(crate) time: Timekeeper,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
}

impl Manager {
    /// Configures a manager.
    pub fn builder() -> ManagerBuilder {
        ManagerBuilder::new()
    }

    pub(crate) fn new(settings: Settings, measurer: Measurer) -> Self {
        Self {
            inner: Arc::new(Inner {
                rechecks: OnceLock::new(),
                settings,
                measurer: Mutex::new(measurer),
                live: Mutex::default(),
                stopped: OnceLock::new(),
                residency: Residency::default(),
            }),
        }
    }

    /// Has itself re-checked until it is dropped or stops.
    pub(crate) fn recheck_every(&self, every: Duration) -> Result<()> {
        let rechecks = Rechecks::start(self, every)?;
        // There is one such call, before anybody else has the manager.
        self.inner.rechecks.get_or_init(|| rechecks);
        Ok(())
    }

    /// The device, as the driver described it.
    #[must_use]
    pub fn device(&self) -> &DeviceProperties {
        self.inner.settings.allocator.device().properties()
    }

    /// The device's identity, as seal records have it.
    #[must_use]
    pub fn device_id(&self) -> DeviceId {
        self.inner.settings.device_id
    }

    /// What the policy found of the device when the manager was made.
    #[must_use]
    pub fn device_report(&self) -> &Report {
        &self.inner.settings.surroundings.device
    }

    /// What the policy found of the machine and of this process when the manager was made.
    #[must_use]
    pub fn host_report(&self) -> &Report {
        &self.inner.settings.surroundings.host
    }

    /// The policy that the manager enforces.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        self.inner.settings.watch.policy()
    }

    /// The device's memory, and the shards' part in it, at one moment.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`] if the driver won't say.
    pub fn capacity(&self) -> Result<Capacity> {
        Ok(self.inner.settings.allocator.capacity()?)
    }

    /// The pinned host memory that seals use at this moment.
    #[must_use]
    pub fn staging(&self) -> StagingUse {
        self.inner.settings.staging.in_use()
    }

    /// The ids of the shards that are sealed, or being sealed, in order.
    #[must_use]
    pub fn shard_ids(&self) -> Vec<ShardId> {
        lock(&self.inner.live).iter().cloned().collect()
    }

    /// Why the manager has stopped, if it has.
    #[must_use]
    pub fn stop_reason(&self) -> Option<&str> {
        self.inner.stopped.get().map(String::as_str)
    }

    /// Stops the manager: nothing more is sealed or permitted, for good. The first reason counts, and is
    /// told as [`Event::ManagerStopped`].
    pub fn stop(&self, reason: &str) {
        if self.close_down(reason) {
            self.tell_anyway(&Event::ManagerStopped { reason });
        }
    }

    /// Stops, and says whether it had not before. Nobody is told.
    fn close_down(&self, reason: &str) -> bool {
        self.inner.stopped.set(reason.to_owned()).is_ok()
    }

    pub(crate) fn require_running(&self) -> Result<()> {
        self.stop_reason()
            .map_or(Ok(()), |_| Err(self.stopped_error()))
    }

    pub(crate) fn stopped_error(&self) -> Error {
        Error::Stopped {
            reason: self.stop_reason().unwrap_or("the shard is gone").to_owned(),
        }
    }

    /// Stops if the error is one that nothing should go on after.
    pub(crate) fn stop_if_fatal(&self, error: &Error) {
        if error.is_fatal() {
            self.stop(&error.to_string());
        }
    }

    /// Lets the observers know of something. If one of them must keep it and can't, the manager stops.
    pub(crate) fn tell(&self, event: &Event<'_>) -> Result<()> {
        let told = event::tell(&self.inner.settings.observers, event);
        told.inspect_err(|error| self.stop(&error.to_string()))
    }

    /// The same of what nothing can be kept back for any more: that the manager has stopped is all that an
    /// observer's failure can change.
    pub(crate) fn tell_anyway(&self, event: &Event<'_>) {
        if let Err(error) = self.tell(event) {
            tracing::error!(%error, "an event is lost");
        }
    }

    /// Tells what went wrong, and stops if it is something that nothing should go on after: at once, before
    /// anybody takes the time to write it down.
    pub(crate) fn tell_failure(
        &self,
        error: &Error,
        shard: Option<&ShardId>,
        event: Option<&Event<'_>>,
    ) {
        let violation = match error {
            Error::Policy(refusal) => Some(Event::policy_violation(shard, refusal)),
            _ => None,
        };
        let events = violation.iter().chain(event);
        let reason = error.to_string();
        self.tell_then_of_stop(error.is_fatal().then_some(&*reason), events);
    }

    /// Stops for something that is told first.
    pub(crate) fn stop_for(&self, reason: &str, event: &Event<'_>) {
        self.tell_then_of_stop(Some(reason), [event]);
    }

    fn tell_then_of_stop<'a>(
        &self,
        reason: Option<&str>,
        events: impl IntoIterator<Item = &'a Event<'a>>,
    ) {
        let stops = reason.filter(|reason| self.close_down(reason));
        for event in events {
            self.tell_anyway(event);
        }
        if let Some(reason) = stops {
            self.tell_anyway(&Event::ManagerStopped { reason });
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn measurer(&self) -> MutexGuard<'_, Measurer> {
        lock(&self.inner.measurer)
    }

    /// The time, which never goes back: a clock that was set back is an error.
    pub(crate) fn now(&self) -> Result<Duration> {
        self.inner.settings.time.now()
    }

    /// Reserves an id for a shard that is being sealed.
    pub(crate) fn claim(&self, id: &ShardId) -> Result<Claim<'_>> {
        if !lock(&self.inner.live).insert(id.clone()) {
            return Err(Error::Duplicate { shard: id.clone() });
        }
        Ok(Claim {
            manager: self,
            id: Some(id.clone()),
        })
    }

    pub(crate) fn forget(&self, id: &ShardId) {
        lock(&self.inner.live).remove(id);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = event::tell(&self.settings.observers, &Event::ManagerEnded {}) {
            tracing::error!(%error, "an event is lost");
        }
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("device", self.settings().allocator.device())
            .field("stopped", &self.stop_reason())
            .finish_non_exhaustive()
    }
}

/// What the lock protects is whole at every moment at which a panic could strike.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An id held while its shard is being sealed; given up if that fails.
pub(crate) struct Claim<'a> {
    manager: &'a Manager,
    id: Option<ShardId>,
}

impl Claim<'_> {
    /// The shard is sealed: it holds the id from here on.
    pub(crate) fn pass_on(mut self) {
        self.id = None;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            self.manager.forget(id);
        }
    }
}
