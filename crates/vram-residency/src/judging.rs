//! Judging many shards at once: each step of one shard's verification beside another step of others'.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use vram_alloc::FrozenRegion;
use vram_policy::Report;
use vram_seal::{Salt, VerityMeasurement};

use crate::manager::Manager;
use crate::measurer::Hashes;
use crate::shard::SealedShard;
use crate::verification::VerificationReport;
use crate::{Error, Result};

/// How many shards are worth another thread's while, and how many answers wait for one another, so that whoever they are for is woken once for all of them: waking a
/// thread takes longer than a shard's part of anything here.
const BATCH: usize = 64;

/// What the device computed of one shard, and when it was there.
struct Measured {
    /// Its place among the regions.
    item: usize,
    hashes: Hashes,
    took: Duration,
}

impl Manager {
    /// Judges shards whose measurements overlap, each on its own.
    ///
    /// The device begins at once, and this thread keeps it busy. A second one asks the driver about the regions;
    /// a third has the records checked, and concludes on each shard as soon as all answers on it are there.
    ///
    /// `None` if something failed that has no shard's name on it.
    fn judge_abreast(&self, shards: &[&SealedShard]) -> Option<Vec<Result<VerificationReport>>> {
        let started = Instant::now();
        let places: Vec<_> = shards.iter().map(|shard| self.region_here(shard)).collect();
        let regions: Vec<_> = places.iter().flatten().copied().collect();
        std::thread::scope(|scope| {
            let (found, measured) = mpsc::channel();
            let (asked, admitted) = mpsc::channel();
            // Threads of their own, and no pool's: a pool's thread that waits takes up other work, such as
            // somebody's verification, and that must not be one that holds what that work waits for.
            let spawn = std::thread::Builder::new;
            let regions = &regions;
            let ask = move || {
                let mut asked = Batches::to(asked);
                self.admit_each(regions, |verdict| asked.add(verdict));
            };
            let asking = spawn().name("vram-ask".to_owned());
            asking.spawn_scoped(scope, ask).ok()?;
            let judge = move || self.judge_as_found(shards, places, started, admitted, measured);
            let judging = spawn().name("vram-judge".to_owned());
            let judging = judging.spawn_scoped(scope, judge).ok()?;

            let mut found = Batches::to(found);
            let mut send = |item, hashes| {
                let took = started.elapsed();
                found.add(Measured { item, hashes, took });
            };
            let hashed = self.measurer().hash_each(regions, &Salt::none(), &mut send);
            drop(found);
            let judged = judging.join().ok()?;
            hashed.is_ok().then_some(judged)
        })
    }

    /// Judges shards whose measurements overlap, each on its own.
    pub(crate) fn judge_together(
        &self,
        shards: &[&SealedShard],
    ) -> Vec<Result<VerificationReport>> {
        self.judge_abreast(shards).unwrap_or_else(|| {
            // One by one, each has its own answer.
            let alone = |shard: &&SealedShard| {
                self.judge_alone(shard, shard.sealed_record(), Instant::now())
            };
            shards.iter().map(alone).collect()
        })
    }

