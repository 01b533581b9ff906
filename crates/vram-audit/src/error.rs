//! What this crate refuses, and why.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error as ThisError;

use crate::Fault;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was refused: the value, the limit, and what to do about it.
///
/// No variant holds key material, so an error may be logged as it is.
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A trail's name is not one.
    #[error("trail name {name:?} refused: give 1 to 128 of the characters a-z A-Z 0-9 - _ . : @ /")]
    TrailName {
        /// The name, as far as its 128th character.
        name: String,
    },
    /// An option has a value outside its limits.
    #[error("{what} of {found} refused: give {minimum} at least")]
    OptionTooSmall {
        /// The option.
        what: &'static str,
        /// The value.
        found: u64,
        /// The least value.
        minimum: u64,
    },
    /// Bytes are not a key.
    #[error("{what} refused: give {expected}")]
    Key {
        /// What was read.
        what: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// An event can't become a record. The trail goes on without it.
    #[error("event refused, the trail does not hold it: {reason}")]
    Event {
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// A file is not one that a trail may be kept in.
    #[error("{} refused: {reason}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// Someone else writes to this trail.
    #[error("{} is locked: another writer keeps this trail, stop it or use another file", path.display())]
    Locked {
        /// The file that is locked.
        path: PathBuf,
    },
    /// A trail that was to be continued is not intact.
    #[error("{} is not intact, so it is not continued: {fault}; keep it for examination and start another", path.display())]
    NotIntact {
        /// The file.
        path: PathBuf,
        /// Where, and why.
        fault: Box<Fault>,
    },
    /// A file holds another trail than the one that was asked for.
    #[error("{} holds the trail {found:?}, not {expected:?}: give its name, or another file", path.display())]
    OtherTrail {
        /// The file.
        path: PathBuf,
        /// The trail in it.
        found: String,
        /// The one that was asked for.
        expected: String,
    },
    /// A write failed: nothing more is recorded.
    #[error(
        "the trail has failed and records nothing more: {what}: {source}; open it again once that is mended"
    )]
    WriteFailed {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// The store could not keep up, and the trail was told to stop rather than to drop events.
    #[error(
        "the trail has failed and records nothing more: the store did not keep up, {queued} records wait ({bytes} bytes); \
         give it a faster store or a longer queue, or let it drop routine events"
    )]
    Overrun {
        /// Records waiting.
        queued: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// The store did not answer within the bound for critical events, or for closing.
    #[error("the trail has failed and records nothing more: the store did not finish within {} ms; whether the last records are on disk is unknown", bound.as_millis())]
    TooSlow {
        /// The bound.
        bound: std::time::Duration,
    },
    /// The thread that writes ended where it should not.
    #[error("the trail has failed and records nothing more: its writer ended unexpectedly")]
    WriterGone,
    /// The trail was closed.
    #[error("the trail is closed: open it again to go on")]
    Closed,
    /// The system gave no randomness for the trail's identity.
    #[error("no randomness from the system for {what}")]
    Randomness {
        /// What it is for.
        what: &'static str,
    },
}

impl Error {
    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::Io {
            what,
            path: path.into(),
            source: Arc::new(source.into()),
        }
    }

    pub(crate) fn write_failed(what: &'static str, source: io::Error) -> Self {
        Self::WriteFailed {
            what,
            source: Arc::new(source),
        }
    }

    /// Whether the trail records nothing more, and has to be opened anew.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::WriteFailed { .. }
                | Self::Overrun { .. }
                | Self::TooSlow { .. }
                | Self::WriterGone
                | Self::Closed
        )
    }
}
