//! `region.no-host-alias`: the region can't be reached through a host address.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::RegionFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<RegionFacts> = Check {
    id: CheckId::RegionNoHostAlias,
    severity: Severity::Critical,
    levels: Levels::ALWAYS,
    meaning: "The region has a host address: it is host memory that was mapped or registered for \
              the GPU, and any code in the process can read and change the weights through it.",
    remedy: "Allocate weights as plain device memory. Host-mapped and registered memory is fit \
             for staging only.",
    attributes: &["CU_POINTER_ATTRIBUTE_HOST_POINTER"],
    documentation: "CUDA Driver API, Unified Addressing: cuPointerGetAttribute, \
                    CUpointer_attribute",
    conditions,
};

fn conditions(facts: &RegionFacts) -> Conditions {
    Clause::must_be_false("HOST_POINTER present", facts.host_alias).into()
}
