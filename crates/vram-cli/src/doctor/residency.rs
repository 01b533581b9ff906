//! Whether the device keeps what is sealed in its own memory: by measurement.

use serde::Serialize;
use vram_alloc::DeviceProperties;

use crate::device::Subject;

/// What the measurement says.
#[derive(Debug, Serialize)]
pub(super) struct Residency {
    pub(super) verdict: Measured,
    /// The verdict with its figures, in one line.
    pub(super) summary: String,
}

/// The verdict of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Measured {
    /// Faster than the host link can carry: it is the device's memory.
    Proven,
    /// It can't be told.
    Unproven,
    /// As slow as the link: it is not the device's memory.
    Contradicted,
}

impl Residency {
    pub(super) fn is_contradicted(&self) -> bool {
        self.verdict == Measured::Contradicted
    }
}

/// Seals scratch data on the device, measures where it lies, and wipes it.
pub(super) fn measure(_subject: &Subject, _properties: &DeviceProperties) -> Option<Residency> {
    None
}
