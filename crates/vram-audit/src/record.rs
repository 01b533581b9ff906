//! One record: how it is written as a line, and read from one.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use vram_seal::KeyId;

use crate::{RecordHash, TrailId};

/// The version of the format that this crate writes and reads.
pub const VERSION: u32 = 1;

/// The longest line that is read, in bytes, its newline included: 1 MiB.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// The longest event that is taken, in bytes of JSON: what the rest of a line needs less than a
/// line may have.
pub const MAX_EVENT_BYTES: usize = MAX_LINE_BYTES - 4096;

/// How deep objects and arrays in an event may lie in one another, the event itself included.
pub const MAX_DEPTH: usize = 32;

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// The trail's first record. It names the trail.
    Genesis,
    /// The first record of a later file. It names the end of the file before.
    Continued,
    /// A writer opened the trail again, and says how it found it.
    Opened,
    /// Something that happened.
    Event,
    /// Events were dropped here, and how many.
    Gap,
    /// A signature over the chain up to here.
    Checkpoint,
}

impl Kind {
    /// The name as it stands in a record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Continued => "continued",
            Self::Opened => "opened",
            Self::Event => "event",
            Self::Gap => "gap",
            Self::Checkpoint => "checkpoint",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why a checkpoint was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The trail was created or opened.
    Opened,
    /// So many records since the last one.
    Interval,
    /// A critical record came before it.
    Critical,
    /// The file ends here and the trail goes on in the next.
    Rotated,
    /// The trail was closed in order.
    Closed,
    /// The trail stopped because its store did not keep up.
    Overrun,
}

/// What a genesis record says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Genesis {
    pub(crate) trail: String,
    pub(crate) id: TrailId,
    pub(crate) key: KeyId,
}

/// What the first record of a later file says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Continued {
    pub(crate) trail: String,
    pub(crate) id: TrailId,
    pub(crate) key: KeyId,
    pub(crate) file: u32,
    pub(crate) previous: crate::Head,
}

/// What a writer says that found a trail.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opened {
    pub(crate) key: KeyId,
    /// Whether the trail had been closed in order.
    pub(crate) was_closed: bool,
    /// Bytes of a torn last line that were cut off.
    pub(crate) cut_bytes: u64,
}

/// What was dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gap {
    pub(crate) dropped: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

/// What a checkpoint says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkpoint {
    pub(crate) reason: Reason,
    pub(crate) key: KeyId,
    pub(crate) signature: String,
}

/// The beginning that every record of this place in the chain has.
pub(crate) fn beginning(seq: u64, prev: RecordHash) -> String {
    format!(r#"{{"version":{VERSION},"seq":{seq},"prev":"{prev}","time":""#)
}

/// A record's line without its newline, as far as the event; the caller appends `event` and `}`.
pub(crate) fn before_event(
    seq: u64,
    prev: RecordHash,
    time: Timestamp,
    critical: bool,
    kind: Kind,
) -> String {
    let beginning = beginning(seq, prev);
    format!(r#"{beginning}{time:.9}","critical":{critical},"kind":"{kind}","event":"#)
}

/// A line as it was read: nothing about it is verified but its form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line<'a> {
    pub(crate) version: u32,
    pub(crate) seq: u64,
    pub(crate) prev: RecordHash,
    #[serde(deserialize_with = "nanoseconds")]
    pub(crate) time: Timestamp,
    pub(crate) critical: bool,
    pub(crate) kind: Kind,
    #[serde(borrow)]
    pub(crate) event: &'a RawValue,
}

/// A time in the one form that is written: nine digits of a second, `Z`.
fn nanoseconds<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = <std::borrow::Cow<'_, str>>::deserialize(from)?;
    text.parse::<Timestamp>()
        .ok()
        .filter(|time| format!("{time:.9}") == text)
        .ok_or_else(|| serde::de::Error::custom("time is not RFC 3339 with nine digits and Z"))
}

/// The version alone, to tell a later format from a broken line.
#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

/// Why a line is no record.
#[derive(Debug)]
pub(crate) enum NoRecord {
    Version(u32),
    Malformed(String),
}

