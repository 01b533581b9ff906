//! Where memory lies: what asking costs, and how fast each place is read.

use std::hint::black_box;

use vram_alloc::{MappedBuffer, Readable};
use vram_residency::SealRequest;

use super::files::noise;
use super::measured::{Measured, number, times};
use super::rig::Rig;
use super::scale::{GIB, MIB, sized};

/// Checks in a row that make one sample.
const CHECKS: u32 = 100;

/// What asking the driver about a region and judging the answers adds to each verification, in microseconds.
pub(super) fn region_checks(rig: &Rig<'_>) -> anyhow::Result<Measured> {
    let manager = &rig.opened.manager;
    let mut bytes = vec![0; usize::try_from(MIB)?];
    noise(5, &mut bytes);
    let shard = manager.seal(SealRequest::bytes("checked".parse()?, &bytes))?;
    let check = || -> anyhow::Result<()> {
        for _ in 0..CHECKS {
            black_box(manager.check_region(&shard)?);
        }
        Ok(())
    };
    check()?;
    let taken = times(rig.scale.short_repetitions, check)?;
    let samples = taken
        .into_iter()
        .map(|time| time.as_secs_f64() * 1e6 / f64::from(CHECKS))
        .collect();
    Measured::new(
        samples,
        format!("one region, the mean of {CHECKS} in a row"),
    )
}

/// A region of the device's own memory.
pub(super) fn device(rig: &Rig<'_>) -> anyhow::Result<Measured> {
    let region = rig.opened.allocator.allocate_scratch(len(rig))?;
    proofs(rig, &region)
}

/// As much host memory, which the device reads over the link.
pub(super) fn host(rig: &Rig<'_>) -> anyhow::Result<Measured> {
    let buffer = MappedBuffer::new(&rig.opened.device, len(rig))?;
    proofs(rig, &buffer)
}

/// Enough for several windows of an H100's cache.
fn len(rig: &Rig<'_>) -> u64 {
    rig.scale.big.min(GIB)
}

/// The rate of the slowest window in each of several proofs. The last verdict is in the note.
fn proofs(rig: &Rig<'_>, memory: &dyn Readable) -> anyhow::Result<Measured> {
    let mut said = String::new();
    let mut samples = Vec::new();
    for _ in 0..rig.scale.repetitions {
        let verdict = rig.opened.manager.residency_of(memory)?;
        let rate = verdict.observed_rate;
        let rate = rate.ok_or_else(|| anyhow::anyhow!("the clock saw no time pass"))?;
        samples.push(number(rate.bytes_per_second()) / 1e9);
        said = verdict.to_string();
    }
    let full = len(rig) == GIB;
    let note = format!("{}, its slowest window; {said}", sized(memory.len()));
    Ok(Measured::new(samples, note)?.at_full_size(full))
}
