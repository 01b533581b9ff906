//! Time, as something that a test can hold still.

use std::fmt;

use jiff::Timestamp;

/// Where a trail reads the wall time from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now. It may go backwards: the order of records is that of their sequence numbers.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
