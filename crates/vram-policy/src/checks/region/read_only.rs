//! `region.read-only`: the region is read-only once it was frozen.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::{Access, RegionFacts};
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<RegionFacts> = Check {
    id: CheckId::RegionReadOnly,
    severity: Severity::Critical,
    levels: Levels::ALWAYS,
    meaning: "The region was frozen and is open again, or was never closed: somebody changed its \
              access, and kernels can write the weights.",
    remedy: "Do not use the weights. Find what calls cuMemSetAccess in this process, and seal the \
             shard again.",
    attributes: &["CU_POINTER_ATTRIBUTE_ACCESS_FLAGS", "cuMemGetAccess"],
    documentation: "CUDA Driver API, Virtual Memory Management: cuMemGetAccess, CUmemAccess_flags",
    conditions,
};

fn conditions(facts: &RegionFacts) -> Conditions {
    if !facts.expected_frozen {
        return Conditions::NotApplicable("not frozen by the memory management unit");
    }
    Clause::must_equal("access", facts.access, &Access::Read).into()
}
