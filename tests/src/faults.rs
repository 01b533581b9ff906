//! The fault campaign: random bits of sealed shards are flipped where they lie, and verification has to
//! find every flip and name its block.
//!
//! A [`Plan`] says which shards are sealed and how often bits of each are flipped. Everything in it comes
//! from one seed, so a campaign can be run again. Of every flip:
//!
//! 1. Some distinct bits are flipped in device memory, behind the manager's back. Bits that were flipped
//!    twice would cancel, so none is.
//! 2. The manager measures the shard on the device, compares and locates, as every verification does.
//! 3. It must find that the shard changed, and name the blocks of the flipped bits: all of them, and no
//!    other.
//! 4. The bits are flipped back. From time to time, and after the last flip, the shard must verify again.
//!
//! The first flip of a shard is found by a verification proper, after which the manager must permit nothing
//! more. A stopped manager can still inspect, which goes the same way: that is how the other flips are found.
//!
//! Before the campaign proper come the [controls](Control), faults that must *not* pass for found or for
//! located. A campaign that can't tell them from the others fails.

mod control;
mod flip;
mod plan;
mod report;
mod round;
mod subject;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, bail};

pub use self::control::{Control, ControlReport};
pub use self::flip::{Bit, Flip, FlipKind};
pub use self::plan::{Plan, Round, SizeClass};
pub use self::report::{Commit, Miss, Report, SizeReport};
pub use self::round::Tally;
pub use self::subject::Driver;

use self::subject::Subject;

/// A campaign, as it was asked for.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// How many flips, each of one bit or several.
    pub flips: u64,
    /// Everything random in it comes from this.
    pub seed: u64,
    /// What the shards are sealed on.
    pub driver: Driver,
    /// How many shards are worked on at the same time; each has a simulated machine of its own. A GPU is one.
    pub threads: usize,
    /// What the program was built from.
    pub commit: Option<Commit>,
}

impl Campaign {
    /// Runs the controls, then the flips; `progress` is told how many flips are done.
    ///
    /// What goes wrong on the way, a lost device for one, ends the campaign, and the report says so.
    ///
    /// # Errors
    ///
    /// If there is no device to begin with, or nothing to flip.
    pub fn run(&self, progress: &(dyn Fn(u64) + Sync)) -> anyhow::Result<Report> {
        if self.flips == 0 {
            bail!("0 flips show nothing; ask for 1 at least");
        }
        let started = Instant::now();
        let subject = Subject::open(self.driver)?;
        let mut report = Report::new(self, subject.device()?);
        for control in Control::ALL {
            let found = control::run(*control, &subject, self.seed)
                .with_context(|| format!("the control {control} could not be run"));
            match found {
                Ok(found) => report.controls.push(found),
                Err(error) => report.note_error(&error),
            }
        }
        let plan = Plan::new(self.flips, self.seed);
        let outcome = self.work(&plan, subject, progress);
        report.add(&plan, outcome.tally);
        if let Some(error) = outcome.error {
            report.note_error(&error);
        }
        report.finish(started.elapsed());
        Ok(report)
    }

    /// Goes through the rounds of a plan, each thread on a subject of its own.
    fn work(&self, plan: &Plan, first: Subject, progress: &(dyn Fn(u64) + Sync)) -> Outcome {
        let threads = match self.driver {
            Driver::Simulated => self.threads.max(1),
            Driver::Gpu => 1,
        };
        let next = AtomicUsize::new(0);
        let done = AtomicU64::new(0);
        let outcome = Mutex::new(Outcome::default());
        let first = Mutex::new(Some(first));
        let work = || -> anyhow::Result<()> {
            let opened = first.lock().unwrap_or_else(PoisonError::into_inner).take();
            let subject = match opened {
                Some(subject) => subject,
                None => Subject::open(self.driver)?,
            };
            loop {
                let Some(round) = plan.rounds().get(next.fetch_add(1, Ordering::Relaxed)) else {
                    return Ok(());
                };
                let tally = round::run(round, &subject, self.seed, None)?;
                let flips = tally.flips;
                let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                outcome.tally.merge(tally);
                drop(outcome);
                progress(
                    done.fetch_add(flips, Ordering::Relaxed)
                        .saturating_add(flips),
                );
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                let ended = worker
                    .join()
                    .unwrap_or_else(|_| Err(anyhow::anyhow!("a thread of the campaign panicked")));
                if let Err(error) = ended {
                    // The others have nothing left to do.
                    next.store(plan.rounds().len(), Ordering::Relaxed);
                    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                    outcome.error.get_or_insert(error);
                }
            }
        });
        outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of the rounds.
#[derive(Debug, Default)]
struct Outcome {
    tally: Tally,
    error: Option<anyhow::Error>,
}
