//! `region.not-exportable`: the region can't be handed to another process.

use crate::check_id::CheckId;
use crate::checks::Check;
use crate::clause::{Clause, Conditions};
use crate::facts::RegionFacts;
use crate::finding::Severity;
use crate::profile::Levels;

pub(in crate::checks) const CHECK: Check<RegionFacts> = Check {
    id: CheckId::RegionNotExportable,
    severity: Severity::Critical,
    levels: Levels::ALWAYS,
    meaning: "The region can be exported: another process that gets its handle maps the same \
              memory, and reads and writes the weights behind this one's back.",
    remedy: "Allocate weights with cuMemCreate and no handle types, as this library does. What \
             cudaMalloc and cuMemAlloc give can always be exported.",
    attributes: &[
        "CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE",
        "CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES",
    ],
    documentation: "CUDA Driver API, Unified Addressing: cuPointerGetAttribute, \
                    CUpointer_attribute",
    conditions,
};

fn conditions(facts: &RegionFacts) -> Conditions {
    vec![
        Clause::must_be_false("IS_LEGACY_CUDA_IPC_CAPABLE", facts.legacy_ipc),
        Clause::must_be_zero("ALLOWED_HANDLE_TYPES", facts.export_handle_types),
    ]
    .into()
}