impl<'a> Line<'a> {
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, NoRecord> {
        let malformed = |reason: &dyn fmt::Display| NoRecord::Malformed(reason.to_string());
        depth_within(line, MAX_DEPTH.saturating_add(1)).map_err(|why| malformed(&why))?;
        let parsed: Self = match serde_json::from_slice(line) {
            Ok(parsed) => parsed,
            Err(error) => {
                return Err(match serde_json::from_slice::<VersionOnly>(line) {
                    Ok(VersionOnly { version }) if version != VERSION => NoRecord::Version(version),
                    _ => malformed(&error),
                });
            }
        };
        if parsed.version != VERSION {
            return Err(NoRecord::Version(parsed.version));
        }
        if !parsed.event.get().starts_with('{') {
            return Err(malformed(&"the event is not an object"));
        }
        Ok(parsed)
    }

    /// The event as one of this crate's own.
    pub(crate) fn body<T: Deserialize<'a>>(&self) -> Result<T, NoRecord> {
        serde_json::from_str(self.event.get())
            .map_err(|error| NoRecord::Malformed(error.to_string()))
    }
}

/// Refuses JSON that is nested deeper than this, without recursion and before it is parsed.
pub(crate) fn depth_within(json: &[u8], limit: usize) -> Result<(), &'static str> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return Err("nested deeper than 32 levels");
        }
    }
    Ok(())
}

/// A record, as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// The format's version.
    pub version: u32,
    /// Its place in the chain, from 0.
    pub seq: u64,
    /// The hash of the record before it.
    pub prev: RecordHash,
    /// When it happened, by the writer's clock.
    pub time: Timestamp,
    /// Whether it was on disk before the call that recorded it returned.
    pub critical: bool,
    /// What it is for.
    pub kind: Kind,
    /// What happened.
    pub event: Map<String, Value>,
    /// The hash of its own line.
    #[serde(skip)]
    pub hash: RecordHash,
}

impl Record {
    pub(crate) fn parse(line: &[u8]) -> Result<Self, NoRecord> {
        let parsed = Line::parse(line)?;
        Ok(Self {
            version: parsed.version,
            seq: parsed.seq,
            prev: parsed.prev,
            time: parsed.time,
            critical: parsed.critical,
            kind: parsed.kind,
            event: parsed.body()?,
            hash: RecordHash::of(line),
        })
    }

    /// The event's name: its member `event`; for records of the trail's own, their kind.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.kind {
            Kind::Event => self
                .event
                .get("event")
                .and_then(Value::as_str)
                .unwrap_or("event"),
            kind => kind.as_str(),
        }
    }

    /// The shard that the event is about: its member `shard` or `shard_id`, or that of its `record`.
    #[must_use]
    pub fn shard(&self) -> Option<&str> {
        fn of(object: &Map<String, Value>) -> Option<&str> {
            let shard = object.get("shard").or_else(|| object.get("shard_id"));
            shard.and_then(Value::as_str)
        }
        of(&self.event).or_else(|| of(self.event.get("record")?.as_object()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings_only() {
        let deep = |levels| ["[".repeat(levels), "]".repeat(levels)].concat();
        assert!(depth_within(deep(32).as_bytes(), MAX_DEPTH).is_ok());
        assert!(depth_within(deep(33).as_bytes(), MAX_DEPTH).is_err());
        let quoted = format!(r#"{{"a\"":"{}"}}"#, "[".repeat(100));
        assert!(depth_within(quoted.as_bytes(), MAX_DEPTH).is_ok());
    }

    #[test]
    fn a_time_with_fewer_digits_is_no_record() {
        let line = |time: &str| {
            let zeros = "0".repeat(64);
            format!(
                r#"{{"version":1,"seq":0,"prev":"{zeros}","time":"{time}","critical":false,"kind":"event","event":{{}}}}"#
            )
        };
        assert!(Line::parse(line("2026-01-02T03:04:05.000000006Z").as_bytes()).is_ok());
        for other in [
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.000000006+00:00",
        ] {
            assert!(Line::parse(line(other).as_bytes()).is_err(), "{other}");
        }
    }
}
