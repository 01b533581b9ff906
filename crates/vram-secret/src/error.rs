//! What this crate refuses, and why.

use std::io;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why secret bytes can't be held, read or given out. No variant holds any of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A secret of no bytes, or of more than are held.
    #[error("a secret of {found} bytes can't be held: give 1 to {limit}")]
    Length {
        /// The length in bytes.
        found: usize,
        /// The greatest length, in bytes.
        limit: usize,
    },
    /// The system gave no memory for a secret.
    #[error("the system gave no page for a secret: {source}")]
    NoMemory {
        /// What the system said.
        source: io::Error,
    },
    /// The source of a secret holds more than was to be read.
    #[error(
        "the secret is longer than {limit} bytes, which is all that is read: give the right one"
    )]
    TooLong {
        /// The greatest length, in bytes.
        limit: usize,
    },
    /// The source of a secret failed.
    #[error("reading the secret failed: {source}")]
    Read {
        /// What the reader said.
        source: io::Error,
    },
    /// A file descriptor that can't be read.
    #[error(
        "file descriptor {descriptor} can't be read: {source}; give one that this process was started with, not 1 or 2"
    )]
    Descriptor {
        /// Its number.
        descriptor: i32,
        /// What the system said.
        source: io::Error,
    },
    /// A secret that was to be hexadecimal is not. Which character it is is not told.
    #[error(
        "the secret is not an even number of hexadecimal digits: the character at {position} is none, or is one too many"
    )]
    NotHexadecimal {
        /// The position of the first such character, from 0.
        position: usize,
    },
    /// This process is a fork of the one that has the secret.
    #[error(
        "the secret is gone: this process was forked from the one that has it; read it again in this process"
    )]
    Forked,
}

impl Error {
    /// Whether the same call may succeed later with nothing repaired in between.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        matches!(self, Self::NoMemory { .. } | Self::Read { .. })
    }
}
