//! Sealing: from bytes to a signed record of what lies frozen in device memory.

use std::time::Instant;

use ring::rand::{SecureRandom as _, SystemRandom};
use vram_alloc::{Bytes, Fate, FrozenRegion, OpenRegion, Released};
use vram_policy::Report;
use vram_provenance::PieceDigests;
use vram_seal::verity::{LeafPrints, Locator};
use vram_seal::{
    Digest, ExpectedFrom, Freezing, ModelRef, Salt, SealRecord, SetPosition, ShardId, VerityDigest,
    VerityMeasurement,
};

use crate::chunks::Chunks;
use crate::clock::unix_nanos;
use crate::event::{Event, Operation};
use crate::hashing::HostHashing;
use crate::manager::{Claim, Manager};
use crate::model::ModelHeader;
use crate::progress::Progress;
use crate::request::SealRequest;
use crate::shard::{SealSteps, SealedShard};
use crate::together::Together;
use crate::upload::{Passed, Upload};
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
    /// - [`Error::Stopped`], [`Error::Hashing`], [`Error::Expectation`], [`Error::ClockSetBack`],
    ///   [`Error::Duplicate`], [`Error::Empty`], [`Error::TooLarge`] and [`Error::NoRoom`], before
    ///   reading;
    /// - [`Error::File`], [`Error::NotAFile`], [`Error::Model`], [`Error::Read`] and
    ///   [`Error::Changed`] for what is wrong with the source;
    /// - [`Error::Unexpected`] and [`Error::NotAsTrusted`] for bytes other than expected,
    ///   [`Error::UploadCorrupted`] if the device doesn't measure what was sent, [`Error::Policy`]
    ///   for a region that isn't plain device memory.
    pub fn seal(&self, request: SealRequest<'_>) -> Result<SealedShard> {
        self.seal_beside(request, &Together::alone())
    }

    /// As [`seal`](Self::seal), one of several.
    pub(crate) fn seal_beside(
        &self,
        request: SealRequest<'_>,
        together: &Together,
    ) -> Result<SealedShard> {
        let id = request.id.clone();
        self.seal_untold(request, together).inspect_err(|error| {
            let refused = Event::Refused {
                operation: Operation::Seal,
                shard: &id,
                reason: error.to_string(),
            };
            self.tell_failure(error, Some(&id), Some(&refused));
        })
    }

    fn seal_untold(&self, request: SealRequest<'_>, together: &Together) -> Result<SealedShard> {
        let started = Instant::now();
        self.require_running()?;
        request.require_sense()?;
        // The record will need it: a clock that was set back is found before anything is read.
        self.now()?;
        let expected_from = request.source_of_expectation()?;
        let SealRequest {
            id,
            source,
            model,
            position,
            expected_content,
            expected_pieces,
            expected_verity,
            expected_from: _,
            hashing,
            progress,
        } = request;
        let claim = self.claim(&id)?;
        let (mut source, size) = source.open()?;
        self.require_size(&id, size)?;
        let expected = Expected {
            shard: &id,
            content: expected_content,
            pieces: expected_pieces,
            verity: expected_verity,
        };
        expected.require_size(size)?;
        let header = source.header()?;
        let staging = &self.settings().staging;
        let chunks = Chunks::new(id.clone(), source, size, staging.buffer_len());
        let upload = Upload {
            shard: &id,
            hashing,
            piece_size: expected.pieces.as_ref().map(PieceDigests::piece_size),
            progress,
            together,
        };
        let job = Job {
            started,
            claim,
            size,
            expected,
            expected_from,
            position,
            model,
            header,
            hashing,
            progress,
        };
        self.seal_filled(job, |region| upload.run(chunks, region, staging))
    }

    /// Takes memory, has it filled, and makes a sealed shard of it. Whoever fills it tells what was hashed of the bytes
    /// on their way.
    pub(crate) fn seal_filled(
        &self,
        job: Job<'_>,
        fill: impl FnOnce(&mut OpenRegion) -> Result<Passed>,
    ) -> Result<SealedShard> {
        let id = job.expected.shard;
        let taken = self.settings().allocator.allocate(job.size);
        // Declared first, and so dropped after the region whatever fails.
        let allocated;
        let mut region = taken.map_err(|error| self.explain(error))?;
        allocated = Allocated::tell(self, id, &region)?;
        // Before a byte goes there: what the policy refuses may be memory that others see.
        self.admit_open(&region)?;
        let passed = fill(&mut region)?;
        job.expected.require(&passed)?;
        let upload = job.started.elapsed();

        // Frozen before it is measured: what was measured can't be written any more.
        let region = region.freeze()?;
        let freeze = job.started.elapsed().saturating_sub(upload);
        let policy = self.admit_region(&region)?;
        let content = passed.content;
        let (measured, prints) =
            self.measure_sealed(&region, passed, &job.expected, job.progress)?;
        let measure = job
            .started
            .elapsed()
            .saturating_sub(upload)
            .saturating_sub(freeze);

        let record = SealRecord {
            shard_id: id.clone(),
            size: job.size,
            content,
            verity: measured.digest(),
            device: self.device_id(),
            sealed_at_unix_nanos: unix_nanos(self.now()?)?,
            freezing: freezing(&region),
            position: job.position,
            model: job.model,
            nonce: nonce()?,
            key_id: self.key_id(),
            expected_from: job.expected_from,
        };
        let locator = Locator::new(measured, prints)?;
        let sealed = self.sign(record)?;
        // Another thread's failure may have stopped the manager meanwhile. What is given out was signed before.
        self.require_running()?;
        let steps = SealSteps {
            upload,
            freeze,
            measure,
            total: job.started.elapsed(),
        };
        let manager = self.clone();
        let shard = SealedShard::new(
            manager,
            region,
            sealed,
            locator,
            job.header,
            job.hashing,
            steps,
        );
        job.claim.pass_on();
        allocated.pass_on();
        self.announce(&shard, &policy)?;
        Ok(shard)
    }

    /// Lets everybody know of a new shard, and sees to what its verifications will need. A shard that can't
    /// be recorded is none.
    fn announce(&self, shard: &SealedShard, policy: &Report) -> Result<()> {
        self.tell(&Event::Sealed {
            record: &shard.sealed_record().record,
            duration: shard.steps().total,
        })?;
        self.tell_warnings(shard, policy)?;
        self.prepare_residency(shard.size().0);
        Ok(())
    }

    /// Tells what became of a shard's memory. That nothing is known of it is no sign that it was wiped.
    pub(crate) fn tell_released(&self, shard: &ShardId, bytes: Bytes, released: Option<&Released>) {
        let failure = match released {
            Some(released) => released.failure(),
            None => Some("it was not given back"),
        };
        let wiped = released.is_some_and(Released::is_wiped);
        self.tell_anyway(&failure.map_or(Event::Freed { shard, bytes }, |reason| {
            Event::ReleaseFailed {
                shard,
                bytes,
                wiped,
                reason,
            }
        }));
    }

    /// Measures what lies on the device, and requires that it is what the host sent; or, where that
    /// hashed nothing, what the caller expects.
    fn measure_sealed(
        &self,
        region: &FrozenRegion,
        passed: Passed,
        expected: &Expected<'_>,
        progress: &dyn Progress,
    ) -> Result<(VerityMeasurement, LeafPrints)> {
        let shard = || expected.shard.clone();
        let mut measurer = self.measurer();
        let Some((sent, prints)) = passed.verity else {
            let (measured, prints) =
                measurer.measure_with_prints(region, &Salt::none(), progress)?;
            let trusted = expected.verity;
            return match trusted.filter(|trusted| *trusted == measured.digest()) {
                Some(_) => Ok((measured, prints)),
                None => Err(Error::NotAsTrusted {
                    shard: shard(),
                    measured: measured.digest(),
                    expected: trusted.unwrap_or(VerityDigest::from_bytes([0; 32])),
                }),
            };
        };
        let measured = measurer.measure(region, &Salt::none(), progress, &mut || ())?;
        if measured.digest() != sent.digest() {
            return Err(Error::UploadCorrupted {
                shard: shard(),
                measured: measured.digest(),
                sent: sent.digest(),
            });
        }
        Ok((measured, prints))
    }

    /// Whether a shard of this size can be sealed now: what is checked before a byte is read.
    pub(crate) fn require_size(&self, id: &ShardId, size: u64) -> Result<()> {
        self.require_limits(id, size)?;
        let checked = self.settings().allocator.check(size);
        checked.map_err(|error| self.explain(error))
    }

    /// Whether a shard of this size would be sealed wherever there is room for it.
    pub(crate) fn require_limits(&self, id: &ShardId, size: u64) -> Result<()> {
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
        Ok(())
    }
}

