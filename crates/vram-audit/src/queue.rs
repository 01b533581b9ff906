//! What waits between the threads that append and the one that writes.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::record::Gap;
use crate::scribe::{Entry, Scribe};
use crate::{Appended, Error, Head, Options, Overload, Reason, Result, Store};

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    records: usize,
    bytes: usize,
    patience: Duration,
    critical_patience: Duration,
    checkpoint_within: Duration,
    overload: Overload,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Entry>,
    /// When the first of them was accepted, or the first that was written since and not yet signed.
    unsigned_since: Option<Instant>,
    /// Events that were dropped after all that wait.
    gap: Option<Gap>,
    /// Events accepted and not yet written, those being written included.
    pending: usize,
    pending_bytes: usize,
    /// Events accepted, ever.
    accepted: u64,
    /// How many of them are known to be on disk.
    durable: u64,
    /// The last record known to be on disk.
    head: Head,
    dropped: u64,
    closing: bool,
    failed: Option<Error>,
    /// Nothing more will be written.
    ended: bool,
}

impl Queue {
    pub(crate) fn new(options: &Options, head: Head) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                unsigned_since: None,
                gap: None,
                pending: 0,
                pending_bytes: 0,
                accepted: 0,
                durable: 0,
                head,
                dropped: 0,
                closing: false,
                failed: None,
                ended: false,
            }),
            changed: Condvar::new(),
            records: options.queue_records,
            bytes: options.queue_bytes,
            patience: options.patience,
            critical_patience: options.critical_patience,
            checkpoint_within: options.checkpoint_within,
            overload: options.overload,
        }
    }

    /// A thread that panicked with the lock left a state that is whole: no step of a change can panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        state: MutexGuard<'a, State>,
        bound: Duration,
        condition: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout_while(state, bound, condition);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn head(&self) -> Head {
        self.lock().head
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    pub(crate) fn health(&self) -> Result<()> {
        self.lock().open()
    }

    pub(crate) fn append(&self, time: Timestamp, critical: bool, json: String) -> Result<Appended> {
        let len = json.len();
        let mut state = self.lock();
        state.open()?;
        if !critical {
            let full = |state: &mut State| state.open().is_ok() && self.is_full(state, len);
            if full(&mut state) {
                state = self.wait_while(state, self.patience, full);
            }
            state.open()?;
            if self.is_full(&state, len) {
                return self.overload(&mut state, time);
            }
        }
        if let Some(gap) = state.gap.take() {
            state.waiting.push_back(Entry::Gap(gap));
        }
        state.waiting.push_back(Entry::Event {
            time,
            critical,
            json,
        });
        state.pending = state.pending.saturating_add(1);
        state.pending_bytes = state.pending_bytes.saturating_add(len);
        state.accepted = state.accepted.saturating_add(1);
        state.unsigned_since.get_or_insert_with(Instant::now);
        let ticket = state.accepted;
        self.changed.notify_all();
        if !critical {
            return Ok(Appended::Queued);
        }
        let outstanding = |state: &mut State| state.durable < ticket && !state.ended;
        state = self.wait_while(state, self.critical_patience, outstanding);
        if state.durable >= ticket {
            return Ok(Appended::Durable);
        }
        Err(self.give_up(&mut state))
    }

    fn is_full(&self, state: &State, len: usize) -> bool {
        state.pending >= self.records
            || (state.pending > 0 && state.pending_bytes.saturating_add(len) > self.bytes)
    }

    fn overload(&self, state: &mut State, time: Timestamp) -> Result<Appended> {
        match self.overload {
            Overload::DropRoutine => {
                state.dropped = state.dropped.saturating_add(1);
                let gap = state.gap.get_or_insert(Gap {
                    dropped: 0,
                    first: time,
                    last: time,
                });
                gap.dropped = gap.dropped.saturating_add(1);
                gap.last = time;
                Ok(Appended::Dropped)
            }
            Overload::Stop => {
                let error = Error::Overrun {
                    queued: state.pending,
                    bytes: state.pending_bytes,
                };
                state.failed.get_or_insert_with(|| error.clone());
                self.changed.notify_all();
                Err(error)
            }
        }
    }

    /// What to say when something did not reach the disk: the failure, or that the bound passed.
    fn give_up(&self, state: &mut State) -> Error {
        let bound = self.critical_patience;
        let error = match (&state.failed, state.ended) {
            (Some(error), true) => error.clone(),
            _ => Error::TooSlow { bound },
        };
        state.failed.get_or_insert_with(|| error.clone());
        state.ended = true;
        self.changed.notify_all();
        error
    }

    /// Has everything written that was accepted, and ends. Returns the last record.
    pub(crate) fn close(&self) -> Result<Head> {
        let mut state = self.lock();
        state.closing = true;
        self.changed.notify_all();
        state = self.wait_while(state, self.critical_patience, |state| !state.ended);
        if !state.ended {
            return Err(self.give_up(&mut state));
        }
        state.failed.clone().map_or(Ok(state.head), Err)
    }

    /// Writes what is appended, until the trail is closed or fails.
    pub(crate) fn serve<S: Store>(self: &Arc<Self>, mut scribe: Scribe<S>) {
        let guard = EndsIfAbandoned(self);
        while let Some(batch) = self.next_batch() {
            let written = write(&mut scribe, &batch);
            let mut state = self.lock();
            match written {
                Ok(synced) => {
                    if synced && !state.ended {
                        state.durable = batch.accepted;
                        state.head = scribe.head();
                    }
                    if !synced {
                        // What was accepted while this was written is younger.
                        state.unsigned_since = batch.unsigned_since.or(state.unsigned_since);
                    }
                }
                Err(error) => {
                    state.failed.get_or_insert(error);
                    state.ended = true;
                }
            }
            state.pending = state.pending.saturating_sub(batch.events);
            state.pending_bytes = state.pending_bytes.saturating_sub(batch.bytes);
            state.ended |= batch.last.is_some();
            self.changed.notify_all();
        }
        drop(guard);
    }

    /// Everything that waits now, nothing if a checkpoint is due, or none if nothing is to be written any
    /// more.
    fn next_batch(&self) -> Option<Batch> {
        let mut state = self.lock();
        let is_due = loop {
            if state.ended {
                return None;
            }
            // How much longer the oldest record may go without a signature. A bound that the clock does not
            // reach is none.
            let left = state
                .unsigned_since
                .and_then(|since| since.checked_add(self.checkpoint_within))
                .map(|due| due.saturating_duration_since(Instant::now()));
            let is_due = left.is_some_and(|left| left.is_zero());
            let idle = state.waiting.is_empty() && state.gap.is_none();
            if !idle || is_due || state.closing || state.failed.is_some() {
                break is_due;
            }
            state = match left {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        };
        let mut entries: Vec<_> = state.waiting.drain(..).collect();
        entries.extend(state.gap.take().map(Entry::Gap));
        let lens = entries.iter().filter_map(|entry| match entry {
            Entry::Event { json, .. } => Some(json.len()),
            Entry::Gap(_) => None,
        });
        let (events, bytes) = lens.fold((0_usize, 0_usize), |(events, bytes), len| {
            (events.saturating_add(1), bytes.saturating_add(len))
        });
        let last = match (&state.failed, state.closing) {
            (Some(_), _) => Some(Reason::Overrun),
            (None, true) => Some(Reason::Closed),
            (None, false) => None,
        };
        Some(Batch {
            unsigned_since: state.unsigned_since.take(),
            is_due,
            entries,
            events,
            bytes,
            accepted: state.accepted,
            last,
        })
    }
}

impl State {
    fn open(&self) -> Result<()> {
        match &self.failed {
            Some(error) => Err(error.clone()),
            None if self.closing || self.ended => Err(Error::Closed),
            None => Ok(()),
        }
    }
}

struct Batch {
    entries: Vec<Entry>,
    events: usize,
    bytes: usize,
    /// Events accepted up to the end of this batch.
    accepted: u64,
    /// When the first event was accepted that no signature covers before this batch is written.
    unsigned_since: Option<Instant>,
    /// That was so long ago that a checkpoint has to follow.
    is_due: bool,
    /// Why nothing comes after it.
    last: Option<Reason>,
}

/// Writes a batch; true if all of it, and all before it, is on disk.
fn write<S: Store>(scribe: &mut Scribe<S>, batch: &Batch) -> Result<bool> {
    let mut urgent = false;
    for entry in &batch.entries {
        urgent |= match entry {
            Entry::Event { critical, .. } => *critical,
            Entry::Gap(_) => true,
        };
        scribe.write(entry)?;
    }
    let due = batch.is_due && !scribe.is_signed();
    let reason = batch
        .last
        .or_else(|| urgent.then_some(Reason::Critical))
        .or_else(|| due.then_some(Reason::Interval));
    match reason {
        Some(reason) => {
            scribe.checkpoint(reason)?;
            scribe.sync()?;
            Ok(true)
        }
        // A checkpoint for the number of records is on disk when `write` returns.
        None if scribe.is_signed() => Ok(true),
        None => scribe.flush().map(|()| false),
    }
}

/// Whoever waits for the writer is told if it ends by a panic.
struct EndsIfAbandoned<'a>(&'a Queue);

impl Drop for EndsIfAbandoned<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if !state.ended {
            state.ended = true;
            state.failed.get_or_insert(Error::WriterGone);
        }
        self.0.changed.notify_all();
    }
}
