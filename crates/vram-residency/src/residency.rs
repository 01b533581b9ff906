//! What a manager says of where its shards lie.

use std::time::Duration;

use vram_alloc::Readable;
use vram_policy::residency::{
    LinkEvidence, NEEDED_CACHES, Rate, RateSource, ResidencyEvidence, ResidencyStatus,
    ResidencyVerdict, Streamed,
};
use vram_policy::{DeviceFacts, Report};
use vram_seal::ShardId;

use crate::event::Event;
use crate::facts::device_facts;
use crate::manager::{Manager, lock};
use crate::residency_proof::{ResidencyProver, nanos};
use crate::shard::SealedShard;
use crate::sync::{Mutex, OnceLock};
use crate::{Error, Result};

/// What a manager keeps for its proofs.
#[derive(Debug, Default)]
pub(crate) struct Residency {
    /// Made when it is first needed.
    prover: Mutex<Option<ResidencyProver>>,
    /// What the link was seen to carry, for verifications to be held against.
    copy: OnceLock<Rate>,
    /// What is known of the device and its link, which don't change.
    facts: OnceLock<DeviceFacts>,
}

impl Manager {
    /// Measures where a shard's bytes lie: the device reads them, and how fast it does shows whether they are
    /// in its own memory, whatever the driver says ([`vram_policy::residency`]).
    ///
    /// A verdict is about the place, not about the bytes: [`verify`](Self::verify) says which they are, and every
    /// verification of a large shard carries a verdict too ([`VerificationReport::residency`]). This one takes
    /// several passes, and can contradict: that is told as a violation of the policy, and stops the manager. It
    /// also works after the manager has stopped.
    ///
    /// Scratch memory is taken for it: a window, which is eight times the device's cache, and some 20 MiB. Without room
    /// for the window nothing can be contradicted.
    ///
    /// # Errors
    ///
    /// [`Error::Foreign`] for another manager's shard; [`Error::UnsteadyRead`] if the bytes change while they are
    /// read; [`Error::Memory`].
    ///
    /// [`VerificationReport::residency`]: crate::VerificationReport::residency
    pub fn residency_proof(&self, shard: &SealedShard) -> Result<ResidencyVerdict> {
        let region = shard.region().ok_or_else(|| self.stopped_error())?;
        if !region.device().is_same(self.settings().allocator.device()) {
            return Err(Error::Foreign {
                shard: shard.id().clone(),
            });
        }
        let proven = self.residency_of(region);
        match &proven {
            Ok(verdict) => self.heed(shard.id(), verdict),
            Err(error) => self.stop_if_fatal(error),
        }
        proven
    }

    /// Stops for memory that was shown not to be the device's own. Of a simulated device nothing is shown.
    fn heed(&self, shard: &ShardId, verdict: &ResidencyVerdict) {
        if verdict.status != ResidencyStatus::Contradicted || verdict.simulated {
            return;
        }
        let reason = format!("{shard} is not in device memory: {verdict}");
        let violation = Event::PolicyViolation {
            shard: Some(shard),
            checks: Vec::new(),
            reason: reason.clone(),
        };
        self.stop_for(&reason, &violation);
    }

    /// Asks the driver what a shard's region is at this moment, and judges the answers: what every verification
    /// does before it measures, and nothing more. It tells nobody and stops nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`] for what the policy refuses; [`Error::Memory`] for a lost device.
    pub fn check_region(&self, shard: &SealedShard) -> Result<Report> {
        let region = shard.region().ok_or_else(|| self.stopped_error())?;
        self.admit_region(region)
    }

    /// Measures where any memory lies that this manager's device can read. It tells nobody and stops nothing.
    ///
    /// # Errors
    ///
    /// As [`residency_proof`](Self::residency_proof); [`vram_alloc::Error::WrongDevice`] within
    /// [`Error::Memory`] for memory of another device.
    pub fn residency_of(&self, memory: &dyn Readable) -> Result<ResidencyVerdict> {
        let facts = self.residency_facts();
        self.with_prover(|prover| prover.prove(memory, facts))
    }

    /// Measures the link, where a shard of this size could be proven: the verifications to come are held against it.
    /// A failure is no reason to stop: they then prove nothing.
    pub(crate) fn prepare_residency(&self, size: u64) {
        if self.residency().copy.get().is_some() || !self.is_telling(size) {
            return;
        }
        if let Err(error) = self.with_prover(|prover| prover.measured_copy()) {
            tracing::debug!(%error, "the link to the host could not be measured");
        }
    }

