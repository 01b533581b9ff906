//! `region.device-memory`: the region is memory of the expected device, in the expected range.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::{MemoryKind, RegionFacts};
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<RegionFacts> = Check {
    id: CheckId::RegionDeviceMemory,
    severity: Severity::Critical,
    levels: Levels::ALWAYS,
    meaning: "The region is not memory of the expected device, or not the allocation that was \
              made for it: the weights may lie in host memory, on another GPU, or inside memory \
              that others own.",
    remedy: "Free the region and seal the shard again. Memory from outside must be one whole \
             device allocation on the device it is used on.",
    attributes: &[
        "CU_POINTER_ATTRIBUTE_MEMORY_TYPE",
        "CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL",
        "CU_POINTER_ATTRIBUTE_RANGE_START_ADDR",
        "CU_POINTER_ATTRIBUTE_RANGE_SIZE",
    ],
    documentation: "CUDA Driver API, Unified Addressing: cuPointerGetAttribute, \
                    CUpointer_attribute",
    conditions,
};

fn conditions(facts: &RegionFacts) -> Conditions {
    vec![
        Clause::must_equal("MEMORY_TYPE", facts.memory, &MemoryKind::Device),
        Clause::must_equal(
            "DEVICE_ORDINAL",
            facts.device_ordinal,
            &facts.expected_device_ordinal,
        ),
        Clause::must_be_true("RANGE_START matches", facts.starts_at_region),
        Clause::must_equal("RANGE_SIZE", facts.reported_size, &facts.expected_size),
    ]
    .into()
}
