//! Judging many shards at once: the device, the driver and this process at work side by side.

use std::sync::Arc;
use std::time::{Duration, Instant};

use vram_alloc::FrozenRegion;
use vram_policy::Report;
use vram_seal::Salt;

use crate::Result;
use crate::manager::Manager;
use crate::measurer::Hashes;
use crate::shard::SealedShard;
use crate::sync::{scope, spawn_scoped};
use crate::verification::VerificationReport;

/// What was found of shards and of their regions, at the same time.
struct Found {
    /// Whether each shard's record is authentic.
    authentic: Vec<Result<()>>,
    /// What the driver says of each region, judged.
    admitted: Vec<Result<Arc<Report>>>,
    /// What the device computed of each region, and when that was here.
    hashed: Vec<Option<(Hashes, Duration)>>,
}

impl Manager {
    /// Judges shards whose measurements overlap, each on its own.
    pub(crate) fn judge_together(
        &self,
        shards: &[&SealedShard],
    ) -> Vec<Result<VerificationReport>> {
        let started = Instant::now();
        let places: Vec<_> = shards.iter().map(|shard| self.region_here(shard)).collect();
        let regions: Vec<_> = places.iter().flatten().copied().collect();
        let Some(found) = self.find(shards, &regions, started) else {
            // Something failed that has no shard's name on it. One by one, each has its own answer.
            let alone = |shard: &&SealedShard| {
                self.judge_alone(shard, shard.sealed_record(), Instant::now())
            };
            return shards.iter().map(alone).collect();
        };
        let duration = started.elapsed();
        let mut answers = found.admitted.into_iter().zip(found.hashed);
        let judge = |((shard, authentic), place): ((&&SealedShard, _), Result<&FrozenRegion>)| {
            // Where there is no region, nothing was found of one. Where there is, the next answers are its own,
            // whatever becomes of the shard.
            let answers = place.as_ref().ok().and_then(|_| answers.next());
            let () = authentic?;
            let region = place?;
            let (policy, hashed) = answers.ok_or_else(|| self.stopped_error())?;
            let policy = policy?;
            let (hashes, measuring) = hashed.ok_or_else(|| self.stopped_error())?;
            self.conclude(
                shard,
                region,
                &hashes.finish()?,
                policy,
                [duration, measuring],
            )
        };
        let found = shards.iter().zip(found.authentic).zip(places);
        found.map(judge).collect()
    }

    /// Finds out all that there is to find of shards and their regions. The device begins at once, and this thread
    /// keeps it busy; meanwhile another asks the driver about the regions, and a third checks the records.
    ///
    /// The threads hand over what they found when they end, and nothing before: waking one that waits takes as
    /// long as a hundred shards. They are no pool's: a pool's thread that waits takes up other work, such as
    /// somebody's verification, and that must not be one that holds what that work waits for.
    ///
    /// `None` if something failed that has no shard's name on it.
    fn find(
        &self,
        shards: &[&SealedShard],
        regions: &[&FrozenRegion],
        started: Instant,
    ) -> Option<Found> {
        let check = |shard: &&SealedShard| self.require_authentic(shard, shard.sealed_record());
        scope(|scope| {
            let name = "vram-verify";
            let asking = spawn_scoped(scope, name, || self.admit_each(regions)).ok()?;
            let checking = spawn_scoped(scope, name, || shards.iter().map(check).collect()).ok()?;
            let mut hashed: Vec<_> = regions.iter().map(|_| None).collect();
            let mut keep = |item, hashes| {
                if let Some(slot) = hashed.get_mut(item) {
                    *slot = Some((hashes, started.elapsed()));
                }
            };
            let none = Salt::none();
            let measured = self.measurer().hash_each(regions, &none, &mut keep);
            let authentic = checking.join().ok()?;
            let admitted = asking.join().ok()?;
            measured.ok().map(|()| Found {
                authentic,
                admitted,
                hashed,
            })
        })
    }
}
