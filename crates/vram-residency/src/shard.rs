//! A sealed shard: weights in device memory, frozen, with the record that says so.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};
use vram_alloc::{Bytes, FrozenRegion, Released};
use vram_seal::verity::Locator;
use vram_seal::{
    DeviceId, Digest, ExpectedFrom, Freezing, ModelRef, SealKeyId, SealRecord, SealedRecord,
    SetPosition, ShardId, VerityDigest,
};

use crate::enforcement::Told;
use crate::hashing::HostHashing;
use crate::manager::Manager;
use crate::model::{ModelFormat, ModelHeader, TensorTable};

/// Weights that lie sealed in device memory.
///
/// It owns them: dropping it wipes the memory, gives it back and tells the observers what came of it;
/// [`release`](Self::release) does the same and says it to the caller too. The bytes can be reached only through the permit of a verification
/// ([`Manager::verify`]).
///
/// Serialized, it is what was sealed: no address, no key, no tag.
pub struct SealedShard {
    manager: Manager,
    /// `None` only while it is being dropped.
    region: Option<FrozenRegion>,
    sealed: SealedRecord,
    locator: Locator,
    header: Option<ModelHeader>,
    hashing: HostHashing,
    steps: SealSteps,
    /// What the policy tolerates of its region.
    warnings: Told,
}

/// The name that inference workers know it by.
pub type ModelShardHandle = SealedShard;

/// How long each step of a seal took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SealSteps {
    /// Reading, hashing what the host is to hash, and copying to the device, overlapped.
    pub upload: Duration,
    /// Making the region read-only.
    pub freeze: Duration,
    /// Measuring it on the device.
    pub measure: Duration,
    /// From the request to the signature.
    pub total: Duration,
}

impl SealedShard {
    pub(crate) fn new(
        manager: Manager,
        region: FrozenRegion,
        sealed: SealedRecord,
        locator: Locator,
        header: Option<ModelHeader>,
        hashing: HostHashing,
        steps: SealSteps,
    ) -> Self {
        Self {
            manager,
            region: Some(region),
            sealed,
            locator,
            header,
            hashing,
            steps,
            warnings: Told::default(),
        }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &ShardId {
        &self.sealed.record.shard_id
    }

    /// The device that holds it.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.sealed.record.device
    }

    /// Its size, without rounding up.
    #[must_use]
    pub const fn size(&self) -> Bytes {
        Bytes(self.sealed.record.size)
    }

    /// Device memory that it takes: its size rounded up to the device's granularity.
    #[must_use]
    pub fn mapped(&self) -> Bytes {
        Bytes(self.region.as_ref().map_or(0, FrozenRegion::mapped))
    }

    /// Its content digest, which `sha256sum` prints for the same bytes; none where the host didn't
    /// compute it ([`HostHashing`]).
    #[must_use]
    pub const fn content_digest(&self) -> Option<Digest> {
        self.sealed.record.content
    }

    /// Its verity digest, which `fsverity digest` prints for the same bytes.
    #[must_use]
    pub const fn verity_digest(&self) -> VerityDigest {
        self.sealed.record.verity
    }

    /// When it was sealed, since 1970-01-01 00:00:00 UTC.
    #[must_use]
    pub const fn sealed_at(&self) -> Duration {
        Duration::from_nanos(self.sealed.record.sealed_at_unix_nanos)
    }

    /// The model it belongs to, if that was said.
    #[must_use]
    pub const fn model(&self) -> Option<&ModelRef> {
        self.sealed.record.model.as_ref()
    }

    /// Its position in a set, if it has one.
    #[must_use]
    pub const fn position(&self) -> Option<SetPosition> {
        self.sealed.record.position
    }

    /// Where the digest came from that its bytes were compared with, if any was expected.
    #[must_use]
    pub const fn expected_from(&self) -> ExpectedFrom {
        self.sealed.record.expected_from
    }

    /// The key that it is sealed with.
    #[must_use]
    pub const fn key_id(&self) -> SealKeyId {
        self.sealed.record.key_id
    }

    /// What keeps it from being written.
    #[must_use]
    pub const fn freezing(&self) -> Freezing {
        self.sealed.record.freezing
    }

    /// Whether the device is a simulation, and the weights in host memory.
    #[must_use]
    pub const fn is_simulated(&self) -> bool {
        self.sealed.record.device.simulated
    }

    /// The format of the file that it was sealed from.
    #[must_use]
    pub fn format(&self) -> ModelFormat {
        self.header
            .as_ref()
            .map_or(ModelFormat::Opaque, ModelHeader::format)
    }

    /// Its tensors, by name and position. Where they lie on the device, a permit tells.
    #[must_use]
    pub fn tensors(&self) -> Option<&TensorTable> {
        self.header
            .as_ref()
            .map(ModelHeader::tensors)
            .filter(|table| !table.is_empty())
    }

    /// What was signed, and the tag.
    #[must_use]
    pub const fn sealed_record(&self) -> &SealedRecord {
        &self.sealed
    }

    /// What the host hashed of it on its way to the device. The device measured it in any case.
    #[must_use]
    pub const fn hashing(&self) -> HostHashing {
        self.hashing
    }

    /// How long each step of the seal took.
    #[must_use]
    pub const fn steps(&self) -> SealSteps {
        self.steps
    }

    /// Wipes the memory and gives it back, as dropping does, and says what came of it.
    ///
    /// Observers hear of [`Event::Freed`](crate::Event::Freed), or of
    /// [`Event::ReleaseFailed`](crate::Event::ReleaseFailed), before this returns.
    pub fn release(mut self) -> Released {
        // What nothing is known of was not wiped.
        self.give_back().unwrap_or_else(|| Released::NotWiped {
            reason: "it was given up before".to_owned(),
        })
    }

    /// The first time alone: there is nothing to give back after it.
    fn give_back(&mut self) -> Option<Released> {
        let bytes = self.mapped();
        let released = self.region.take()?.release();
        self.manager.forget(self.id());
        self.manager
            .tell_released(self.id(), bytes, Some(&released));
        Some(released)
    }

    pub(crate) const fn region(&self) -> Option<&FrozenRegion> {
        self.region.as_ref()
    }

    #[cfg(feature = "drill")]
    pub(crate) const fn region_mut(&mut self) -> Option<&mut FrozenRegion> {
        self.region.as_mut()
    }

    pub(crate) const fn warnings(&self) -> &Told {
        &self.warnings
    }

    pub(crate) const fn locator(&self) -> &Locator {
        &self.locator
    }

    pub(crate) const fn manager(&self) -> &Manager {
        &self.manager
    }
}

impl Drop for SealedShard {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl fmt::Debug for SealedShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedShard")
            .field("id", &self.id().as_str())
            .field("device", &self.device())
            .field("size", &self.size())
            .field("verity_digest", &self.verity_digest())
            .finish_non_exhaustive()
    }
}

/// What a sealed shard shows of itself.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    record: &'a SealRecord,
    hashing: HostHashing,
    mapped: Bytes,
    format: ModelFormat,
    tensors: usize,
    simulated: bool,
}

impl Serialize for SealedShard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = Shown {
            record: &self.sealed.record,
            hashing: self.hashing,
            mapped: self.mapped(),
            format: self.format(),
            tensors: self.tensors().map_or(0, TensorTable::len),
            simulated: self.is_simulated(),
        };
        shown.serialize(serializer)
    }
}
