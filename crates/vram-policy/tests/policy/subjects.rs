//! Facts as good hardware reports them, for tests to break.

use vram_policy::{DeviceFacts, MemoryKind, RegionFacts};

/// A discrete GPU: managed memory and host mapping are possible, as on all of them.
pub(crate) fn discrete_gpu() -> DeviceFacts {
    DeviceFacts {
        integrated: Some(false),
        pageable_memory_access: Some(false),
        pageable_memory_access_uses_host_page_tables: Some(false),
        managed_memory: Some(true),
        can_map_host_memory: Some(true),
        ..DeviceFacts::default()
    }
}

/// Four mebibytes of plain device memory on device 1.
pub(crate) fn plain_region() -> RegionFacts {
    RegionFacts {
        memory: Some(MemoryKind::Device),
        device_ordinal: Some(1),
        expected_device_ordinal: 1,
        starts_at_region: Some(true),
        reported_size: Some(4 << 20),
        expected_size: 4 << 20,
        managed: Some(false),
        host_alias: Some(false),
        ..RegionFacts::unobserved(1, 4 << 20)
    }
}
