//! What the machine can do at most, in the same run as what is held against it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ring::digest::{SHA256, digest};
use vram_alloc::{PinnedBuffer, Probes, Stopwatch, Stream};

use super::files::noise;
use super::host;
use super::measured::{Measured, rate, times};
use super::rig::Rig;
use super::scale::sized;

/// The least that a sample on the device takes: the launch itself must not count.
const LONG_ENOUGH: Duration = Duration::from_millis(50);
/// Bytes of a message that one compression takes in.
const MESSAGE: u64 = 64;
/// Copies in a row that make one sample.
const COPIES: u64 = 4;

/// The rate of SHA-256 compressions with everything in registers, by the device's clock: that of the launch whose
/// threads suit the device best.
pub(super) fn sha256_registers(rig: &Rig<'_>) -> anyhow::Result<Measured> {
    let device = &rig.opened.device;
    let probes = Probes::load(device)?;
    // A CPU that plays the device needs no more than a few threads' work.
    let lengths = if rig.opened.is_simulated() {
        vec![256 * 32]
    } else {
        probes.states_lens().to_vec()
    };
    let mut best: Option<Measured> = None;
    for len in lengths {
        let measured = registers_at(rig, &probes, len)?;
        let better = |best: &Measured| measured.value() > best.value();
        if best.as_ref().is_none_or(better) {
            best = Some(measured);
        }
    }
    best.context("there is no size to launch at")
}

/// The rate of a launch that writes so many bytes of states.
fn registers_at(rig: &Rig<'_>, probes: &Probes, len: u64) -> anyhow::Result<Measured> {
    let device = &rig.opened.device;
    let mut states = rig.opened.allocator.allocate_scratch(len)?;
    let mut states = states.span_mut(0, len)?;
    let stream = Stream::new(device)?;
    let mut watch = Stopwatch::new(device)?;
    let mut sample = |compressions: u32| -> anyhow::Result<(u64, Duration)> {
        watch.start(&stream)?;
        let done = probes.compress(&stream, compressions, &mut states)?;
        watch.stop(&stream)?;
        Ok((done, watch.elapsed()?))
    };
    // Also what wakes the device up and brings its clock to where it stays.
    let mut compressions: u32 = 8;
    while sample(compressions)?.1 < LONG_ENOUGH && compressions < u32::MAX / 2 {
        compressions = compressions.saturating_mul(2);
    }
    let samples = (0..rig.scale.repetitions).map(|_| {
        let (done, elapsed) = sample(compressions)?;
        Ok(rate(done.saturating_mul(MESSAGE), elapsed))
    });
    let threads = len / 32;
    let note =
        format!("{threads} threads, {compressions} compressions each, 64 bytes counted for one");
    Measured::new(samples.collect::<anyhow::Result<_>>()?, note)
}

/// How fast the device reads a range of its memory, by its own clock.
pub(super) fn device_read(rig: &Rig<'_>) -> anyhow::Result<Measured> {
    let device = &rig.opened.device;
    let allocator = &rig.opened.allocator;
    let probes = Probes::load(device)?;
    let len = rig.scale.big;
    let mut data = allocator.allocate_scratch(len)?;
    let stream = Stream::new(device)?;
    data.span_mut(0, len)?.fill(&stream, 0x5a)?;
    let mut sums = allocator.allocate_scratch(probes.sums_len())?;
    let mut sums = sums.span_mut(0, probes.sums_len())?;
    let mut watch = Stopwatch::new(device)?;
    let mut sample = || -> anyhow::Result<f64> {
        watch.start(&stream)?;
        let read = probes.read(&stream, data.span(0, len)?, &mut sums)?;
        watch.stop(&stream)?;
        Ok(rate(read, watch.elapsed()?))
    };
    sample()?;
    let samples = (0..rig.scale.repetitions).map(|_| sample());
    let note = format!("{} once, 16 bytes a load", sized(len));
    Measured::new(samples.collect::<anyhow::Result<_>>()?, note)
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Up,
    Down,
}

/// How fast pinned host memory and the device exchange bytes, by the device's clock.
pub(super) fn link(rig: &Rig<'_>, way: Way) -> anyhow::Result<Measured> {
    let device = &rig.opened.device;
    let len = rig.scale.link;
    let mut region = rig.opened.allocator.allocate_scratch(len)?;
    let mut buffer = PinnedBuffer::new(device, usize::try_from(len)?)?;
    noise(1, buffer.bytes_mut()?);
    let stream = Stream::new(device)?;
    let mut watch = Stopwatch::new(device)?;
    let mut sample = || -> anyhow::Result<f64> {
        watch.start(&stream)?;
        for _ in 0..COPIES {
            match way {
                Way::Up => buffer.upload(&stream, &mut region.span_mut(0, len)?)?,
                Way::Down => buffer.download(&stream, region.span(0, len)?)?,
            }
        }
        watch.stop(&stream)?;
        Ok(rate(len.saturating_mul(COPIES), watch.elapsed()?))
    };
    sample()?;
    let samples = (0..rig.scale.repetitions).map(|_| sample());
    let note = format!("{COPIES} copies of {} in a row", sized(len));
    Measured::new(samples.collect::<anyhow::Result<_>>()?, note)
}

/// How fast so many threads of the host hash, each going through the same bytes.
pub(super) fn host_sha256(rig: &Rig<'_>, threads: usize) -> anyhow::Result<Measured> {
    let len = rig.scale.host_hash;
    let mut bytes = vec![0; usize::try_from(len)?];
    noise(2, &mut bytes);
    let bytes = bytes.as_slice();
    let hash = || {
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| std::hint::black_box(digest(&SHA256, std::hint::black_box(bytes))));
            }
        });
        Ok(())
    };
    let taken = times(rig.scale.repetitions.min(3), hash)?;
    let total = len.saturating_mul(u64::try_from(threads)?);
    let samples = taken.into_iter().map(|time| rate(total, time)).collect();
    let cores = host::cores();
    Measured::new(
        samples,
        format!("{threads} of {cores} cores, {} each", sized(len)),
    )
}

/// The time of one piece of work.
pub(super) fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Duration)> {
    let started = Instant::now();
    let done = work()?;
    Ok((done, started.elapsed()))
}
