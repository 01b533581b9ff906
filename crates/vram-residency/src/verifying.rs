//! Verifying: is the shard still what was sealed, where it was sealed?

use std::sync::Arc;
use std::time::{Duration, Instant};

use vram_alloc::FrozenRegion;
use vram_policy::Report;
use vram_seal::{Salt, SealRecord, SealedRecord, VerityMeasurement};

use crate::event::{Event, Operation};
use crate::manager::Manager;
use crate::permit::ExecutionPermit;
use crate::progress::Silent;
use crate::shard::SealedShard;
use crate::verification::{Difference, VerificationReport};
use crate::{Error, Result};

/// A shard that was verified: the permit to use it, and what was seen.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "the permit within is what the address is given out for"]
pub struct Verified<'shard> {
    /// What gives access to the weights.
    pub permit: ExecutionPermit<'shard>,
    /// What was seen.
    pub report: VerificationReport,
}

/// What verifying several shards found, each on its own.
#[derive(Debug)]
#[must_use = "a shard may have failed"]
pub struct SetVerification<'shard> {
    manager: Manager,
    outcomes: Vec<(&'shard SealedShard, Result<VerificationReport>)>,
}

impl<'shard> SetVerification<'shard> {
    /// Each shard with what was found, in the order they were given.
    pub fn outcomes(&self) -> &[(&'shard SealedShard, Result<VerificationReport>)] {
        &self.outcomes
    }

    /// Whether every shard is as it was sealed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.outcomes.iter().all(|(_, outcome)| outcome.is_ok())
    }

    /// The permits, if every shard passed: a model with one bad shard is a bad model.
    ///
    /// # Errors
    ///
    /// The first failure; [`Error::Stopped`] if the manager has stopped since, for whatever reason.
    pub fn into_permits(self) -> Result<Vec<ExecutionPermit<'shard>>> {
        let permit = |(shard, outcome): (_, Result<_>)| {
            outcome.map(|_| ExecutionPermit::new(shard, self.manager.clone()))
        };
        let permits = self.outcomes.into_iter().map(permit);
        let permits = permits.collect::<Result<_>>()?;
        // Another thread's failure may have stopped the manager meanwhile.
        self.manager.require_running()?;
        Ok(permits)
    }
}

