//! The checks that judge a region of memory.

mod device_memory;
mod no_host_alias;
mod not_exportable;
mod not_managed;
mod read_only;

use crate::checks::Check;
use crate::facts::RegionFacts;

/// In the order in which reports list them.
pub(super) const ALL: &[Check<RegionFacts>] = &[
    device_memory::CHECK,
    not_managed::CHECK,
    no_host_alias::CHECK,
    not_exportable::CHECK,
    read_only::CHECK,
];
