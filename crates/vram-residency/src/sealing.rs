//! Sealing: from bytes to a signed record of what lies frozen in device memory.

use std::time::Instant;

use ring::rand::{SecureRandom as _, SystemRandom};
use vram_alloc::{Bytes, FrozenRegion, OpenRegion, Sent};
use vram_seal::verity::Locator;
use vram_seal::{
    Digest, Freezing, HashPlan, Salt, SealRecord, SealedRecord, ShardHasher, ShardId, VerityDigest,
    VerityMeasurement,
};

use crate::clock::unix_nanos;
use crate::event::Event;
use crate::manager::Manager;
use crate::progress::{Progress, Stage};
use crate::request::SealRequest;
use crate::shard::{SealSteps, SealedShard};
use crate::source::Opened;
use crate::{Error, Result};

impl Manager {
    /// Seals a shard: uploads its bytes, freezes them, measures them where they lie, and signs
    /// what they are.
    ///
    /// What can be refused is refused before anything is read or allocated. A failure at any later
    /// step wipes and gives back what was taken.
    ///
    /// # Errors
    ///
    /// - [`Error::Stopped`], [`Error::Duplicate`], [`Error::Empty`], [`Error::TooLarge`], and
    ///   [`vram_alloc::Error::OutOfMemory`] within [`Error::Memory`], before reading;
    /// - [`Error::File`], [`Error::NotAFile`], [`Error::Model`], [`Error::Read`] and
    ///   [`Error::Changed`] for what is wrong with the source;
    /// - [`Error::Unexpected`] for bytes other than expected, [`Error::UploadCorrupted`] if the
    ///   device doesn't measure what was sent, [`Error::Policy`] for a region that isn't plain
    ///   device memory.
    pub fn seal(&self, request: SealRequest<'_>) -> Result<SealedShard> {
        let id = request.id.clone();
        self.seal_untold(request).inspect_err(|error| {
            if let Error::Policy(refusal) = error {
                self.tell(&Event::policy_violation(Some(&id), refusal));
            }
            self.tell(&Event::Refused {
                shard: &id,
                reason: error.to_string(),
            });
            self.stop_if_fatal(error);
        })
    }

    fn seal_untold(&self, request: SealRequest<'_>) -> Result<SealedShard> {
        let started = Instant::now();
        let SealRequest {
            id,
            source,
            model,
            position,
            progress,
            ..
        } = request;
        self.require_running()?;
        let claim = self.claim(&id)?;
        let (mut source, size) = source.open()?;
        self.require_size(&id, size)?;
        let header = source.header()?;

        let region = self.settings().allocator.allocate(size)?;
        let allocated = Allocated::tell(self, &id, Bytes(region.mapped()));
        let uploaded = self.upload(&id, source, region, progress)?;
        uploaded.require(&id, request.expected_content, request.expected_verity)?;
        let upload = started.elapsed();

        // Frozen before it is measured: what was measured can't be written any more.
        let region = uploaded.region.freeze()?;
        let freeze = started.elapsed().saturating_sub(upload);
        self.admit_region(&region)?;
        let measured = self.measurer().measure(&region, &Salt::none(), progress)?;
        if measured.digest() != uploaded.verity.digest() {
            let (measured, sent) = (measured.digest(), uploaded.verity.digest());
            return Err(Error::UploadCorrupted {
                shard: id.clone(),
                measured,
                sent,
            });
        }
        let measure = started
            .elapsed()
            .saturating_sub(upload)
            .saturating_sub(freeze);

        let record = SealRecord {
            shard_id: id.clone(),
            size,
            content: Some(uploaded.content),
            verity: measured.digest(),
            device: self.device_id(),
            sealed_at_unix_nanos: unix_nanos(self.now()?)?,
            freezing: freezing(&region),
            position,
            model,
            nonce: nonce()?,
        };
        let sealed = SealedRecord::seal(&self.settings().key, record);
        let steps = SealSteps {
            upload,
            freeze,
            measure,
            total: started.elapsed(),
        };
        let locator = uploaded.locator;
        let shard = SealedShard::new(self.clone(), region, sealed, locator, header, steps);
        claim.pass_on();
        allocated.pass_on();
        self.tell(&Event::Sealed {
            record: &shard.sealed_record().record,
            duration: steps.total,
        });
        Ok(shard)
    }

    /// Whether a shard of this size can be sealed now: what is checked before a byte is read.
    pub(crate) fn require_size(&self, id: &ShardId, size: u64) -> Result<()> {
        let limit = self.settings().max_shard_size;
        if size == 0 {
            return Err(Error::Empty { shard: id.clone() });
        }
        if size > limit {
            let (size, limit) = (Bytes(size), Bytes(limit));
            return Err(Error::TooLarge {
                shard: id.clone(),
                size,
                limit,
            });
        }
        Ok(self.settings().allocator.check(size)?)
    }

