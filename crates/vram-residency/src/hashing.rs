//! Who hashes what is sealed: the host as it passes, or the device alone.

use std::fmt;

use serde::{Serialize, Serializer};

/// What the host computes of the bytes that pass through it to the device.
///
/// Whatever it is, the device measures what arrived, and what it measures is signed. The three differ
/// in what that is compared with, and in speed: hashing is what sealing spends its time on.
///
/// It prints and serializes as `both`, `verity` or `trusted`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostHashing {
    /// The content digest and the verity digest. A file's content digest takes one core from its
    /// first byte to its last: about 1 GB/s.
    #[default]
    ContentAndVerity,
    /// The verity digest alone, on all cores. The seal has no content digest.
    Verity,
    /// Nothing: the caller knows the verity digest beforehand, from `fsverity digest` for one, and
    /// the device's measurement must equal it. The seal has no content digest.
    ///
    /// It proves as much as the others, for the digest that was given. What it can't tell apart is a
    /// wrong file and a bad way to the device.
    Trusted,
}

impl HostHashing {
    /// Its name: `both`, `verity` or `trusted`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ContentAndVerity => "both",
            Self::Verity => "verity",
            Self::Trusted => "trusted",
        }
    }
}

impl fmt::Display for HostHashing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for HostHashing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
