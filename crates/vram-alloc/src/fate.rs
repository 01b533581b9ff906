//! What became of a region's memory.

use std::fmt;
use std::sync::Arc;

use crate::sync::OnceLock;

/// How a region's memory was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Released {
    /// It was wiped, and the driver took it back.
    Wiped,
    /// It was wiped, but the driver refused to take it back: it stays this process's, and nobody gets it.
    Kept {
        /// What the driver said.
        reason: String,
    },
    /// It was not wiped. It stays this process's and nobody gets it, or it went with its device, which is lost.
    NotWiped {
        /// Why.
        reason: String,
    },
}

impl Released {
    /// Whether what it held was overwritten.
    #[must_use]
    pub const fn is_wiped(&self) -> bool {
        matches!(self, Self::Wiped | Self::Kept { .. })
    }

    /// What went wrong, if something did.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match self {
            Self::Wiped => None,
            Self::Kept { reason } | Self::NotWiped { reason } => Some(reason),
        }
    }
}

/// Tells what became of a region's memory, once the region is gone: by whatever way it went.
#[derive(Clone, Default)]
pub struct Fate(Arc<OnceLock<Released>>);

impl Fate {
    /// How the memory was given up; none while the region is there.
    #[must_use]
    pub fn released(&self) -> Option<&Released> {
        self.0.get()
    }

    pub(crate) fn settle(&self, released: Released) {
        // A region is dropped once.
        self.0.get_or_init(|| released);
    }

    /// The outcome, for a region that has just been dropped.
    pub(crate) fn of_dropped(&self) -> Released {
        self.released()
            .cloned()
            .unwrap_or_else(|| Released::NotWiped {
                reason: "nobody knows what became of it".to_owned(),
            })
    }
}

impl fmt::Debug for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fate").field(&self.released()).finish()
    }
}
