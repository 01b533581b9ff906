//! What verifying takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use vram_residency::{Manager, SealRequest, SealedShard};

use super::files::noise;
use super::measured::{Measured, mebibytes, rate, times};
use super::rig::Rig;
use super::scale::{MIB, sized};

/// One shard of 64 MiB.
pub(super) fn medium(rig: &Rig<'_>) -> anyhow::Result<Measured> {
    let len = rig.scale.medium;
    let shard = sealed_noise(&rig.opened.manager, "medium", len)?;
    let repetitions = rig.scale.short_repetitions / 5;
    let taken = verifications(&rig.opened.manager, &shard, repetitions)?;
    let samples = taken.into_iter().map(|time| rate(len, time)).collect();
    let note = format!("one shard of {}", sized(len));
    Ok(Measured::new(samples, note)?.at_full_size(len == 64 * MIB))
}

/// One shard of 1 MiB, in microseconds.
pub(super) fn small(rig: &Rig<'_>) -> anyhow::Result<Measured> {
    let shard = sealed_noise(&rig.opened.manager, "small", MIB)?;
    let taken = verifications(&rig.opened.manager, &shard, rig.scale.short_repetitions)?;
    let samples = taken
        .into_iter()
        .map(|time| time.as_secs_f64() * 1e6)
        .collect();
    Ok(Measured::new(samples, "one shard of 1.0 MiB, from call to permit")?.of_bytes(MIB))
}

/// Many shards of 1 MiB in one call.
pub(super) fn many(rig: &Rig<'_>) -> anyhow::Result<Measured> {
    let manager = &rig.opened.manager;
    let count = rig.scale.many;
    let mut bytes = vec![0; usize::try_from(MIB)?];
    noise(3, &mut bytes);
    let shards = (0..count).map(|index| {
        let request = SealRequest::bytes(format!("many-{index}").parse()?, &bytes);
        Ok(manager.seal(request)?)
    });
    let shards = shards.collect::<anyhow::Result<Vec<_>>>()?;
    let verify = || verify_all(manager, &shards);
    verify()?;
    let total = count.saturating_mul(MIB);
    let taken = times(rig.scale.repetitions, verify)?;
    let samples = taken.into_iter().map(|time| rate(total, time)).collect();
    let note = format!("{count} shards of 1.0 MiB in one call");
    Ok(Measured::new(samples, note)?.at_full_size(count == 1000))
}

/// A large shard that is sealed already.
pub(super) fn large(rig: &Rig<'_>, shard: &SealedShard) -> anyhow::Result<Measured> {
    let len = shard.size().0;
    let taken = verifications(&rig.opened.manager, shard, rig.scale.repetitions)?;
    let samples = taken.into_iter().map(|time| rate(len, time)).collect();
    let note = format!("one shard of {}", sized(len));
    Ok(Measured::new(samples, note)?.at_full_size(rig.scale.large_is_full()))
}

/// Shards that fill the card, in one call, in milliseconds.
pub(super) fn card(rig: &Rig<'_>, shards: &[SealedShard]) -> anyhow::Result<Measured> {
    let manager = &rig.opened.manager;
    let verify = || verify_all(manager, shards);
    verify()?;
    let taken = times(rig.scale.repetitions, verify)?;
    let samples = taken
        .into_iter()
        .map(|time| time.as_secs_f64() * 1e3)
        .collect();
    let total = rig.scale.card();
    let note = format!("{} in {} shards, one call", sized(total), shards.len());
    let measured = Measured::new(samples, note)?.of_bytes(total);
    Ok(measured.at_full_size(rig.scale.card_is_full()))
}

/// The most device memory that measuring holds beside the shard, asked for again and again while it
/// goes on, in MiB.
pub(super) fn scratch(rig: &Rig<'_>, shard: &SealedShard) -> anyhow::Result<Measured> {
    let manager = &rig.opened.manager;
    let sample = || -> anyhow::Result<f64> {
        let done = AtomicBool::new(false);
        let most = thread::scope(|scope| {
            let watcher = scope.spawn(|| -> anyhow::Result<u64> {
                let mut most = 0;
                loop {
                    // Looked at once more after the end: never less than once.
                    let last = done.load(Ordering::Acquire);
                    most = manager.capacity()?.scratch.0.max(most);
                    if last {
                        return Ok(most);
                    }
                    thread::sleep(Duration::from_micros(200));
                }
            });
            let verified = manager.verify(shard).map(drop);
            done.store(true, Ordering::Release);
            let most = watcher.join();
            verified?;
            most.unwrap_or_else(|_| anyhow::bail!("the thread that watches failed"))
        })?;
        Ok(mebibytes(most))
    };
    let samples = (0..rig.scale.repetitions.min(3)).map(|_| sample());
    let note = format!("while a shard of {} is verified", sized(shard.size().0));
    Measured::new(samples.collect::<anyhow::Result<_>>()?, note)
}

fn verify_all(manager: &Manager, shards: &[SealedShard]) -> anyhow::Result<()> {
    let permits = manager.verify_all(shards)?.into_permits()?;
    anyhow::ensure!(permits.len() == shards.len(), "a shard was left out");
    Ok(())
}

/// The times of verifying a shard, from call to permit, once it has been verified before.
fn verifications(
    manager: &Manager,
    shard: &SealedShard,
    repetitions: usize,
) -> anyhow::Result<Vec<Duration>> {
    let verify = || {
        let verified = std::hint::black_box(manager.verify(shard)?);
        drop(verified);
        Ok(())
    };
    verify()?;
    times(repetitions, verify)
}

fn sealed_noise(manager: &Manager, id: &str, len: u64) -> anyhow::Result<SealedShard> {
    let mut bytes = vec![0; usize::try_from(len)?];
    noise(4, &mut bytes);
    Ok(manager.seal(SealRequest::bytes(id.parse()?, &bytes))?)
}