impl Manager {
    /// Verifies a shard: its record's tag, what the driver says of its region, and its bytes,
    /// measured where they lie. No weight leaves the device.
    ///
    /// # Errors
    ///
    /// [`Error::SealBroken`], [`Error::Tampered`], [`Error::Policy`] and a lost device stop the
    /// manager, as does [`Error::FromTheFuture`]; [`Error::Expired`], [`Error::ClockSetBack`],
    /// [`Error::Foreign`] and [`Error::Stopped`] refuse.
    pub fn verify<'shard>(&self, shard: &'shard SealedShard) -> Result<Verified<'shard>> {
        self.verify_record(shard, shard.sealed_record())
    }

    /// Verifies a shard against a record that was kept elsewhere, which must be the shard's own.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify); [`Error::WrongRecord`] for the record of another seal.
    pub fn verify_record<'shard>(
        &self,
        shard: &'shard SealedShard,
        sealed: &SealedRecord,
    ) -> Result<Verified<'shard>> {
        self.require_running()?;
        let report = self.judge(shard, sealed)?;
        // Another thread's failure may have stopped the manager meanwhile.
        self.require_running()?;
        Ok(Verified {
            permit: ExecutionPermit::new(shard, self.clone()),
            report,
        })
    }

    /// Verifies several shards, all of them, whatever is found on the way.
    ///
    /// They are measured together: the device is kept busy from the first to the last, which for many
    /// small shards is many times as fast as verifying them one by one. What the driver says of each
    /// region is asked meanwhile. Each duration reported is from the call, and so has the work on other shards
    /// in it.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`] if the manager has stopped already. Failures are in the outcomes.
    pub fn verify_all<'shard>(
        &self,
        shards: impl IntoIterator<Item = &'shard SealedShard>,
    ) -> Result<SetVerification<'shard>> {
        self.require_running()?;
        let shards: Vec<_> = shards.into_iter().collect();
        let judged = self.judge_together(&shards);
        let outcomes = shards.into_iter().zip(judged);
        let told = outcomes.map(|(shard, judged)| (shard, self.told(shard, judged)));
        Ok(SetVerification {
            manager: self.clone(),
            outcomes: told.collect(),
        })
    }

    /// Looks at a shard as a verification does, and gives no permit: also after the manager has
    /// stopped, to find out what else is wrong.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify), but for [`Error::Stopped`].
    pub fn inspect(&self, shard: &SealedShard) -> Result<VerificationReport> {
        self.judge(shard, shard.sealed_record())
    }

    fn judge(&self, shard: &SealedShard, sealed: &SealedRecord) -> Result<VerificationReport> {
        let started = Instant::now();
        let judged = self.judge_alone(shard, sealed, started);
        self.told(shard, judged)
    }

    /// Lets the observers know what was found, and stops the manager after what nothing should go on
    /// after. What they can't record has not passed.
    fn told(
        &self,
        shard: &SealedShard,
        judged: Result<VerificationReport>,
    ) -> Result<VerificationReport> {
        match &judged {
            Ok(report) => {
                self.tell(&Event::Verified {
                    shard: shard.id(),
                    bytes: shard.size(),
                    duration: report.duration,
                })?;
                self.tell_warnings(shard, &report.policy)?;
            }
            Err(error) => {
                let (shard, reason) = (shard.id(), error.to_string());
                let found = if error.is_fatal() {
                    Event::VerificationFailed { shard, reason }
                } else {
                    let operation = Operation::Verify;
                    Event::Refused {
                        operation,
                        shard,
                        reason,
                    }
                };
                self.tell_failure(error, Some(shard), Some(&found));
            }
        }
        judged
    }

    pub(crate) fn judge_alone(
        &self,
        shard: &SealedShard,
        sealed: &SealedRecord,
        started: Instant,
    ) -> Result<VerificationReport> {
        let region = self.region_of(shard, sealed)?;
        // The driver is asked while the device works; nothing is permitted before both have answered.
        let mut policy = None;
        let mut ask = || policy = Some(self.admit_region(region));
        let measuring = Instant::now();
        let measured = self
            .measurer()
            .measure(region, &Salt::none(), &Silent, &mut ask);
        let measuring = measuring.elapsed();
        // What the driver says of the region comes first: it may be why it could not be measured.
        let policy = Arc::new(policy.unwrap_or_else(|| self.admit_region(region))?);
        let took = [started.elapsed(), measuring];
        self.conclude(shard, region, &measured?, policy, took)
    }

    /// The region of a shard whose record is authentic, its own and fresh.
    fn region_of<'shard>(
        &self,
        shard: &'shard SealedShard,
        sealed: &SealedRecord,
    ) -> Result<&'shard FrozenRegion> {
        self.require_authentic(shard, sealed)?;
        self.region_here(shard)
    }

    /// Refuses a record that isn't signed with the manager's key, not the shard's own, or not fresh.
    pub(crate) fn require_authentic(
        &self,
        shard: &SealedShard,
        sealed: &SealedRecord,
    ) -> Result<()> {
        let seal = self.require_signed(shard, sealed)?;
        self.require_fresh(seal.record())
    }

    /// The region of a shard, if it is on the manager's device.
    pub(crate) fn region_here<'shard>(
        &self,
        shard: &'shard SealedShard,
    ) -> Result<&'shard FrozenRegion> {
        let region = shard.region().ok_or_else(|| self.stopped_error())?;
        if !region.device().is_same(self.settings().allocator.device()) {
            return Err(Error::Foreign {
                shard: shard.id().clone(),
            });
        }
        Ok(region)
    }

    /// Compares what was measured with what was sealed: the shard's record has been found authentic.
    pub(crate) fn conclude(
        &self,
        shard: &SealedShard,
        region: &FrozenRegion,
        measured: &VerityMeasurement,
        policy: Arc<Report>,
        [duration, measuring]: [Duration; 2],
    ) -> Result<VerificationReport> {
        if measured.digest() != shard.verity_digest() {
            let mut measurer = self.measurer();
            let leaves_of = |group| measurer.leaves_of(region, group, &Salt::none());
            let difference = Difference::locate(shard.locator(), measured.groups(), leaves_of)?;
            return Err(Error::Tampered {
                shard: shard.id().clone(),
                difference,
            });
        }
        Ok(VerificationReport {
            shard: shard.id().clone(),
            size: shard.size(),
            verity: measured.digest(),
            policy,
            duration,
            measuring,
            residency: self.residency_of_verification(shard.size().0, measuring),
            simulated: shard.is_simulated(),
        })
    }

    /// Refuses a record from the future, and one over the maximum age. The time itself is refused where
    /// the clock was set back.
    fn require_fresh(&self, record: &SealRecord) -> Result<()> {
        let sealed = Duration::from_nanos(record.sealed_at_unix_nanos);
        let now = self.now()?;
        let shard = || record.shard_id.clone();
        let (ahead, tolerated) = (sealed.saturating_sub(now), self.settings().time.skew());
        if ahead > tolerated {
            let shard = shard();
            return Err(Error::FromTheFuture {
                shard,
                ahead,
                tolerated,
            });
        }
        let age = now.saturating_sub(sealed);
        match self.settings().max_age {
            Some(limit) if age > limit => {
                let shard = shard();
                Err(Error::Expired { shard, age, limit })
            }
            _ => Ok(()),
        }
    }
}
