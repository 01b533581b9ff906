//! Makes lines of records: numbers them, links them, signs checkpoints, decides where a file ends.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use vram_seal::SigningKey;

use crate::record::{Continued, Gap, Genesis, Opened, before_event};
use crate::{
    Clock, Error, Head, Kind, Options, Reason, RecordHash, Result, Store, TrailId, signature,
};

/// As much is gathered before it is given to the store, in bytes.
const GATHERED: usize = 256 << 10;

/// What a checkpoint's line may need, in bytes: room for one is kept at the end of every file.
const CHECKPOINT_ROOM: u64 = 1024;

/// What waits to be written.
#[derive(Debug)]
pub(crate) enum Entry {
    Event {
        time: Timestamp,
        critical: bool,
        json: String,
    },
    Gap(Gap),
}

/// Where a trail goes on.
#[derive(Debug)]
pub(crate) enum Start {
    /// Nothing there yet, but perhaps a torn first line that was cut off.
    Fresh { cut_bytes: u64 },
    /// A chain to continue.
    Existing {
        id: TrailId,
        head: Head,
        file: u32,
        /// Bytes in that file.
        bytes: u64,
        was_closed: bool,
        cut_bytes: u64,
        /// The head ended its file and the next is to be begun; true: it is there already, empty.
        next_file: Option<bool>,
    },
}

pub(crate) struct Scribe<S> {
    store: S,
    key: SigningKey,
    clock: Arc<dyn Clock>,
    name: String,
    id: TrailId,
    next_seq: u64,
    head: RecordHash,
    file: u32,
    bytes: u64,
    /// Whether the file holds more than its own first records.
    in_use: bool,
    unsigned: u64,
    checkpoint_every: u64,
    rotate_at: u64,
    gathered: Vec<u8>,
}

impl<S: Store> Scribe<S> {
    /// Writes what opens a trail, and returns once it is on disk.
    pub(crate) fn start(
        store: S,
        key: SigningKey,
        options: &Options,
        start: &Start,
    ) -> Result<Self> {
        let id = match start {
            Start::Fresh { .. } => TrailId::random()?,
            Start::Existing { id, .. } => *id,
        };
        let mut scribe = Self {
            store,
            key,
            clock: Arc::clone(&options.clock),
            name: options.name.clone(),
            id,
            next_seq: 0,
            head: RecordHash::NONE,
            file: 0,
            bytes: 0,
            in_use: false,
            unsigned: 0,
            checkpoint_every: options.checkpoint_every,
            rotate_at: options.rotate_at,
            gathered: Vec::new(),
        };
        let key = scribe.key.verifying_key().id();
        let opened = |was_closed, cut_bytes| Opened {
            key,
            was_closed,
            cut_bytes,
        };
        match *start {
            Start::Fresh { cut_bytes } => {
                let trail = scribe.name.clone();
                scribe.own(true, Kind::Genesis, &Genesis { trail, id, key })?;
                if cut_bytes > 0 {
                    scribe.own(true, Kind::Opened, &opened(false, cut_bytes))?;
                }
            }
            Start::Existing {
                head,
                file,
                bytes,
                was_closed,
                cut_bytes,
                next_file,
                ..
            } => {
                (scribe.file, scribe.bytes, scribe.in_use) = (file, bytes, true);
                scribe.head = head.hash;
                scribe.next_seq = following(head.seq)?;
                if let Some(there) = next_file {
                    scribe.begin_file(there)?;
                }
                scribe.own(true, Kind::Opened, &opened(was_closed, cut_bytes))?;
            }
        }
        scribe.checkpoint(Reason::Opened)?;
        scribe.sync()?;
        Ok(scribe)
    }

    pub(crate) const fn id(&self) -> TrailId {
        self.id
    }

    /// Whether the last record is a checkpoint, so that nothing waits for one.
    pub(crate) const fn is_signed(&self) -> bool {
        self.unsigned == 0
    }

    /// The last record; meaningful after the first.
    pub(crate) const fn head(&self) -> Head {
        Head {
            seq: self.next_seq.saturating_sub(1),
            hash: self.head,
        }
    }

