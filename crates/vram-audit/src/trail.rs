//! The trail that events are appended to.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use serde::Serialize;
use vram_seal::{SigningKey, VerifyingKey};

use crate::queue::Queue;
use crate::record::depth_within;
use crate::scribe::{Scribe, Start};
use crate::{Clock, Error, Head, MAX_DEPTH, MAX_EVENT_BYTES, Options, Result, Store, TrailId};

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Recorded in the course of things.
    Routine,
    /// On disk and signed before `append` returns, and never dropped.
    Critical,
}

impl Urgency {
    /// Critical if so.
    #[must_use]
    pub const fn critical_if(critical: bool) -> Self {
        if critical {
            Self::Critical
        } else {
            Self::Routine
        }
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Appended {
    /// It is on disk, and signed.
    Durable,
    /// It will be written.
    Queued,
    /// It was dropped, because the store did not keep up, and is counted in the chain.
    Dropped,
}

/// An audit trail that is open for events. Any number of threads may append to it.
///
/// Dropping it closes it as [`close`](Self::close) does, without saying whether that worked.
#[derive(Debug)]
pub struct Trail {
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    writer: Option<JoinHandle<()>>,
    id: TrailId,
    public: VerifyingKey,
}

impl Trail {
    /// Opens the trail in the file at `path`, or creates it there.
    ///
    /// A file that exists is verified first, whole, against this key and the former ones, and the chain
    /// goes on from its end. A torn last line, left by a crash, is cut off, and the chain says so. Later files have the
    /// path with a dot and six digits appended; the newest is the one that goes on. The opening is on
    /// disk when this returns.
    ///
    /// # Errors
    /// [`Error::Locked`] if someone else writes to it; [`Error::Unsafe`] if it is a symbolic link, not a
    /// regular file, someone else's, has another name, or is open to group or others (mode 0600 is what
    /// it is created with), or if others may write to its directory; [`Error::NotIntact`];
    /// [`Error::OtherTrail`]; [`Error::Io`]; [`Error::OptionTooSmall`].
    #[cfg(unix)]
    pub fn open(
        path: impl AsRef<std::path::Path>,
        key: SigningKey,
        options: Options,
    ) -> Result<Self> {
        let options = options.checked()?;
        let (store, start) = crate::file::open(path.as_ref(), key.verifying_key(), &options)?;
        Self::start(store, key, &options, &start)
    }

    /// Begins a new trail in an empty store.
    ///
    /// # Errors
    /// [`Error::WriteFailed`] if the store fails; [`Error::OptionTooSmall`].
    pub fn begin_in(
        store: impl Store + 'static,
        key: SigningKey,
        options: Options,
    ) -> Result<Self> {
        let options = options.checked()?;
        Self::start(store, key, &options, &Start::Fresh { cut_bytes: 0 })
    }

    fn start(
        store: impl Store + 'static,
        key: SigningKey,
        options: &Options,
        start: &Start,
    ) -> Result<Self> {
        let public = key.verifying_key().clone();
        let scribe = Scribe::start(store, key, options, start)?;
        let id = scribe.id();
        let queue = Arc::new(Queue::new(options, scribe.head()));
        let served = Arc::clone(&queue);
        let writer = std::thread::Builder::new()
            .name("audit-trail".to_owned())
            .spawn(move || served.serve(scribe))
            .map_err(|source| Error::write_failed("starting the writer", source))?;
        Ok(Self {
            queue,
            clock: Arc::clone(&options.clock),
            writer: Some(writer),
            id,
            public,
        })
    }

    /// Records an event: anything that serializes to a JSON object.
    ///
    /// One that is critical is on disk when this returns `Ok`, or the trail has failed. For one that is
    /// routine it waits for room in the queue, within [`Options::patience`], and never for the disk.
    ///
    /// # Errors
    /// [`Error::Event`] if it can't become a record: no object, longer than [`MAX_EVENT_BYTES`], nested
    /// deeper than [`MAX_DEPTH`]. All others are final: the trail records nothing more.
    pub fn append<E: Serialize + ?Sized>(&self, urgency: Urgency, event: &E) -> Result<Appended> {
        let json = encode(event)?;
        let critical = urgency == Urgency::Critical;
        self.queue.append(self.clock.now(), critical, json)
    }

    /// The last record known to be on disk. Kept elsewhere it shows later whether the trail's end was cut
    /// off: see [`Verifier::expect_head`](crate::Verifier::expect_head).
    #[must_use]
    pub fn head(&self) -> Head {
        self.queue.head()
    }

    /// How many routine events were dropped since it was opened.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// Whether it still records.
    ///
    /// # Errors
    /// Why it doesn't.
    pub fn health(&self) -> Result<()> {
        self.queue.health()
    }

    /// The trail's identity.
    #[must_use]
    pub const fn id(&self) -> TrailId {
        self.id
    }

    /// What its checkpoints are checked with.
    #[must_use]
    pub const fn public_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// Writes what was accepted, signs the end and returns it, once it is on disk.
    ///
    /// # Errors
    /// What made the trail fail, now or before; [`Error::TooSlow`] after [`Options::critical_patience`].
    pub fn close(mut self) -> Result<Head> {
        self.end()
    }

    fn end(&mut self) -> Result<Head> {
        let Some(writer) = self.writer.take() else {
            return Err(Error::Closed);
        };
        let closed = self.queue.close();
        // A writer that hangs in its store can't be waited for.
        let hangs = matches!(closed, Err(Error::TooSlow { .. }));
        if !hangs && writer.join().is_err() {
            return Err(Error::WriterGone);
        }
        closed
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        // Whoever wants to know whether it worked calls `close`.
        drop(self.end());
    }
}

/// The event as JSON on one line, within the limits that a reader sets.
fn encode<E: Serialize + ?Sized>(event: &E) -> Result<String> {
    let refused = |reason: String| Error::Event { reason };
    let mut bounded = Bounded(Vec::new());
    serde_json::to_writer(&mut bounded, event).map_err(|error| refused(error.to_string()))?;
    let json = String::from_utf8(bounded.0).map_err(|error| refused(error.to_string()))?;
    if !json.starts_with('{') {
        return Err(refused(
            "it is not a JSON object: give a struct or a map".to_owned(),
        ));
    }
    if json.bytes().any(|byte| byte < b' ') {
        return Err(refused(
            "its JSON has line breaks or control characters".to_owned(),
        ));
    }
    depth_within(json.as_bytes(), MAX_DEPTH).map_err(|why| refused(why.to_owned()))?;
    Ok(json)
}

/// Takes as many bytes as an event may have.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > MAX_EVENT_BYTES {
            let limit = format!("it is longer than {MAX_EVENT_BYTES} bytes of JSON");
            return Err(io::Error::other(limit));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
