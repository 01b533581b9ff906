//! What happens to shards, told to whoever keeps a trail or counts.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use vram_alloc::Bytes;
use vram_policy::{CheckId, Finding, Refusal};
use vram_seal::{DeviceId, SealRecord, ShardId};

/// Something that happened. No event holds an address, a key, a tag or a weight.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event<'a> {
    /// Device memory was taken for a shard.
    Allocated {
        /// The shard.
        shard: &'a ShardId,
        /// The device.
        device: DeviceId,
        /// Bytes taken, rounding up included.
        bytes: Bytes,
    },
    /// A shard was sealed.
    Sealed {
        /// What was signed.
        record: &'a SealRecord,
        /// From the request to the signature.
        duration: Duration,
    },
    /// A shard was verified, and found as it was sealed.
    Verified {
        /// The shard.
        shard: &'a ShardId,
        /// Bytes measured.
        bytes: Bytes,
        /// From the call to the permit.
        duration: Duration,
    },
    /// A shard was not what it was when sealed. Critical.
    VerificationFailed {
        /// The shard.
        shard: &'a ShardId,
        /// What was found.
        reason: String,
    },
    /// A shard's memory was wiped and given back.
    Freed {
        /// The shard.
        shard: &'a ShardId,
        /// Bytes given back.
        bytes: Bytes,
    },
    /// A request to seal or to verify was refused, or failed with nothing wrong found.
    Refused {
        /// The shard, or the one that was to be.
        shard: &'a ShardId,
        /// Why.
        reason: String,
    },
    /// A device or a region broke the policy. Critical.
    PolicyViolation {
        /// The shard, where it was one's region.
        shard: Option<&'a ShardId>,
        /// The checks that refuse; none where a measurement contradicts what they were told.
        checks: Vec<CheckId>,
        /// The findings.
        reason: String,
    },
    /// The policy tolerates something that is not as it should be: told when it is first seen, and again
    /// when it has changed.
    PolicyWarning {
        /// The shard, where it is one's region.
        shard: Option<&'a ShardId>,
        /// What is new.
        findings: Vec<&'a Finding>,
    },
}

impl Event<'_> {
    pub(crate) fn policy_violation<'a>(shard: Option<&'a ShardId>, refusal: &Refusal) -> Event<'a> {
        Event::PolicyViolation {
            shard,
            checks: refusal.findings().iter().map(|found| found.id).collect(),
            reason: refusal.to_string(),
        }
    }

    pub(crate) const fn policy_warning<'a>(
        shard: Option<&'a ShardId>,
        findings: Vec<&'a Finding>,
    ) -> Event<'a> {
        Event::PolicyWarning { shard, findings }
    }

    /// Whether an operator must hear of it now.
    #[must_use]
    pub const fn is_critical(&self) -> bool {
        matches!(
            self,
            Self::VerificationFailed { .. } | Self::PolicyViolation { .. }
        )
    }
}

/// Hears of every event, in the order in which they happen to each shard.
///
/// Called within the operation that the event is about, on its thread: be quick, and don't call the
/// manager back.
pub trait Observer: Send + Sync + fmt::Debug {
    /// Takes note of an event.
    fn on_event(&self, event: &Event<'_>);
}

/// Writes every event to the log, through `tracing`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingObserver;

impl Observer for TracingObserver {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Allocated {
                shard,
                device,
                bytes,
            } => {
                tracing::debug!(%shard, %device, bytes = bytes.0, "allocated");
            }
            Event::Sealed { record, duration } => {
                let (shard, verity) = (&record.shard_id, &record.verity);
                tracing::info!(%shard, bytes = record.size, %verity, ?duration, "sealed");
            }
            Event::Verified {
                shard,
                bytes,
                duration,
            } => {
                tracing::info!(%shard, bytes = bytes.0, ?duration, "verified");
            }
            Event::VerificationFailed { shard, reason } => {
                tracing::error!(%shard, reason, "verification failed");
            }
            Event::Freed { shard, bytes } => tracing::info!(%shard, bytes = bytes.0, "freed"),
            Event::Refused { shard, reason } => tracing::warn!(%shard, reason, "refused"),
            Event::PolicyViolation { shard, reason, .. } => {
                let shard = shard.map(ShardId::as_str);
                tracing::error!(shard, reason, "policy violation");
            }
            Event::PolicyWarning { shard, findings } => {
                let shard = shard.map(ShardId::as_str);
                for finding in findings {
                    tracing::warn!(shard, %finding, "policy warning");
                }
            }
        }
    }
}
