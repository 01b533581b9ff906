//! The checks that judge a device.

mod coherent_link;
mod compute_capability;
mod compute_mode;
mod confidential_compute;
mod confidential_compute_intact;
mod driver_model;
mod driver_version;
mod ecc_errors;
mod ecc_history;
mod ecc_mode;
mod management_library;
mod mig;
mod mmu_freezing;
mod mps;
mod other_processes;
mod own_memory;
mod page_retirement;
mod peer_access;
mod persistence;
mod processes;
mod row_remapping;
mod virtualization;

use crate::checks::Check;
use crate::facts::DeviceFacts;

/// In the order in which reports list them.
pub(super) const ALL: &[Check<DeviceFacts>] = &[
    own_memory::CHECK,
    coherent_link::CHECK,
    driver_model::CHECK,
    compute_capability::CHECK,
    driver_version::CHECK,
    mmu_freezing::CHECK,
    management_library::CHECK,
    virtualization::CHECK,
    mig::CHECK,
    mps::CHECK,
    other_processes::CHECK,
    ecc_mode::CHECK,
    ecc_errors::CHECK,
    ecc_history::CHECK,
    row_remapping::CHECK,
    page_retirement::CHECK,
    confidential_compute::CHECK,
    confidential_compute_intact::CHECK,
    persistence::CHECK,
    compute_mode::CHECK,
    peer_access::CHECK,
];
