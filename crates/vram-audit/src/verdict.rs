//! What a verification found.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use vram_seal::KeyId;

use crate::{Head, TrailId};

/// Whether a trail is what its writer wrote.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
#[must_use]
pub enum Verdict {
    /// Every record is in its place, every checkpoint's signature holds.
    ///
    /// Read how it ends and how far it is signed: see [`Ending`] and [`Summary::signed_through`].
    Intact(Summary),
    /// Some record is not what was written.
    Broken {
        /// The first one, and why.
        fault: Box<Fault>,
        /// What was found before it.
        before: Summary,
    },
}

impl Verdict {
    /// Whether nothing was found wrong.
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        matches!(self, Self::Intact(_))
    }

    /// What was found, as far as the trail is intact.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        match self {
            Self::Intact(summary) => summary,
            Self::Broken { before, .. } => before,
        }
    }
}

/// What a trail holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Its name.
    pub trail: Option<String>,
    /// Its identity.
    pub id: Option<TrailId>,
    /// The first record's sequence number: 0, or that of the continuation it began with.
    pub first_seq: u64,
    /// The last record.
    pub head: Option<Head>,
    /// How many records there are.
    pub records: u64,
    /// How many of them are critical.
    pub critical: u64,
    /// How many events were dropped, as the trail itself says.
    pub dropped: u64,
    /// How often it was opened again without having been closed: after crashes.
    pub crashes: u64,
    /// Up to which sequence number a signature vouches for it. Whoever can write the file could have
    /// replaced what comes after.
    pub signed_through: Option<u64>,
    /// How it ends.
    pub ending: Ending,
    /// How many files were read.
    pub files: u64,
    /// Bytes of complete lines in the last of them.
    #[serde(skip)]
    pub(crate) complete_bytes: u64,
    /// Its number.
    #[serde(skip)]
    pub(crate) last_file: u32,
}

/// How a trail ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "ending", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// With a complete record that does not close it: it is being written, its writer was killed, or
    /// later records were cut off. [`Verifier::expect_head`](crate::Verifier::expect_head) tells the
    /// last apart.
    #[default]
    Open,
    /// It was closed in order.
    Closed,
    /// It stopped because its store did not keep up, and says so.
    Overrun,
    /// Its last file says that it goes on in another, which was not given.
    Rotated,
    /// In the middle of a line that can be the beginning of the next record: its writer is writing it,
    /// or was killed while it did. No call had returned for what that line would have held.
    Torn {
        /// Bytes of it.
        bytes: u64,
    },
    /// With zeros up to the end of the file, after its last complete record or after a line that is torn: a
    /// loss of power leaves that where the file had grown and its blocks were not written. No critical event
    /// that was acknowledged was there.
    Zeroed {
        /// Bytes of it, those of the torn line included.
        bytes: u64,
    },
}

/// The first record that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: u64,
    /// The sequence number that the record has, or should have.
    pub seq: u64,
    /// What is wrong.
    #[serde(flatten)]
    pub why: Why,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            seq,
            why,
        } = self;
        write!(
            formatter,
            "{} line {line}, record {seq}: {why}",
            file.display()
        )
    }
}

/// Why a record is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Why {
    /// It was changed.
    Edited {
        /// How that shows.
        detail: String,
    },
    /// It is missing, and those up to the one that follows.
    Removed {
        /// The sequence number that comes instead.
        found: u64,
    },
    /// Another stands in its place; it comes later.
    Reordered {
        /// The sequence number of the other.
        found: u64,
    },
    /// The line at this place is there again elsewhere, or has a number that was used before.
    Repeated {
        /// The sequence number of that line.
        found: u64,
    },
    /// It was put between two that belong together.
    Inserted,
    /// The end of this file, or of the trail, was cut off.
    Truncated {
        /// How that shows.
        detail: String,
    },
    /// It is signed with a key that was not given.
    ForeignKey {
        /// That key.
        key: KeyId,
    },
    /// Its signature does not hold: it, or something since the checkpoint before it, was changed, and
    /// the hashes after the change made anew.
    Forged {
        /// The last record that a signature vouches for.
        signed_through: Option<u64>,
    },
    /// It has another version of the format than this program reads.
    UnknownVersion {
        /// That version.
        found: u32,
    },
    /// Its line is longer than a writer makes one.
    TooLong,
    /// There is no record at all.
    Empty,
    /// It is of another trail than the one that was asked for.
    OtherTrail {
        /// Its identity.
        found: TrailId,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { detail } => write!(formatter, "edited: {detail}"),
            Self::Removed { found } => write!(formatter, "removed: record {found} comes instead"),
            Self::Reordered { found } => {
                write!(
                    formatter,
                    "reordered: record {found} comes instead, and it later"
                )
            }
            Self::Repeated { found } => write!(formatter, "repeated: record {found} again"),
            Self::Inserted => formatter.write_str("inserted between two that belong together"),
            Self::Truncated { detail } => write!(formatter, "truncated: {detail}"),
            Self::ForeignKey { key } => {
                write!(formatter, "signed with a key that was not given, {key}")
            }
            Self::Forged {
                signed_through: Some(seq),
            } => write!(
                formatter,
                "forged: the signature does not hold; changed after record {seq}, where the last one that does stands"
            ),
            Self::Forged {
                signed_through: None,
            } => formatter.write_str("forged: the signature does not hold, nor does any before it"),
            Self::UnknownVersion { found } => {
                write!(
                    formatter,
                    "version {found} of the format is unknown here: use a later program"
                )
            }
            Self::TooLong => formatter.write_str("longer than a record's line may be"),
            Self::Empty => formatter.write_str("no record at all"),
            Self::OtherTrail { found } => write!(formatter, "of another trail, {found}"),
        }
    }
}
