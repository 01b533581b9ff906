//! `region.not-managed`: the driver may not move the region to the host.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::Clause;
use crate::facts::RegionFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(super) const CHECK: Check<RegionFacts> = Check {
    id: CheckId::RegionNotManaged,
    severity: Severity::Critical,
    levels: Levels::ALWAYS,
    meaning: "The region is managed memory: the driver moves its pages between host and device \
              when it sees fit, so the weights can be in host memory at any time.",
    remedy: "Allocate weights as plain device memory. In an engine, turn off its unified-memory \
             option before handing memory in.",
    attributes: &["CU_POINTER_ATTRIBUTE_IS_MANAGED"],
    documentation: "CUDA Driver API, Unified Addressing: cuPointerGetAttribute, CUpointer_attribute",
    clauses,
};

fn clauses(facts: &RegionFacts) -> Vec<Clause> {
    vec![Clause::must_be_false("IS_MANAGED", facts.managed)]
}
