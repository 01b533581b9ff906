//! Keeps what happens in an audit trail.

use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::Serialize;
use vram_audit::{Head, Trail, TrailId, Urgency};
use vram_seal::VerifyingKey;

use crate::event::{Event, Observer, ObserverError};

/// The version of the events' form in a trail, its member `schema`: `docs/spec/audit-trail.md` has it.
pub const EVENT_SCHEMA: u32 = 1;

/// Records every event of one manager, or of several, in an audit trail.
///
/// An event that [is critical](Event::is_critical) is on disk, and signed, before the call that it is about
/// returns, and so is every seal: a shard that the trail doesn't hold is not given out. The others follow in
/// the background. If the trail fails, by a full disk or by one that is too slow, the manager stops; what a
/// slow disk may cost is set by [`vram_audit::Options`].
///
/// ```
/// use std::sync::Arc;
/// use vram_audit::{Options, Trail};
/// use vram_residency::{Manager, TrailObserver};
/// use vram_seal::{SignatureAlgorithm, SigningKey};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("audit.jsonl");
/// let key = SigningKey::generate(SignatureAlgorithm::Ed25519)?;
/// let trail = Trail::open(&path, key, Options::new("worker-0")?)?;
/// let audit = Arc::new(TrailObserver::new(trail));
/// let builder = Manager::builder().observer(audit.clone());
/// # let _ = builder;
/// // … and when the manager and its shards are gone:
/// let head = audit.close()?; // kept elsewhere, it shows later if the end was cut off
/// # let _ = head;
/// # Ok(())
/// # }
/// ```
pub struct TrailObserver {
    id: TrailId,
    key: VerifyingKey,
    /// None once it is closed.
    trail: RwLock<Option<Trail>>,
    seals_in_background: bool,
}

/// An event as a trail holds it.
#[derive(Serialize)]
struct Recorded<'a> {
    #[serde(flatten)]
    event: &'a Event<'a>,
    schema: u32,
}

impl TrailObserver {
    /// Records in this trail.
    #[must_use]
    pub fn new(trail: Trail) -> Self {
        Self {
            id: trail.id(),
            key: trail.public_key().clone(),
            trail: RwLock::new(Some(trail)),
            seals_in_background: false,
        }
    }

    /// Lets seals return before the trail has them on disk: for very many small shards on a slow disk. After
    /// a crash the last of them may be missing from the trail, and where
    /// [routine events may be dropped](vram_audit::Overload::DropRoutine), seals may be.
    #[must_use]
    pub fn seals_in_background(mut self) -> Self {
        self.seals_in_background = true;
        self
    }

    /// The trail's identity.
    #[must_use]
    pub const fn id(&self) -> TrailId {
        self.id
    }

    /// What the trail is checked with.
    #[must_use]
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Whether it still records.
    ///
    /// # Errors
    ///
    /// Why it doesn't: [`vram_audit::Error::Closed`], or what made it fail.
    pub fn health(&self) -> vram_audit::Result<()> {
        self.open()
            .as_ref()
            .ok_or(vram_audit::Error::Closed)?
            .health()
    }

    /// How many routine events were dropped since the trail was opened; none once it is closed.
    #[must_use]
    pub fn dropped(&self) -> Option<u64> {
        self.open().as_ref().map(Trail::dropped)
    }

    /// Closes the trail: everything is on disk, and signed, when this returns. Whatever comes after can't be
    /// recorded, and stops its manager: so first drop the shards, then the manager.
    ///
    /// # Errors
    ///
    /// What made the trail fail, now or before; [`vram_audit::Error::Closed`] if it is closed already.
    pub fn close(&self) -> vram_audit::Result<Head> {
        let trail = self.exclusive().take();
        trail.ok_or(vram_audit::Error::Closed)?.close()
    }

    fn urgency(&self, event: &Event<'_>) -> Urgency {
        let is_seal = matches!(event, Event::Sealed { .. });
        Urgency::critical_if(event.is_critical() || (is_seal && !self.seals_in_background))
    }

    /// The lock protects nothing that a panic could leave half done.
    fn open(&self) -> RwLockReadGuard<'_, Option<Trail>> {
        self.trail.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn exclusive(&self) -> RwLockWriteGuard<'_, Option<Trail>> {
        self.trail.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TrailObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrailObserver")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Observer for TrailObserver {
    fn on_event(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        let recorded = Recorded {
            event,
            schema: EVENT_SCHEMA,
        };
        let urgency = self.urgency(event);
        let trail = self.open();
        let trail = trail.as_ref().ok_or(vram_audit::Error::Closed)?;
        // A routine event that was dropped is counted in the chain: that is what was asked for.
        trail.append(urgency, &recorded)?;
        Ok(())
    }
}
