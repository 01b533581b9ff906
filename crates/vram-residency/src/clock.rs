//! Time, as something that a test can hold still, and as something that never runs backwards.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::manager::lock;
use crate::sync::Mutex;
use crate::{Error, Result};

/// How far two clocks may differ, and one be set back, before seals are refused: 5 seconds, unless
/// [`ManagerBuilder::clock_skew`](crate::ManagerBuilder::clock_skew) says otherwise.
///
/// It covers a leap second and the steps by which a clock is kept in time over a network, and is small beside
/// any maximum age that makes sense.
pub const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(5);

/// Where the manager reads the time from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Time since 1970-01-01 00:00:00 UTC, without leap seconds.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if there is no such time.
    fn now(&self) -> Result<Duration>;

    /// Time since some moment, the same for as long as the clock lives, that nobody can set back.
    ///
    /// [`now`](Self::now) is held against it: it must not fall behind.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if there is no such time.
    fn monotonic(&self) -> Result<Duration>;
}

/// The system's clocks.
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

    fn monotonic(&self) -> Result<Duration> {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        Ok(FIRST.get_or_init(Instant::now).elapsed())
    }
}

/// Keeps a manager's time: the clock's, as long as it hasn't been set back.
///
/// The latest time that was read, and what has passed since then by the monotonic clock, make a line that the
/// clock must not fall below. A clock that is set forward raises the line: seals get older by that,
/// never younger.
#[derive(Debug)]
pub(crate) struct Timekeeper {
    clock: Arc<dyn Clock>,
    skew: Duration,
    /// The reading that the line goes through.
    latest: Mutex<Reading>,
}

/// Both clocks, at one moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    now: Duration,
    monotonic: Duration,
}

impl Reading {
    /// The time at which the clock must be by now, if it wasn't set.
    fn expected_at(self, monotonic: Duration) -> Duration {
        self.now
            .saturating_add(monotonic.saturating_sub(self.monotonic))
    }
}

impl Timekeeper {
    /// Starts to keep time.
    ///
    /// # Errors
    ///
    /// As [`Clock::now`].
    pub(crate) fn new(clock: Arc<dyn Clock>, skew: Duration) -> Result<Self> {
        let latest = Reading {
            now: clock.now()?,
            monotonic: clock.monotonic()?,
        };
        Ok(Self {
            clock,
            skew,
            latest: Mutex::new(latest),
        })
    }

    /// The time: never earlier than what was given out before. A clock that is behind by no more than the
    /// tolerated skew is waited for.
    ///
    /// # Errors
    ///
    /// As [`Clock::now`]; [`Error::ClockSetBack`] as long as the clock is further behind.
    pub(crate) fn now(&self) -> Result<Duration> {
        let mut latest = lock(&self.latest);
        // Read under the lock: readings are in order then. The monotonic clock first: a pause in
        // between makes the other look ahead, not behind.
        let monotonic = self.clock.monotonic()?;
        let now = self.clock.now()?;
        let expected = latest.expected_at(monotonic);
        let behind = expected.saturating_sub(now);
        if behind > self.skew {
            return Err(Error::ClockSetBack {
                behind,
                tolerated: self.skew,
            });
        }
        let now = now.max(expected);
        *latest = Reading { now, monotonic };
        Ok(now)
    }

    /// The skew that is tolerated.
    pub(crate) const fn skew(&self) -> Duration {
        self.skew
    }
}

/// A moment as the seal record holds it.
pub(crate) fn unix_nanos(time: Duration) -> Result<u64> {
    u64::try_from(time.as_nanos()).map_err(|source| Error::System {
        what: "time before 2554",
        source: source.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clocks that stand where they are put.
    #[derive(Debug)]
    struct Hands(Mutex<[u64; 2]>);

    impl Hands {
        fn set(&self, now: u64, monotonic: u64) {
            *self.0.lock().unwrap() = [now, monotonic];
        }
    }

    impl Clock for Hands {
        fn now(&self) -> Result<Duration> {
            Ok(Duration::from_secs(self.0.lock().unwrap()[0]))
        }

        fn monotonic(&self) -> Result<Duration> {
            Ok(Duration::from_secs(self.0.lock().unwrap()[1]))
        }
    }

    /// Time kept from 1000 on, when the monotonic clock says 50, with a skew of 5.
    fn kept() -> (Arc<Hands>, Timekeeper) {
        let hands = Arc::new(Hands(Mutex::new([1000, 50])));
        let keeper = Timekeeper::new(hands.clone(), Duration::from_secs(5)).unwrap();
        (hands, keeper)
    }

    fn behind(keeper: &Timekeeper) -> u64 {
        match keeper.now() {
            Err(Error::ClockSetBack { behind, .. }) => behind.as_secs(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_clock_that_goes_on_is_believed() {
        let (hands, keeper) = kept();
        for (now, monotonic) in [(1000, 50), (1010, 60), (5000, 61), (5010, 71)] {
            hands.set(now, monotonic);
            assert_eq!(keeper.now().unwrap(), Duration::from_secs(now));
        }
    }

    #[test]
    fn time_stands_or_goes_on_while_the_clock_is_a_little_behind() {
        let (hands, keeper) = kept();
        hands.set(995, 50);
        assert_eq!(keeper.now().unwrap(), Duration::from_secs(1000));
        hands.set(997, 52);
        assert_eq!(keeper.now().unwrap(), Duration::from_secs(1002));
    }

    #[test]
    fn a_clock_set_back_is_refused_until_it_has_caught_up() {
        let (hands, keeper) = kept();
        hands.set(994, 50);
        assert_eq!(behind(&keeper), 6);
        assert_eq!(behind(&keeper), 6, "asking again doesn't help");
        hands.set(1010, 60);
        assert_eq!(keeper.now().unwrap(), Duration::from_secs(1010));
    }

    /// Set back by less than has passed since the last reading, the clock is still ahead of that reading.
    #[test]
    fn a_clock_set_back_between_two_readings_is_found_by_the_monotonic_one() {
        let (hands, keeper) = kept();
        hands.set(1000 + 3600, 50 + 7200);
        assert_eq!(behind(&keeper), 3600);
    }

    #[test]
    fn small_steps_back_add_up() {
        let (hands, keeper) = kept();
        hands.set(1000 + 100 - 4, 50 + 100);
        assert!(keeper.now().is_ok());
        hands.set(1000 + 200 - 8, 50 + 200);
        assert_eq!(behind(&keeper), 8);
    }

    #[test]
    fn the_systems_monotonic_clock_does_not_go_back() {
        let first = SystemClock.monotonic().unwrap();
        assert!(SystemClock.monotonic().unwrap() >= first);
    }

    #[test]
    fn a_clock_set_forward_is_not_set_back_unnoticed() {
        let (hands, keeper) = kept();
        hands.set(5000, 61);
        assert_eq!(keeper.now().unwrap(), Duration::from_secs(5000));
        hands.set(1012, 62);
        assert_eq!(behind(&keeper), 5001 - 1012);
    }

    #[test]
    fn the_systems_monotonic_clock_goes_on() {
        let first = SystemClock.monotonic().unwrap();
        std::thread::sleep(Duration::from_millis(2));
        assert!(SystemClock.monotonic().unwrap() >= first + Duration::from_millis(2));
    }
}
