//! The worker's audit trail, on disk, and read back.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use vram_audit::{Ending, Kind, Options, Record, Records, Source, Trail, Verifier, files_of};
use vram_residency::TrailObserver;
use vram_seal::{SignatureAlgorithm, SigningKey};

/// A trail that is being written.
#[derive(Debug)]
pub(crate) struct AuditTrail {
    observer: Arc<TrailObserver>,
    folder: TempDir,
}

impl AuditTrail {
    pub(crate) fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate(SignatureAlgorithm::Ed25519).unwrap();
        let options = Options::new("scenario").unwrap();
        let trail = Trail::open(folder.path().join("audit.jsonl"), key, options).unwrap();
        Self {
            observer: Arc::new(TrailObserver::new(trail)),
            folder,
        }
    }

    pub(crate) fn observer(&self) -> Arc<TrailObserver> {
        Arc::clone(&self.observer)
    }

    /// Closes the trail, which must be whole, and reads it. Its worker must have ended.
    pub(crate) fn end(self) -> History {
        let head = self.observer.close().unwrap();
        let files = files_of(self.path()).unwrap();
        let verdict = Verifier::new([self.observer.verifying_key().clone()])
            .expect_head(head)
            .verify_files(&files)
            .unwrap();
        assert!(verdict.is_intact(), "{verdict:?}");
        assert_eq!(verdict.summary().ending, Ending::Closed);
        let text = files
            .iter()
            .map(|file| std::fs::read_to_string(file).unwrap())
            .collect();
        let records = Records::new(files.into_iter().map(Source::file))
            .map(Result::unwrap)
            .filter(|record| record.kind == Kind::Event)
            .collect();
        History { records, text }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }
}

/// What a trail tells of a worker that has ended.
#[derive(Debug)]
pub(crate) struct History {
    /// The events, in order.
    records: Vec<Record>,
    /// The files, as they are.
    pub(crate) text: String,
}

impl History {
    /// Where the events of this name are, of this shard if one is named.
    pub(crate) fn places(&self, event: &str, shard: Option<&str>) -> Vec<usize> {
        let told = self.records.iter().enumerate().filter(|(_, record)| {
            record.name() == event && shard.is_none_or(|shard| record.shard() == Some(shard))
        });
        told.map(|(place, _)| place).collect()
    }

    /// The one event of this name, of this shard if one is named.
    pub(crate) fn the(&self, event: &str, shard: Option<&str>) -> (usize, &Record) {
        match self.places(event, shard)[..] {
            [place] => (place, &self.records[place]),
            ref places => panic!("{event} of {shard:?} at {places:?} of {}", self.text),
        }
    }

    /// The sum of a member of all events of this name.
    pub(crate) fn sum(&self, event: &str, member: &str) -> u64 {
        let told = self.places(event, None).into_iter();
        told.map(|place| self.records[place].event[member].as_u64().unwrap())
            .sum()
    }

    /// Requires that there is no event of these names.
    pub(crate) fn require_none(&self, events: &[&str]) {
        for event in events {
            assert!(
                self.places(event, None).is_empty(),
                "{event}: {}",
                self.text
            );
        }
    }
}

/// A member that is text.
pub(crate) fn text<'r>(record: &'r Record, member: &str) -> &'r str {
    record.event.get(member).and_then(Value::as_str).unwrap()
}
