//! The same verification as others do it, in the same run: the bytes go to the host and are hashed
//! there.

pub(super) mod python;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use ring::digest::{Context, SHA256, digest};
use vram_alloc::{OpenRegion, PinnedBuffer, Stream};

use super::files::noise;
use super::host;
use super::measured::{Measured, rate, times};
use super::rig::Rig;
use super::scale::{MIB, sized};

/// Bytes of each pinned buffer; every core has two.
const PIECE: u64 = 8 * MIB;

/// As engines do it, without their interpreter: each tensor is copied to fresh pageable memory and
/// hashed there, on one core.
pub(super) fn engine(rig: &Rig<'_>) -> anyhow::Result<Measured> {
    let len = rig.scale.peer;
    let region = weights(rig, len)?;
    let tensor = rig.scale.tensor;
    let check = || {
        let mut offset = 0;
        while offset < len {
            let count = tensor.min(len.saturating_sub(offset));
            let mut bytes = vec![0; usize::try_from(count)?];
            region.read_back(offset, &mut bytes)?;
            std::hint::black_box(digest(&SHA256, &bytes));
            offset = offset.saturating_add(count);
        }
        Ok(())
    };
    let taken = times(rig.scale.repetitions.min(3), check)?;
    let samples = taken.into_iter().map(|time| rate(len, time)).collect();
    let note = format!("{} in tensors of {}", sized(len), sized(tensor));
    Measured::new(samples, note)
}

/// The best a CPU can do: every core copies tensors to pinned memory, one piece while it hashes the
/// piece before.
pub(super) fn cpu_best(rig: &Rig<'_>) -> anyhow::Result<Measured> {
    let len = rig.scale.big;
    let region = weights(rig, len)?;
    let cores = host::cores();
    // One tensor for each core at least, or some would idle.
    let share = len.checked_div(u64::try_from(cores)?).unwrap_or(len);
    let tensor = rig.scale.tensor.min(share.max(1));
    // Pinned beforehand, as a service would: pinning takes long.
    let lanes = (0..cores).map(|_| Lane::new(rig, tensor).map(Mutex::new));
    let lanes = lanes.collect::<anyhow::Result<Vec<_>>>()?;
    let check = || {
        let next = AtomicU64::new(0);
        let next = &next;
        let region = &region;
        thread::scope(|scope| {
            let workers: Vec<_> = lanes
                .iter()
                .map(|lane| {
                    scope.spawn(move || {
                        let lane = lane.lock();
                        let mut lane = lane.map_err(|_| anyhow::anyhow!("a lane was left"))?;
                        loop {
                            let offset = next.fetch_add(tensor, Ordering::Relaxed);
                            if offset >= len {
                                return Ok(());
                            }
                            lane.hash(region, offset, tensor.min(len.saturating_sub(offset)))?;
                        }
                    })
                })
                .collect();
            workers.into_iter().try_for_each(|worker| {
                let ended = worker.join();
                ended.unwrap_or_else(|_| anyhow::bail!("a thread that hashes failed"))
            })
        })
    };
    check()?;
    let taken = times(rig.scale.repetitions.min(3), check)?;
    let samples = taken.into_iter().map(|time| rate(len, time)).collect();
    let note = format!(
        "{} in tensors of {}, {cores} cores with two pinned buffers each",
        sized(len),
        sized(tensor)
    );
    Measured::new(samples, note)
}

/// One core's stream and buffers.
#[derive(Debug)]
struct Lane {
    stream: Stream,
    buffers: [PinnedBuffer; 2],
    piece: u64,
}

impl Lane {
    fn new(rig: &Rig<'_>, tensor: u64) -> anyhow::Result<Self> {
        let device = &rig.opened.device;
        let piece = PIECE.min(tensor);
        let buffer = || PinnedBuffer::new(device, usize::try_from(piece).unwrap_or(1));
        Ok(Self {
            stream: Stream::new(device)?,
            buffers: [buffer()?, buffer()?],
            piece,
        })
    }

    /// The SHA-256 of a tensor, hashed while its next piece is copied.
    fn hash(&mut self, region: &OpenRegion, start: u64, len: u64) -> anyhow::Result<()> {
        let mut context = Context::new(&SHA256);
        let end = start.saturating_add(len);
        let mut offset = start;
        let mut before: Option<u64> = None;
        let [mut filling, mut hashing] = self.buffers.each_mut();
        loop {
            let count = self.piece.min(end.saturating_sub(offset));
            if count > 0 {
                filling.download(&self.stream, region.span(offset, count)?)?;
            }
            if let Some(count) = before {
                let bytes = hashing.bytes()?;
                context.update(bytes.get(..usize::try_from(count)?).unwrap_or_default());
            }
            if count == 0 {
                break;
            }
            before = Some(count);
            offset = offset.saturating_add(count);
            std::mem::swap(&mut filling, &mut hashing);
        }
        std::hint::black_box(context.finish());
        Ok(())
    }
}

/// Device memory full of noise.
fn weights(rig: &Rig<'_>, len: u64) -> anyhow::Result<OpenRegion> {
    let mut region = rig.opened.allocator.allocate(len)?;
    let piece = rig.scale.link.min(len);
    let mut buffer = PinnedBuffer::new(&rig.opened.device, usize::try_from(piece)?)?;
    noise(5, buffer.bytes_mut()?);
    let stream = Stream::new(&rig.opened.device)?;
    let mut offset = 0;
    while offset < len {
        let count = piece.min(len.saturating_sub(offset));
        buffer.upload(&stream, &mut region.span_mut(offset, count)?)?;
        offset = offset.saturating_add(count);
    }
    stream.synchronize()?;
    Ok(region)
}
