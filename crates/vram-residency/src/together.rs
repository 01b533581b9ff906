//! Seals that run side by side: how many share the machine, whether they are still wanted, and how far
//! they have come together.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::manager::lock;
use crate::progress::{Progress, Stage};
use crate::sync::Mutex;

/// What a seal knows of those beside it.
#[derive(Debug)]
pub(crate) struct Together {
    seals: NonZeroUsize,
    cancelled: AtomicBool,
}

impl Together {
    /// One seal, with the machine to itself.
    pub(crate) const fn alone() -> Self {
        Self::of(NonZeroUsize::MIN)
    }

    /// So many seals at a time, of which all or none are wanted.
    pub(crate) const fn of(seals: NonZeroUsize) -> Self {
        Self {
            seals,
            cancelled: AtomicBool::new(false),
        }
    }

    /// How many seals share the machine.
    pub(crate) const fn seals(&self) -> NonZeroUsize {
        self.seals
    }

    /// One has failed: none is wanted any more.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Adds up how far several seals have come. All are uploaded before any is told to be measured: what
/// is heard counts up to the total once for each stage.
pub(crate) struct Sum<'a> {
    to: &'a dyn Progress,
    total: u64,
    sums: Mutex<Sums>,
}

#[derive(Default)]
struct Sums {
    uploaded: u64,
    measured: u64,
}

impl<'a> Sum<'a> {
    pub(crate) fn new(to: &'a dyn Progress, total: u64) -> Self {
        Self {
            to,
            total,
            sums: Mutex::default(),
        }
    }

    /// The part of one seal, which tells how far it has come itself.
    pub(crate) fn part(&'a self) -> Part<'a> {
        Part {
            sum: self,
            own: Mutex::default(),
        }
    }

    /// Tells that all is done: what is measured at once is not told of on the way.
    pub(crate) fn finish(&self) {
        self.to.advanced(Stage::Measure, self.total, self.total);
    }

    /// Tells under the lock, so that nobody hears of less after more.
    fn add(&self, stage: Stage, more: u64) {
        let mut sums = lock(&self.sums);
        let sum = match stage {
            Stage::Upload => &mut sums.uploaded,
            Stage::Measure => &mut sums.measured,
        };
        *sum = sum.saturating_add(more);
        let done = *sum;
        if stage == Stage::Upload || sums.uploaded >= self.total {
            self.to.advanced(stage, done, self.total);
        }
    }
}

/// One seal's part of a [`Sum`].
pub(crate) struct Part<'a> {
    sum: &'a Sum<'a>,
    own: Mutex<Sums>,
}

impl Progress for Part<'_> {
    fn advanced(&self, stage: Stage, done: u64, _: u64) {
        let mut own = lock(&self.own);
        let before = match stage {
            Stage::Upload => &mut own.uploaded,
            Stage::Measure => &mut own.measured,
        };
        let more = done.saturating_sub(*before);
        *before = done;
        drop(own);
        self.sum.add(stage, more);
    }

    fn is_cancelled(&self) -> bool {
        self.sum.to.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<(Stage, u64, u64)>>);

    impl Progress for Heard {
        fn advanced(&self, stage: Stage, done: u64, total: u64) {
            self.0.lock().unwrap().push((stage, done, total));
        }
    }

    #[test]
    fn a_part_is_given_up_with_the_whole() {
        struct Wanted(bool);
        impl Progress for Wanted {
            fn advanced(&self, _: Stage, _: u64, _: u64) {}
            fn is_cancelled(&self) -> bool {
                !self.0
            }
        }
        for wanted in [true, false] {
            let to = Wanted(wanted);
            assert_eq!(Sum::new(&to, 30).part().is_cancelled(), !wanted);
        }
    }

    #[test]
    fn parts_add_up_and_measuring_is_told_once_all_is_uploaded() {
        let heard = Heard::default();
        let sum = Sum::new(&heard, 30);
        let (first, second) = (sum.part(), sum.part());

        first.advanced(Stage::Upload, 5, 10);
        first.advanced(Stage::Upload, 10, 10);
        first.advanced(Stage::Measure, 10, 10);
        second.advanced(Stage::Upload, 20, 20);
        second.advanced(Stage::Measure, 20, 20);
        sum.finish();

        let (upload, measure) = (Stage::Upload, Stage::Measure);
        assert_eq!(
            heard.0.into_inner().unwrap(),
            [
                (upload, 5, 30),
                (upload, 10, 30),
                (upload, 30, 30),
                (measure, 30, 30),
                (measure, 30, 30)
            ]
        );
    }
}