    /// What a verification says of where the bytes lie, which were hashed in so much time: for free.
    pub(crate) fn residency_of_verification(&self, size: u64, took: Duration) -> ResidencyVerdict {
        let link = if self.is_telling(size) {
            let copy = self.residency().copy.get().copied();
            LinkEvidence::new(self.residency_facts(), copy)
        } else {
            // Too small, whatever the link: that needs nobody to be asked.
            LinkEvidence {
                integrated: self.device().integrated,
                ..LinkEvidence::default()
            }
        };
        ResidencyEvidence {
            simulated: self.device().simulated,
            source: RateSource::Verification,
            region: Streamed::once(size, nanos(took)),
            control: None,
            cache_bytes: self.device().l2_cache.map(|bytes| bytes.0),
            link,
        }
        .judge()
    }

    /// Whether a region of this size can tell anything, beside the device's cache.
    fn is_telling(&self, size: u64) -> bool {
        let cache = self.device().l2_cache;
        let needed = cache.and_then(|bytes| bytes.0.checked_mul(NEEDED_CACHES));
        needed.is_some_and(|needed| size >= needed)
    }

    fn with_prover<T>(&self, work: impl FnOnce(&mut ResidencyProver) -> Result<T>) -> Result<T> {
        let residency = self.residency();
        let mut prover = lock(&residency.prover);
        let made = match prover.take() {
            Some(made) => made,
            None => ResidencyProver::new(&self.settings().allocator)?,
        };
        let prover = prover.insert(made);
        let done = work(prover);
        if let Ok(Some(copy)) = prover.measured_copy() {
            residency.copy.get_or_init(|| copy);
        }
        done
    }

    fn residency_facts(&self) -> &DeviceFacts {
        self.residency().facts.get_or_init(|| {
            let management = self.settings().watch.management(self.device());
            device_facts(self.device(), management)
        })
    }

    fn residency(&self) -> &Residency {
        &self.inner.residency
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    use vram_policy::residency::Rate;
    use vram_seal::SealKey;
    use vram_sim::{DeviceModel, Machine};

    const GIGA: u64 = 1_000_000_000;

    fn manager() -> Manager {
        let machine = Machine::builder()
            .device(DeviceModel::small(64 << 20))
            .threads(1)
            .build()
            .unwrap();
        let platform = vram_alloc::Platform::with_driver(machine.driver()).unwrap();
        Manager::builder()
            .key(SealKey::from_bytes(&[7; 32]).unwrap())
            .allow_simulated()
            .staging(2, 1 << 20)
            .build(&platform)
            .unwrap()
    }

    /// What is known after five passes of 1 GB over memory, of so many microseconds each, beside the device's own,
    /// which is read at 4000 GB/s.
    pub(crate) fn verdict(micros: u64, simulated: bool) -> ResidencyVerdict {
        let passes = |micros: u64| {
            let nanos = [micros.saturating_mul(1000); 5];
            Streamed::new(GIGA, [(GIGA, nanos.as_slice())])
        };
        ResidencyEvidence {
            simulated,
            source: RateSource::Read,
            region: passes(micros),
            control: passes(250),
            cache_bytes: Some(50 << 20),
            link: LinkEvidence {
                generation: Some(5),
                width: Some(16),
                chip_to_chip: Some(false),
                integrated: Some(false),
                host_page_tables: Some(false),
                measured_copy: Some(Rate::per_second(54 * GIGA)),
            },
        }
        .judge()
    }

    /// Covers: RE-1.
    #[test]
    fn a_manager_stops_for_memory_that_is_no_faster_than_the_link_and_for_no_other() {
        let shard = "one".parse().unwrap();
        let contradicted = verdict(20_000, false);
        assert_eq!(contradicted.status, ResidencyStatus::Contradicted);
        for (verdict, stops) in [
            (verdict(250, false), false),
            (verdict(12_500, false), false),
            (verdict(20_000, true), false),
            (contradicted, true),
        ] {
            let manager = manager();
            manager.heed(&shard, &verdict);
            let reason = manager.stop_reason();
            assert_eq!(reason.is_some(), stops, "{verdict}");
            assert!(reason.is_none_or(|reason| reason.contains("one is not in device memory")));
        }
    }
}
