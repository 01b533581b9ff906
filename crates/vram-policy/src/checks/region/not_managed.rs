//! `region.not-managed`: the driver may not move the region to the host.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::RegionFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<RegionFacts> = Check {
    id: CheckId::RegionNotManaged,
    severity: Severity::Critical,
    levels: Levels::ALWAYS,
    meaning: "The region is managed memory: the driver moves its pages between host and device \
              when it sees fit, so the weights can be in host memory at any time.",
    remedy: "Allocate weights as plain device memory. In an engine, turn off its unified-memory \
             option before handing memory in.",
    attributes: &["CU_POINTER_ATTRIBUTE_IS_MANAGED"],
    documentation: "CUDA Driver API, Unified Addressing: cuPointerGetAttribute, \
                    CUpointer_attribute",
    conditions,
};

fn conditions(facts: &RegionFacts) -> Conditions {
    Clause::must_be_false("IS_MANAGED", facts.managed).into()
}
