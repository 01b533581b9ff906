//! Which records are wanted.

use jiff::Timestamp;

use crate::Record;

/// Which records are wanted: those that answer to everything that is set.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The event's name, or the kind of a record of the trail's own.
    pub event: Option<String>,
    /// The shard that it is about.
    pub shard: Option<String>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Only those that are critical.
    pub critical: bool,
}

impl Filter {
    /// Whether this record is wanted.
    #[must_use]
    pub fn wants(&self, record: &Record) -> bool {
        self.event
            .as_deref()
            .is_none_or(|event| event == record.name())
            && self
                .shard
                .as_deref()
                .is_none_or(|shard| Some(shard) == record.shard())
            && self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
            && (record.critical || !self.critical)
    }
}
