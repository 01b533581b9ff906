//! `device.ecc-errors`: no error has been beyond ECC since the driver was loaded.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::DeviceFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<DeviceFacts> = Check {
    id: CheckId::DeviceEccErrors,
    severity: Severity::Critical,
    levels: Levels::PROMISE,
    meaning: "The card's memory has had errors that ECC could not correct since the driver was \
              loaded: what lies there may have changed. Without ECC nobody counts them.",
    remedy: "Reset the card, which repairs what it can, and seal the weights again. If errors \
             come back, have the card replaced.",
    attributes: &["nvmlDeviceGetTotalEccErrors"],
    documentation: "NVML API Reference: Device Queries: nvmlDeviceGetTotalEccErrors; NVIDIA GPU \
                    Memory Error Management",
    conditions,
};

fn conditions(facts: &DeviceFacts) -> Conditions {
    Clause::must_be_zero("uncorrected, volatile", facts.management.ecc.uncorrected).into()
}