    /// Records an entry; it may be gathered only, until [`sync`](Self::sync) or [`flush`](Self::flush).
    pub(crate) fn write(&mut self, entry: &Entry) -> Result<()> {
        match entry {
            Entry::Event {
                time,
                critical,
                json,
            } => {
                self.make_room(json.len())?;
                self.line(*time, *critical, Kind::Event, json)?;
            }
            Entry::Gap(gap) => {
                self.make_room(256)?;
                self.own(true, Kind::Gap, gap)?;
            }
        }
        self.in_use = true;
        if self.unsigned >= self.checkpoint_every {
            self.checkpoint(Reason::Interval)?;
            self.sync()?;
        }
        if self.gathered.len() >= GATHERED {
            self.flush()?;
        }
        Ok(())
    }

    pub(crate) fn checkpoint(&mut self, reason: Reason) -> Result<()> {
        let time = self.clock.now();
        let mut line = before_event(self.next_seq, self.head, time, false, Kind::Checkpoint);
        let (reason, key) = (json(&reason)?, self.key.verifying_key().id());
        line.push_str(&format!(r#"{{"reason":{reason},"key":"{key}""#));
        let signed = signature::sign(&self.key, self.id, line.as_bytes())?;
        line.push_str(signature::BEFORE);
        line.push_str(&signed);
        line.push_str(signature::AFTER);
        self.take(&line)?;
        self.unsigned = 0;
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        let written = self.store.append(&self.gathered);
        self.gathered.clear();
        written.map_err(|source| Error::write_failed("writing", source))
    }

    pub(crate) fn sync(&mut self) -> Result<()> {
        self.flush()?;
        let synced = self.store.sync();
        synced.map_err(|source| Error::write_failed("writing through to disk", source))
    }

    /// Ends the file if so many more bytes of event, and a checkpoint, would be too much for it.
    fn make_room(&mut self, event: usize) -> Result<()> {
        let event = u64::try_from(event).unwrap_or(u64::MAX);
        let after = self
            .bytes
            .saturating_add(event)
            .saturating_add(CHECKPOINT_ROOM);
        if !self.in_use || after.saturating_add(CHECKPOINT_ROOM) <= self.rotate_at {
            return Ok(());
        }
        self.checkpoint(Reason::Rotated)?;
        self.sync()?;
        self.begin_file(false)
    }

    fn begin_file(&mut self, is_there: bool) -> Result<()> {
        let file = self.file.checked_add(1).ok_or_else(|| {
            let source = std::io::Error::other("no file number is left");
            Error::write_failed("beginning a file", source)
        })?;
        if !is_there {
            let begun = self.store.next_file(file);
            begun.map_err(|source| Error::write_failed("beginning a file", source))?;
        }
        (self.file, self.bytes, self.in_use) = (file, 0, false);
        let continued = Continued {
            trail: self.name.clone(),
            id: self.id,
            key: self.key.verifying_key().id(),
            file,
            previous: self.head(),
        };
        self.own(false, Kind::Continued, &continued)
    }

    /// A record of the trail's own.
    fn own(&mut self, critical: bool, kind: Kind, body: &impl Serialize) -> Result<()> {
        let time = self.clock.now();
        self.line(time, critical, kind, &json(body)?)
    }

    fn line(&mut self, time: Timestamp, critical: bool, kind: Kind, event: &str) -> Result<()> {
        let mut line = before_event(self.next_seq, self.head, time, critical, kind);
        line.push_str(event);
        line.push('}');
        self.take(&line)
    }

    fn take(&mut self, line: &str) -> Result<()> {
        self.head = RecordHash::of(line.as_bytes());
        self.next_seq = following(self.next_seq)?;
        self.unsigned = self.unsigned.saturating_add(1);
        let len = u64::try_from(line.len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(len).saturating_add(1);
        self.gathered.extend_from_slice(line.as_bytes());
        self.gathered.push(b'\n');
        Ok(())
    }
}

fn following(seq: u64) -> Result<u64> {
    seq.checked_add(1).ok_or_else(|| {
        let source = std::io::Error::other("no sequence number is left");
        Error::write_failed("numbering", source)
    })
}

fn json(body: &impl Serialize) -> Result<String> {
    serde_json::to_string(body).map_err(|error| Error::write_failed("encoding", error.into()))
}