    /// Reads, hashes and copies to the device, all at once: while one buffer is hashed and copied,
    /// the next is read.
    fn upload(
        &self,
        id: &ShardId,
        mut source: Opened<'_>,
        mut region: OpenRegion,
        progress: &dyn Progress,
    ) -> Result<Uploaded> {
        let size = region.len();
        let mut staging = self.staging()?;
        let ring = staging.ring()?;
        let mut hasher = ShardHasher::new(HashPlan::BOTH, &Salt::none());
        let mut reading: Option<Sent> = None;
        let mut offset = 0;
        while offset < size {
            let mut buffer = ring.acquire()?;
            let room = buffer.bytes_mut();
            let len = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
            let len = len.min(room.len());
            let room = room.get_mut(..len).unwrap_or_default();
            let (read, ()) = beside_hashing(
                || source.fill(id, offset, size, room),
                || {
                    if let Some(sent) = &reading {
                        hasher.update(sent);
                    }
                },
            );
            if let Some(sent) = reading.take() {
                ring.give_back(sent);
            }
            read?;
            reading = Some(ring.send(buffer, len, &mut region, offset)?);
            offset = offset.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            progress.advanced(Stage::Upload, offset, size);
        }
        if let Some(sent) = reading.take() {
            hasher.update(&sent);
            ring.give_back(sent);
        }
        source.finish(id, size)?;
        ring.drain()?;
        drop(staging);
        Uploaded::new(region, hasher, id)
    }
}

/// Reads on this thread while a worker hashes: the source need not be able to change threads.
fn beside_hashing<R>(read: impl FnOnce() -> R, hash: impl FnOnce() + Send) -> (R, ()) {
    rayon::in_place_scope(|scope| {
        scope.spawn(|_| hash());
        (read(), ())
    })
}

/// A region filled, with what the host computed of the bytes that went there.
struct Uploaded {
    region: OpenRegion,
    content: Digest,
    verity: VerityMeasurement,
    locator: Locator,
}

impl Uploaded {
    fn new(region: OpenRegion, hasher: ShardHasher, id: &ShardId) -> Result<Self> {
        let digests = hasher.finish();
        let (Some(content), Some(verity), Some(prints)) =
            (digests.content, digests.verity, digests.prints)
        else {
            let (read, size) = (0, region.len());
            return Err(Error::Changed {
                shard: id.clone(),
                read,
                size,
            });
        };
        let locator = Locator::new(verity.clone(), prints)?;
        Ok(Self {
            region,
            content,
            verity,
            locator,
        })
    }

    fn require(
        &self,
        id: &ShardId,
        content: Option<Digest>,
        verity: Option<VerityDigest>,
    ) -> Result<()> {
        let unexpected = |kind, found: String, expected: String| {
            Err(Error::Unexpected {
                shard: id.clone(),
                kind,
                found,
                expected,
            })
        };
        if let Some(expected) = content.filter(|expected| *expected != self.content) {
            return unexpected("content", self.content.to_string(), expected.to_string());
        }
        let found = self.verity.digest();
        if let Some(expected) = verity.filter(|expected| *expected != found) {
            return unexpected("verity", found.to_string(), expected.to_string());
        }
        Ok(())
    }
}

/// Device memory taken for a shard that isn't sealed yet. Dropped after the memory, it tells that
/// it was given back.
struct Allocated<'a> {
    manager: &'a Manager,
    shard: Option<&'a ShardId>,
    bytes: Bytes,
}

impl<'a> Allocated<'a> {
    fn tell(manager: &'a Manager, shard: &'a ShardId, bytes: Bytes) -> Self {
        manager.tell(&Event::Allocated {
            shard,
            device: manager.device_id(),
            bytes,
        });
        Self {
            manager,
            shard: Some(shard),
            bytes,
        }
    }

    /// The memory is a sealed shard's now, which tells of its end itself.
    fn pass_on(mut self) {
        self.shard = None;
    }
}

impl Drop for Allocated<'_> {
    fn drop(&mut self) {
        if let Some(shard) = self.shard {
            self.manager.tell(&Event::Freed {
                shard,
                bytes: self.bytes,
            });
        }
    }
}

fn freezing(region: &FrozenRegion) -> Freezing {
    match region.freezing() {
        vram_alloc::Freezing::Mmu => Freezing::Mmu,
        // Whatever else there will be: the device doesn't enforce it as far as is known here.
        _ => Freezing::Software,
    }
}

fn nonce() -> Result<[u8; 16]> {
    let mut nonce = [0; 16];
    SystemRandom::new()
        .fill(&mut nonce)
        .map_err(|_| Error::System {
            what: "random bytes",
            source: "the system's generator failed".into(),
        })?;
    Ok(nonce)
}