    /// Concludes on each shard, once the driver and the device have answered for it.
    fn judge_as_found<'a>(
        &self,
        shards: &[&'a SealedShard],
        places: Vec<Result<&'a FrozenRegion>>,
        started: Instant,
        admitted: Receiver<Vec<Result<Arc<Report>>>>,
        measured: Receiver<Vec<Measured>>,
    ) -> Vec<Result<VerificationReport>> {
        let check = |shard: &&SealedShard| self.require_authentic(shard, shard.sealed_record());
        let checking = shards.par_iter().with_min_len(BATCH);
        let authentic: Vec<_> = checking.map(check).collect();

        let mut admitted = admitted.into_iter().flatten();
        let mut measured = Arrivals::of(measured, places.iter().flatten().count());
        let mut numbers = 0..;
        let (concluded, conclusions) = mpsc::channel();
        let mut verdicts: Vec<Option<Result<VerificationReport>>> = Vec::new();
        rayon::in_place_scope(|scope| {
            let mut ready = Vec::with_capacity(BATCH);
            let conclude = |ready: Vec<Answered<'a>>| {
                let concluded = concluded.clone();
                // Waits for nothing, as whatever runs on a pool's thread had better.
                scope.spawn(move |_| {
                    let compare = |answered: Answered<'a>| self.compare_answered(answered, started);
                    let compared: Vec<_> = ready.into_iter().map(compare).collect();
                    // Nobody listens any more only where everything is being left.
                    drop(concluded.send(compared));
                });
            };
            for ((shard, place), authentic) in shards.iter().zip(places).zip(authentic) {
                // The next answer of each kind is the next region's, whatever becomes of the shard.
                let region: Result<&FrozenRegion> = place;
                let answers = region.as_ref().ok().and_then(|_| {
                    let policy = admitted.next()?;
                    Some((policy, measured.take(numbers.next()?)?))
                });
                let answered = || {
                    authentic?;
                    let region = region?;
                    let (policy, found) = answers.ok_or_else(|| self.stopped_error())?;
                    Ok((region, policy?, found))
                };
                match answered() {
                    Err(error) => verdicts.push(Some(Err(error))),
                    Ok((region, policy, found)) => {
                        ready.push(Answered {
                            place: verdicts.len(),
                            shard,
                            region,
                            policy,
                            found,
                        });
                        verdicts.push(None);
                        if ready.len() >= BATCH {
                            conclude(std::mem::replace(&mut ready, Vec::with_capacity(BATCH)));
                        }
                    }
                }
            }
            conclude(ready);
        });
        drop(concluded);
        for (place, compared) in conclusions.into_iter().flatten() {
            let concluded = compared.map_err(|differs| match differs {
                Differs::Somewhere(shard, region, measured) => {
                    self.tampered(shard, region, &measured)
                }
                Differs::InKind(error) => error,
            });
            if let Some(verdict) = verdicts.get_mut(place) {
                *verdict = Some(concluded);
            }
        }
        let verdicts = verdicts.into_iter();
        verdicts
            .map(|verdict| verdict.unwrap_or_else(|| Err(self.stopped_error())))
            .collect()
    }

    /// Compares what was measured of a shard with what was sealed. Where it differs, is left to be found.
    fn compare_answered<'a>(
        &self,
        answered: Answered<'a>,
        started: Instant,
    ) -> (usize, Result<VerificationReport, Differs<'a>>) {
        let Answered {
            place,
            shard,
            region,
            policy,
            found,
        } = answered;
        let compared = found.hashes.finish().map_err(Differs::InKind);
        let compared = compared.and_then(|measured| {
            let took = [started.elapsed(), found.took];
            let compared = self.compare(shard, measured, policy, took);
            compared.map_err(|measured| Differs::Somewhere(shard, region, measured))
        });
        (place, compared)
    }
}

/// A shard of which everything is there that is needed to conclude.
struct Answered<'a> {
    /// Its place among the shards.
    place: usize,
    shard: &'a SealedShard,
    region: &'a FrozenRegion,
    policy: Arc<Report>,
    found: Measured,
}

/// Why a shard is not what was sealed.
enum Differs<'a> {
    /// It was measured otherwise.
    Somewhere(&'a SealedShard, &'a FrozenRegion, VerityMeasurement),
    /// What came from the device is no measurement of it.
    InKind(Error),
}

/// What arrives in any order, taken in that of the regions.
struct Arrivals {
    from: Receiver<Vec<Measured>>,
    waiting: Vec<Option<Measured>>,
}

impl Arrivals {
    fn of(from: Receiver<Vec<Measured>>, regions: usize) -> Self {
        let waiting = std::iter::repeat_with(|| None).take(regions).collect();
        Self { from, waiting }
    }

    /// What there is of a region, once it is there; nothing if nothing more comes.
    fn take(&mut self, item: usize) -> Option<Measured> {
        loop {
            if let Some(found) = self.waiting.get_mut(item)?.take() {
                return Some(found);
            }
            for found in self.from.recv().ok()? {
                let slot = self.waiting.get_mut(found.item)?;
                *slot = Some(found);
            }
        }
    }
}

/// Sends things on in batches, and the rest of them when it is dropped.
struct Batches<T> {
    to: Sender<Vec<T>>,
    batch: Vec<T>,
}

impl<T> Batches<T> {
    fn to(to: Sender<Vec<T>>) -> Self {
        Self {
            to,
            batch: Vec::with_capacity(BATCH),
        }
    }

    fn add(&mut self, thing: T) {
        self.batch.push(thing);
        if self.batch.len() >= BATCH {
            self.send();
        }
    }

    fn send(&mut self) {
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        // Nobody listens any more only where everything is being left.
        drop(self.to.send(batch));
    }
}

impl<T> Drop for Batches<T> {
    fn drop(&mut self) {
        self.send();
    }
}
