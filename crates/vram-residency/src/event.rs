//! What happens to shards, told to whoever keeps a trail or counts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use vram_alloc::Bytes;
use vram_policy::{CheckId, Finding, Refusal};
use vram_seal::{DeviceId, Digest, SealRecord, ShardId};

/// Something that happened. No event holds an address, a key, a tag or a weight.
///
/// As JSON, which `docs/spec/audit-trail.md` lays down, its name is the member `event`, and durations are
/// whole nanoseconds.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event<'a> {
    /// A manager is being made: what is told next is of its device. Critical.
    ManagerStarted {
        /// The device.
        device: DeviceId,
        /// Its name, as the driver has it.
        device_name: &'a str,
        /// The version of this library.
        library: &'static str,
    },
    /// The manager was made. Critical.
    ManagerReady {
        /// The identity of the key that it seals with.
        key_id: String,
        /// The keys of others before it whose seals it accepts.
        previous_keys: Vec<PreviousKey>,
    },
    /// The manager was not made. Critical.
    ManagerRefused {
        /// Why.
        reason: String,
    },
    /// The manager has stopped: it seals and permits nothing more. Critical.
    ManagerStopped {
        /// The first reason.
        reason: &'a str,
    },
    /// The manager is gone, and with it every shard that it had. Critical.
    ManagerEnded {},
    /// The device and the machine around it were looked at again, and nothing was refused.
    Rechecked {
        /// How many findings are tolerated.
        warnings: usize,
    },
    /// Shards are sealed under another key from now on. Critical.
    KeyRotated {
        /// The identity of the key that seals now.
        key_id: String,
        /// That of the one before.
        previous_key_id: String,
        /// Until when that one's seals are accepted: nanoseconds since 1970-01-01 00:00:00 UTC.
        previous_until_unix_nanos: u64,
    },
    /// Another key was to seal, and was refused: the one before goes on. Critical.
    KeyRotationRefused {
        /// Why.
        reason: String,
    },
    /// The time of an earlier key is over: it was wiped, and its seals are refused from now on. Critical.
    KeyRetired {
        /// Its identity.
        key_id: String,
        /// Until when its seals were accepted: nanoseconds since 1970-01-01 00:00:00 UTC.
        until_unix_nanos: u64,
    },
    /// A signed statement was made of shards that were verified for it. Critical.
    EvidenceMade {
        /// How many shards it is of.
        shards: usize,
        /// SHA-256 of the statement, as it was signed.
        statement: Digest,
        /// The challenge that it answers, in hexadecimal.
        challenge: String,
        /// The identity of the key that signed it.
        key_id: String,
    },
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
        #[serde(rename = "duration_ns", serialize_with = "nanoseconds")]
        duration: Duration,
    },
    /// A shard was verified, and found as it was sealed.
    Verified {
        /// The shard.
        shard: &'a ShardId,
        /// Bytes measured.
        bytes: Bytes,
        /// From the call to the permit.
        #[serde(rename = "duration_ns", serialize_with = "nanoseconds")]
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
    /// A shard's memory could not be wiped, or not be given back. Critical.
    ReleaseFailed {
        /// The shard.
        shard: &'a ShardId,
        /// Bytes that it took.
        bytes: Bytes,
        /// Whether they were wiped at least. What was not is kept from everyone, or went with a lost device.
        wiped: bool,
        /// What was said.
        reason: &'a str,
    },
    /// A request to seal or to verify was refused, or failed with nothing wrong found.
    Refused {
        /// What was asked for.
        operation: Operation,
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

/// An earlier key that is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PreviousKey {
    /// Its identity.
    pub key_id: String,
    /// Until when its seals are accepted: nanoseconds since 1970-01-01 00:00:00 UTC.
    pub until_unix_nanos: u64,
}

/// What a manager is asked to do to a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operation {
    /// To seal it.
    Seal,
    /// To verify it.
    Verify,
}

