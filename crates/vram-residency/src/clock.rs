//! Time, as something that a test can hold still.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{Error, Result};

/// Where the manager reads the time from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Time since 1970-01-01 00:00:00 UTC, without leap seconds.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if there is no such time.
    fn now(&self) -> Result<Duration>;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Result<Duration> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_err(|source| Error::System {
            what: "time after 1970",
            source: source.into(),
        })
    }
}

/// A moment as the seal record holds it.
pub(crate) fn unix_nanos(time: Duration) -> Result<u64> {
    u64::try_from(time.as_nanos()).map_err(|source| Error::System {
        what: "time before 2554",
        source: source.into(),
    })
}
