//! Memory that somebody else allocated: measured where it lies, sealed as a copy.
//!
//! What another library holds can be measured, and the measurement is as good as one of ours at that moment. It
//! can't be sealed in place: its owner may write it, export it or free it at any time, and a record that said
//! "frozen" would be a promise that nobody keeps. So sealing copies it, on the device, into memory that the MMU
//! can freeze. No byte of it goes through the host.

use std::time::{Duration, Instant};

use serde::Serialize;
use vram_alloc::{Bytes, ExternalRegion, Stream};
use vram_policy::Report;
use vram_policy::residency::ResidencyVerdict;
use vram_seal::{ExpectedFrom, Salt, ShardId, VerityDigest};

use crate::event::{Event, Operation};
use crate::hashing::HostHashing;
use crate::manager::Manager;
use crate::progress::Silent;
use crate::sealing::{Expected, Job};
use crate::shard::SealedShard;
use crate::upload::Passed;
use crate::{Error, Result};

/// Memory of somebody else's, as it was at one moment. Nothing is signed, and nothing keeps it so.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ExternalMeasurement {
    /// Bytes measured.
    pub size: Bytes,
    /// What the device measured, which `fsverity digest` prints for the same bytes.
    pub verity: VerityDigest,
    /// What the driver said of the region, judged.
    pub policy: Report,
    /// What the time that hashing took says of where the bytes lie.
    pub residency: ResidencyVerdict,
    /// From the call to the digest.
    pub duration: Duration,
    /// Whether a simulation measured.
    pub simulated: bool,
}

impl Manager {
    /// Measures memory that somebody else allocated, where it lies.
    ///
    /// Before and after, the driver is asked whether it is still the allocation that was adopted; and the policy
    /// judges it as it judges a shard's region. Memory of `cuMemAlloc` can be exported to other processes, which
    /// the strict policy refuses: lower `region.not-exportable` to measure it.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`]; [`vram_alloc::Error::ForeignMemory`] within [`Error::Memory`], if it isn't what was
    /// adopted any more; [`vram_alloc::Error::WrongDevice`] for memory on another device. Neither a refusal nor
    /// memory that has changed stops the manager: it isn't its memory.
    pub fn measure_external(&self, region: &ExternalRegion) -> Result<ExternalMeasurement> {
        let started = Instant::now();
        self.require_running()?;
        let policy = self.admit_external(region)?;
        let measuring = Instant::now();
        let measured = self
            .measurer()
            .measure(region, &Salt::none(), &Silent, &mut || ())?;
        let took = measuring.elapsed();
        region.recheck()?;
        Ok(ExternalMeasurement {
            size: Bytes(region.len()),
            verity: measured.digest(),
            policy,
            residency: self.residency_of_verification(region.len(), took),
            duration: started.elapsed(),
            simulated: self.device().simulated,
        })
    }

    /// Seals what lies in memory that somebody else allocated: copies it on the device into memory of this
    /// manager's, freezes that, measures it, and signs.
    ///
    /// The digest is the caller's to know, from the file's `fsverity digest` or from
    /// [`measure_external`](Self::measure_external). The copy must have it, so that it doesn't matter who wrote the
    /// original when.
    ///
    /// # Errors
    ///
    /// [`Error::NotAsTrusted`] if the copy has another digest; else as [`seal`](Self::seal) and
    /// [`measure_external`](Self::measure_external).
    pub fn seal_external(
        &self,
        id: ShardId,
        region: &ExternalRegion,
        expected: VerityDigest,
    ) -> Result<SealedShard> {
        let refused = |error: &Error| Event::Refused {
            operation: Operation::Seal,
            shard: &id,
            reason: error.to_string(),
        };
        self.require_running()
            .and_then(|()| self.admit_external(region))
            .inspect_err(|error| {
                if let Error::Policy(refusal) = error {
                    self.tell_anyway(&Event::policy_violation(Some(&id), refusal));
                }
                self.tell_anyway(&refused(error));
            })?;
        self.copy_and_seal(&id, region, expected)
            .inspect_err(|error| self.tell_failure(error, Some(&id), Some(&refused(error))))
    }

    fn copy_and_seal(
        &self,
        id: &ShardId,
        external: &ExternalRegion,
        expected: VerityDigest,
    ) -> Result<SealedShard> {
        let started = Instant::now();
        let claim = self.claim(id)?;
        let size = external.len();
        self.require_size(id, size)?;
        let job = Job {
            started,
            claim,
            size,
            expected: Expected {
                shard: id,
                content: None,
                pieces: None,
                verity: Some(expected),
            },
            expected_from: ExpectedFrom::Caller,
            position: None,
            model: None,
            header: None,
            hashing: HostHashing::Trusted,
            progress: &Silent,
        };
        self.seal_filled(job, |region| {
            let stream = Stream::new(self.settings().allocator.device())?;
            region
                .span_mut(0, size)?
                .copy_from(&stream, external.span(0, size)?)?;
            stream.synchronize()?;
            // The host saw no byte of it, and hashed none.
            Ok(Passed::default())
        })
    }

    /// Judges adopted memory as a shard's region is judged, after asking whether it is still what was adopted.
    fn admit_external(&self, region: &ExternalRegion) -> Result<Report> {
        let operation = "measuring memory of another device";
        if !region.device().is_same(self.settings().allocator.device()) {
            return Err(vram_alloc::Error::WrongDevice { operation }.into());
        }
        region.recheck()?;
        self.admit_foreign(&region.observe()?, region.allocation())
    }
}