impl Operation {
    /// Its name, as it stands in an event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Verify => "verify",
        }
    }
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

    /// The event's name, as its JSON has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ManagerStarted { .. } => "manager_started",
            Self::ManagerReady { .. } => "manager_ready",
            Self::ManagerRefused { .. } => "manager_refused",
            Self::ManagerStopped { .. } => "manager_stopped",
            Self::ManagerEnded {} => "manager_ended",
            Self::Rechecked { .. } => "rechecked",
            Self::KeyRotated { .. } => "key_rotated",
            Self::KeyRotationRefused { .. } => "key_rotation_refused",
            Self::KeyRetired { .. } => "key_retired",
            Self::EvidenceMade { .. } => "evidence_made",
            Self::Allocated { .. } => "allocated",
            Self::Sealed { .. } => "sealed",
            Self::Verified { .. } => "verified",
            Self::VerificationFailed { .. } => "verification_failed",
            Self::Freed { .. } => "freed",
            Self::ReleaseFailed { .. } => "release_failed",
            Self::Refused { .. } => "refused",
            Self::PolicyViolation { .. } => "policy_violation",
            Self::PolicyWarning { .. } => "policy_warning",
        }
    }

    /// Whether whoever keeps a trail must have it safe before anything goes on.
    #[must_use]
    pub const fn is_critical(&self) -> bool {
        match self {
            Self::ManagerStarted { .. }
            | Self::ManagerReady { .. }
            | Self::ManagerRefused { .. }
            | Self::ManagerStopped { .. }
            | Self::ManagerEnded {}
            | Self::KeyRotated { .. }
            | Self::KeyRotationRefused { .. }
            | Self::KeyRetired { .. }
            | Self::EvidenceMade { .. }
            | Self::VerificationFailed { .. }
            | Self::ReleaseFailed { .. }
            | Self::PolicyViolation { .. } => true,
            Self::Rechecked { .. }
            | Self::Allocated { .. }
            | Self::Sealed { .. }
            | Self::Verified { .. }
            | Self::Freed { .. }
            | Self::Refused { .. }
            | Self::PolicyWarning { .. } => false,
        }
    }
}

/// Whole nanoseconds: 584 years at most.
fn nanoseconds<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

/// Why an observer could not take note of an event.
pub type ObserverError = Box<dyn std::error::Error + Send + Sync>;

/// Hears of every event, in the order in which they happen to each shard.
///
/// Called within the operation that the event is about, on its thread: be quick, and don't call the
/// manager back.
pub trait Observer: Send + Sync + fmt::Debug {
    /// Takes note of an event.
    ///
    /// # Errors
    ///
    /// Whoever must keep every event and can't fails here. The manager then stops: what the event is about
    /// has happened or was found, but no permit and no shard comes of it, and nothing more is done that
    /// nobody would know of. The other observers hear of the event all the same. An observer that can do
    /// without an event answers `Ok`.
    fn on_event(&self, event: &Event<'_>) -> Result<(), ObserverError>;
}

/// Lets every one of these observers know.
///
/// # Errors
///
/// [`Error::Unrecorded`](crate::Error::Unrecorded) for the first that could not take note.
pub(crate) fn tell(observers: &[Arc<dyn Observer>], event: &Event<'_>) -> crate::Result<()> {
    let mut told = Ok(());
    for observer in observers {
        if let Err(source) = observer.on_event(event)
            && told.is_ok()
        {
            let event = event.name();
            told = Err(crate::Error::Unrecorded { event, source });
        }
    }
    told
}

/// Writes every event to the log, through `tracing`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingObserver;

impl Observer for TracingObserver {
    fn on_event(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        match event {
            Event::ManagerStarted {
                device,
                device_name,
                library,
            } => {
                tracing::info!(%device, device_name, library, "manager started");
            }
            Event::ManagerReady {
                key_id,
                previous_keys,
            } => tracing::info!(key_id, ?previous_keys, "manager ready"),
            Event::ManagerRefused { reason } => tracing::error!(reason, "no manager was made"),
            Event::ManagerStopped { reason } => {
                tracing::error!(reason, "the manager has stopped");
            }
            Event::ManagerEnded {} => tracing::info!("manager ended"),
            Event::Rechecked { warnings } => tracing::debug!(warnings, "re-checked"),
            Event::KeyRotated {
                key_id,
                previous_key_id,
                previous_until_unix_nanos,
            } => {
                tracing::info!(
                    key_id,
                    previous_key_id,
                    previous_until_unix_nanos,
                    "key rotated"
                );
            }
            Event::KeyRotationRefused { reason } => {
                tracing::error!(reason, "key rotation refused");
            }
            Event::KeyRetired {
                key_id,
                until_unix_nanos,
            } => tracing::info!(key_id, until_unix_nanos, "key retired"),
            Event::EvidenceMade {
                shards,
                statement,
                challenge,
                key_id,
            } => tracing::info!(shards, %statement, challenge, key_id, "evidence made"),
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
            Event::ReleaseFailed {
                shard,
                bytes,
                wiped,
                reason,
            } => {
                tracing::error!(%shard, bytes = bytes.0, wiped, reason, "release failed");
            }
            Event::Refused {
                operation,
                shard,
                reason,
            } => {
                let operation = operation.as_str();
                tracing::warn!(operation, %shard, reason, "refused");
            }
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
        Ok(())
    }
}
