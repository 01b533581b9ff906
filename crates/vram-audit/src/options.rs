//! How a trail is kept.

use std::sync::Arc;
use std::time::Duration;

use vram_seal::VerifyingKey;

use crate::{Clock, Error, Result, SystemClock};

/// What a trail does when its store can't keep up with routine events.
///
/// Critical events are never dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overload {
    /// `append` returns [`Error::Overrun`], and the trail has failed for good. What it accepted before is
    /// still written, with a checkpoint that says why it ends.
    #[default]
    Stop,
    /// Routine events are dropped and counted. A `gap` record in the chain says how many.
    DropRoutine,
}

/// How a trail is kept: its name, when it is signed and rotated, how long it may hold up its callers.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) name: String,
    pub(crate) checkpoint_every: u64,
    pub(crate) checkpoint_within: Duration,
    pub(crate) rotate_at: u64,
    pub(crate) queue_records: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) patience: Duration,
    pub(crate) critical_patience: Duration,
    pub(crate) overload: Overload,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) former_keys: Vec<VerifyingKey>,
}

impl Options {
    /// The least size at which files are rotated, in bytes.
    pub const MIN_ROTATE_AT: u64 = 4096;

    /// The usual way, for a trail of this name: a checkpoint every 256 records and within 10 s, files of
    /// 64 MiB, a queue of 4096 records and 8 MiB, 100 ms of patience for routine events and 30 s for
    /// critical ones.
    ///
    /// # Errors
    /// [`Error::TrailName`] unless the name has 1 to 128 of the characters `a-z A-Z 0-9 - _ . : @ /`.
    pub fn new(name: &str) -> Result<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@/".contains(&byte);
        if name.is_empty() || name.len() > 128 || !name.bytes().all(fits) {
            return Err(Error::TrailName {
                name: name.chars().take(128).collect(),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            checkpoint_every: 256,
            checkpoint_within: Duration::from_secs(10),
            rotate_at: 64 << 20,
            queue_records: 4096,
            queue_bytes: 8 << 20,
            patience: Duration::from_millis(100),
            critical_patience: Duration::from_secs(30),
            overload: Overload::default(),
            clock: Arc::new(SystemClock),
            former_keys: Vec::new(),
        })
    }

    /// Signs the chain after this many records at the latest. One that is critical is signed at once.
    #[must_use]
    pub const fn checkpoint_every(mut self, records: u64) -> Self {
        self.checkpoint_every = records;
        self
    }

    /// Signs a routine event, and has it on disk, after this long at the latest, as far as the store keeps
    /// up: a trail to which nothing more comes does not stay unsigned. Zero signs with each write.
    #[must_use]
    pub const fn checkpoint_within(mut self, bound: Duration) -> Self {
        self.checkpoint_within = bound;
        self
    }

    /// Goes on in another file before one grows beyond this many bytes. A record that is larger has a
    /// file to itself.
    #[must_use]
    pub const fn rotate_at(mut self, bytes: u64) -> Self {
        self.rotate_at = bytes;
        self
    }

    /// How many records, and how many bytes of events, wait for the store at most. What is being written
    /// counts; critical events are let in beyond it, one for each thread that waits for one.
    #[must_use]
    pub const fn queue(mut self, records: usize, bytes: usize) -> Self {
        self.queue_records = records;
        self.queue_bytes = bytes;
        self
    }

    /// How long `append` waits for room in the queue before [`Overload`] decides.
    #[must_use]
    pub const fn patience(mut self, bound: Duration) -> Self {
        self.patience = bound;
        self
    }

    /// How long `append` waits for a critical event to be on disk, and `close` for all of them, before
    /// the trail has failed.
    #[must_use]
    pub const fn critical_patience(mut self, bound: Duration) -> Self {
        self.critical_patience = bound;
        self
    }

    /// What happens when the store can't keep up.
    #[must_use]
    pub const fn overload(mut self, overload: Overload) -> Self {
        self.overload = overload;
        self
    }

    /// Where the time comes from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Keys that this trail was signed with before the present one: without them a trail whose key was
    /// changed is not continued.
    #[must_use]
    pub fn former_keys(mut self, keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        self.former_keys.extend(keys);
        self
    }

    pub(crate) fn checked(self) -> Result<Self> {
        let records = u64::try_from(self.queue_records).unwrap_or(u64::MAX);
        let bytes = u64::try_from(self.queue_bytes).unwrap_or(u64::MAX);
        for (what, found, minimum) in [
            ("checkpoint interval", self.checkpoint_every, 1),
            ("file size", self.rotate_at, Self::MIN_ROTATE_AT),
            ("queue length", records, 1),
            ("queue size", bytes, 1),
        ] {
            if found < minimum {
                return Err(Error::OptionTooSmall {
                    what,
                    found,
                    minimum,
                });
            }
        }
        Ok(self)
    }
}
