//! Whether the device keeps what is sealed in its own memory: by measurement.

use std::io::Read as _;
use std::sync::Arc;

use serde::Serialize;
use vram_alloc::DeviceProperties;
use vram_policy::Policy;
use vram_policy::residency::{ResidencyStatus, ResidencyVerdict};
use vram_residency::{HostHashing, Manager, SealRequest};

use crate::device::Subject;
use crate::exit;
use crate::key;

/// The worker that the scratch data's key is derived for.
const WORKER: &str = "vram-doctor";
/// Scratch data where the cache's size isn't known, and at least.
const LEAST: u64 = 64 << 20;
/// How many times the cache's size the scratch data has: a whole window of the measurement.
const CACHES: u64 = 8;

/// What the measurement says.
#[derive(Debug, Serialize)]
pub(super) struct Residency {
    /// The verdict with its figures, or why there is none, in one line.
    pub(super) summary: String,
    /// Nothing where it was not measured.
    pub(super) measured: Option<ResidencyVerdict>,
}

impl Residency {
    /// Whether the data was seen to lie elsewhere.
    pub(super) fn is_contradicted(&self) -> bool {
        self.status() == Some(ResidencyStatus::Contradicted)
    }

    pub(super) fn status(&self) -> Option<ResidencyStatus> {
        self.measured.map(|verdict| verdict.status)
    }
}

/// Seals scratch data on the device, measures where it lies, and wipes it.
pub(super) fn measure(subject: &Subject, properties: &DeviceProperties) -> Residency {
    let not_measured = |why: &str| Residency {
        summary: format!("not measured: {why}"),
        measured: None,
    };
    if properties.simulated {
        return not_measured("a simulated device is as fast as this computer");
    }
    match prove(subject, properties) {
        Ok(verdict) => Residency {
            summary: verdict.to_string(),
            measured: Some(verdict),
        },
        Err(error) => not_measured(&exit::message(&error)),
    }
}

fn prove(subject: &Subject, properties: &DeviceProperties) -> anyhow::Result<ResidencyVerdict> {
    let Ok(platform) = &subject.platform else {
        anyhow::bail!("there is no driver");
    };
    // No weights: what the policy finds of the device is in the report, and doesn't keep this from being
    // measured.
    let manager = Manager::builder()
        .device(properties.index)
        .token(key::random_token()?, WORKER.parse()?)
        .policy(Policy::development())
        .witness(Arc::clone(&subject.witness))
        .build(platform)?;
    let cache = properties.l2_cache.map_or(0, |cache| cache.0);
    let size = cache.saturating_mul(CACHES).max(LEAST);
    let mut scratch = std::io::repeat(0xa5).take(size);
    let request = SealRequest::reader("scratch".parse()?, &mut scratch, size);
    let shard = manager.seal(request.hashing(HostHashing::Verity))?;
    Ok(manager.residency_proof(&shard)?)
}
