//! How far a seal has come, for whoever waits for it.

use std::fmt;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Reading, hashing and copying to the device, all at once.
    Upload,
    /// Measuring on the device.
    Measure,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upload => "upload",
            Self::Measure => "measure",
        })
    }
}

/// Hears how far a seal has come.
pub trait Progress: Send + Sync {
    /// `done` of `total` bytes have been through `stage`.
    fn advanced(&self, stage: Stage, done: u64, total: u64);

    /// Whether nobody wants the seal any more. Asked again and again while bytes are on their way, from several
    /// threads: once it says so, the seal ends with [`Error::Cancelled`](crate::Error::Cancelled), and the memory
    /// is wiped and given back. What has reached the device whole is measured and signed all the same.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Nobody waits.
pub(crate) struct Silent;

impl Progress for Silent {
    fn advanced(&self, _: Stage, _: u64, _: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_reads_as_what_is_done() {
        let shown = [Stage::Upload, Stage::Measure].map(|stage| stage.to_string());
        assert_eq!(shown, ["upload", "measure"]);
    }
}