/// What was found of a digest that was not computed.
const NONE: &str = "none, as it was not computed";

/// What is to be sealed, apart from the bytes.
pub(crate) struct Job<'a> {
    /// When it was asked for.
    pub(crate) started: Instant,
    pub(crate) claim: Claim<'a>,
    pub(crate) size: u64,
    pub(crate) expected: Expected<'a>,
    pub(crate) expected_from: ExpectedFrom,
    pub(crate) position: Option<SetPosition>,
    pub(crate) model: Option<ModelRef>,
    pub(crate) header: Option<ModelHeader>,
    pub(crate) hashing: HostHashing,
    pub(crate) progress: &'a dyn Progress,
}

/// The digests that the caller expects.
pub(crate) struct Expected<'a> {
    pub(crate) shard: &'a ShardId,
    pub(crate) content: Option<Digest>,
    pub(crate) pieces: Option<PieceDigests>,
    pub(crate) verity: Option<VerityDigest>,
}

impl Expected<'_> {
    /// Bytes of another length can't have these digests: found before any is read.
    fn require_size(&self, size: u64) -> Result<()> {
        match &self.pieces {
            Some(pieces) if pieces.size() != size => Err(Error::UnexpectedSize {
                shard: self.shard.clone(),
                found: Bytes(size),
                expected: Bytes(pieces.size()),
            }),
            _ => Ok(()),
        }
    }

    /// Compares them with what the host computed. A content digest that it did not compute is one that nobody compared,
    /// and refused; the verity digest is compared with the device's then.
    fn require(&self, passed: &Passed) -> Result<()> {
        let unexpected = |kind, found: String, expected: String| {
            Err(Error::Unexpected {
                shard: self.shard.clone(),
                kind,
                found,
                expected,
            })
        };
        if let Some(expected) = self.content
            && passed.content != Some(expected)
        {
            let found = passed.content.map_or(NONE.to_owned(), |it| it.to_string());
            return unexpected("content", found, expected.to_string());
        }
        if let Some(expected) = &self.pieces {
            let Some(found) = &passed.pieces else {
                let expected = expected.digests().len().to_string();
                return unexpected("file shards' content", NONE.to_owned(), expected);
            };
            self.require_pieces(expected, found)?;
        }
        if let (Some(expected), Some((found, _))) = (self.verity, &passed.verity)
            && expected != found.digest()
        {
            return unexpected("verity", found.digest().to_string(), expected.to_string());
        }
        Ok(())
    }

    /// Every piece has to be as expected, and there has to be each.
    fn require_pieces(&self, expected: &PieceDigests, found: &[Digest]) -> Result<()> {
        let expected = expected.digests();
        let differing = expected.iter().zip(found).find(|(a, b)| a != b);
        let (expected, found) = match differing {
            Some((expected, found)) => (expected.to_string(), found.to_string()),
            None if expected.len() == found.len() => return Ok(()),
            None => (expected.len().to_string(), found.len().to_string()),
        };
        Err(Error::Unexpected {
            shard: self.shard.clone(),
            kind: "file shard's content",
            found,
            expected,
        })
    }
}

/// Device memory taken for a shard that isn't sealed yet. Dropped after the memory, it tells what
/// became of it.
struct Allocated<'a> {
    manager: &'a Manager,
    shard: Option<&'a ShardId>,
    bytes: Bytes,
    fate: Fate,
}

impl<'a> Allocated<'a> {
    fn tell(manager: &'a Manager, shard: &'a ShardId, region: &OpenRegion) -> Result<Self> {
        let bytes = Bytes(region.mapped());
        manager.tell(&Event::Allocated {
            shard,
            device: manager.device_id(),
            bytes,
        })?;
        Ok(Self {
            manager,
            shard: Some(shard),
            bytes,
            fate: region.fate(),
        })
    }

    /// The memory is a sealed shard's now, which tells of its end itself.
    fn pass_on(mut self) {
        self.shard = None;
    }
}

impl Drop for Allocated<'_> {
    fn drop(&mut self) {
        if let Some(shard) = self.shard {
            self.manager
                .tell_released(shard, self.bytes, self.fate.released());
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

#[cfg(test)]
mod tests;
