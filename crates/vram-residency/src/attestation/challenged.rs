//! A shard, measured for a challenge.

use std::sync::Arc;
use std::time::Instant;

use vram_policy::Report;
use vram_policy::residency::{Rate, ResidencyReason, ResidencyStatus, ResidencyVerdict};
use vram_seal::evidence::{self, Challenge, MeasuredShard, fitting_text};

use super::micros;
use crate::Result;
use crate::event::{Event, Operation};
use crate::manager::Manager;
use crate::progress::Silent;
use crate::residency_proof::nanos;
use crate::shard::SealedShard;

/// What the device measured of a shard with the challenge as salt, and what the driver said of its region meanwhile.
pub(super) struct Challenged {
    pub(super) measured: MeasuredShard,
    pub(super) policy: Arc<Report>,
}

impl Manager {
    /// Measures a shard that has just been verified once more, with the challenge as salt. What it finds wrong is told
    /// and stops the manager, as in a verification.
    pub(super) fn challenged(
        &self,
        shard: &SealedShard,
        challenge: &Challenge,
    ) -> Result<Challenged> {
        self.require_running()?;
        let challenged = self.measure_challenged(shard, challenge);
        if let Err(error) = &challenged {
            let (id, reason) = (shard.id(), error.to_string());
            let found = if error.is_fatal() {
                Event::VerificationFailed { shard: id, reason }
            } else {
                Event::Refused {
                    operation: Operation::Verify,
                    shard: id,
                    reason,
                }
            };
            self.tell_failure(error, Some(id), Some(&found));
        }
        challenged
    }

    fn measure_challenged(&self, shard: &SealedShard, challenge: &Challenge) -> Result<Challenged> {
        let region = self.region_here(shard)?;
        let salt = challenge.salt();
        let mut policy = None;
        let mut ask = || policy = Some(self.admit_region(region));
        let mut measurer = self.measurer();
        // From here on nobody else's measurement is in the way.
        let started = Instant::now();
        let measured = measurer.measure(region, &salt, &Silent, &mut ask);
        let took = started.elapsed();
        drop(measurer);
        let policy = policy.unwrap_or_else(|| self.admit_region(region))?;
        let measured = measured?;

        let size = shard.size().0;
        let verdict = self.residency_of_verification(size, took);
        let residency = self.settled_residency(shard, verdict)?;
        Ok(Challenged {
            measured: MeasuredShard {
                name: shard.id().clone(),
                size_bytes: size,
                freezing: shard.freezing(),
                challenged_verity: measured.digest(),
                duration_microseconds: micros(took),
                bytes_per_second: Rate::of(size, nanos(took).max(1))
                    .map_or(0, Rate::bytes_per_second),
                residency,
                expected_from: shard.expected_from(),
            },
            policy: Arc::new(policy),
        })
    }

    /// Where the bytes lie, as far as the measurement tells; where it leaves that open and passes over the memory could
    /// settle it, these are made. They can contradict, and that stops the manager.
    fn settled_residency(
        &self,
        shard: &SealedShard,
        verdict: ResidencyVerdict,
    ) -> Result<evidence::Residency> {
        let is_open = matches!(
            verdict.reason,
            ResidencyReason::TooFewPasses
                | ResidencyReason::BelowThreshold
                | ResidencyReason::NoControl
                | ResidencyReason::LinkNotMeasured
        );
        let verdict = if is_open {
            settled(verdict, self.residency_proof(shard))?
        } else {
            verdict
        };
        Ok(evidence::Residency {
            verdict: stated(&verdict),
            reason: fitting_text(&verdict.to_string()),
        })
    }
}

/// What a proof makes of a verdict that was open. Where there is no room for one it stays open, and the evidence says so.
fn settled(open: ResidencyVerdict, proof: Result<ResidencyVerdict>) -> Result<ResidencyVerdict> {
    match proof {
        Err(error) if error.is_retriable() => {
            tracing::debug!(%error, "where the shard lies could not be settled");
            Ok(open)
        }
        proof => proof,
    }
}

/// What evidence says of a verdict. What a simulation's speed says of hardware is nothing.
fn stated(verdict: &ResidencyVerdict) -> evidence::ResidencyVerdict {
    match verdict.status {
        ResidencyStatus::Proven if verdict.is_proven() => evidence::ResidencyVerdict::Proven,
        ResidencyStatus::Contradicted if !verdict.simulated => {
            evidence::ResidencyVerdict::Contradicted
        }
        _ => evidence::ResidencyVerdict::Unproven,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residency::tests::verdict;

    #[test]
    fn a_verdict_stays_open_where_there_is_no_room_to_settle_it() {
        let (open, proven) = (verdict(12_500, false), verdict(250, false));
        let no_room = vram_alloc::Error::OutOfMemory {
            needed: vram_alloc::Bytes(2),
            available: vram_alloc::Bytes(1),
            budget: None,
        };

        assert_eq!(settled(open, Ok(proven)).unwrap(), proven);
        assert_eq!(settled(open, Err(no_room.into())).unwrap(), open);
        let refused = settled(open, Err(vram_alloc::Error::ZeroSize.into()));
        assert!(refused.is_err());
    }

    #[test]
    fn evidence_says_what_the_verdict_does_and_of_a_simulation_nothing() {
        use evidence::ResidencyVerdict::{Contradicted, Proven, Unproven};
        let fast = verdict(250, false);
        let slow = verdict(20_000, false);
        let between = verdict(12_500, false);
        assert_eq!(fast.status, ResidencyStatus::Proven, "{fast}");
        assert_eq!(slow.status, ResidencyStatus::Contradicted, "{slow}");
        assert_eq!(between.status, ResidencyStatus::Unproven, "{between}");

        assert_eq!(stated(&fast), Proven);
        assert_eq!(stated(&slow), Contradicted);
        assert_eq!(stated(&between), Unproven);
        for micros in [250, 20_000] {
            let simulated = verdict(micros, true);
            assert_eq!(stated(&simulated), Unproven, "{simulated}");
        }
    }
}
