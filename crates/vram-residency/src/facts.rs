//! What was observed, in the policy's terms.

use vram_alloc::{
    DeviceProperties, Freezing, FrozenRegion, MemoryKind, OpenRegion, RegionObservation,
};
use vram_policy::{Access, DeviceFacts, ManagementFacts, OperatingSystem, RegionFacts};

/// What the driver says of a device and what the management library says of the same card, as the
/// policy takes it. The system is the one that this program was built for; a witness that says otherwise
/// knows better ([`HostFacts::system`](vram_policy::HostFacts::system)).
#[must_use]
pub fn device_facts(properties: &DeviceProperties, management: ManagementFacts) -> DeviceFacts {
    DeviceFacts {
        name: Some(properties.name.clone()),
        uuid: Some(properties.uuid_string()),
        system: Some(system()),
        simulated: properties.simulated,
        integrated: properties.integrated,
        pageable_memory_access: properties.pageable_memory_access,
        pageable_memory_access_uses_host_page_tables: properties.uses_host_page_tables,
        concurrent_managed_access: properties.concurrent_managed_access,
        direct_managed_access_from_host: properties.direct_managed_access_from_host,
        managed_memory: properties.managed_memory,
        can_map_host_memory: properties.can_map_host_memory,
        virtual_memory_management: properties.virtual_memory_management,
        compute_capability: capability(properties.compute_capability),
        cuda_driver_version: u32::try_from(properties.driver_version).ok(),
        tcc_driver: properties.tcc_driver,
        ecc_enabled: properties.ecc_enabled,
        peers: properties.peers.as_deref().and_then(ordinals),
        management,
    }
}

const fn system() -> OperatingSystem {
    if cfg!(target_os = "linux") {
        OperatingSystem::Linux
    } else if cfg!(windows) {
        OperatingSystem::Windows
    } else {
        OperatingSystem::Other
    }
}

fn ordinals(positions: &[usize]) -> Option<Vec<u32>> {
    let ordinals = positions.iter().map(|position| u32::try_from(*position));
    ordinals.collect::<Result<_, _>>().ok()
}

fn capability((major, minor): (i32, i32)) -> Option<(u32, u32)> {
    Some((u32::try_from(major).ok()?, u32::try_from(minor).ok()?))
}

/// A device that the driver no longer describes: nothing is known of it but what the management library
/// says.
pub(crate) fn undescribed(management: ManagementFacts, simulated: bool) -> DeviceFacts {
    DeviceFacts {
        simulated,
        management,
        ..DeviceFacts::default()
    }
}

/// What is expected of a region, whatever the driver says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// Bytes that the driver was asked for.
    mapped: u64,
    /// Whether the device's own memory management unit keeps it from being written.
    frozen: bool,
}

impl Expected {
    /// Of a region that is still being written.
    pub(crate) const fn of_open(region: &OpenRegion) -> Self {
        Self {
            mapped: region.mapped(),
            frozen: false,
        }
    }

    /// Of memory that somebody else allocated, and may write.
    pub(crate) const fn of_foreign(allocation: u64) -> Self {
        Self {
            mapped: allocation,
            frozen: false,
        }
    }

    /// Of a region that was frozen.
    pub(crate) fn of_frozen(region: &FrozenRegion) -> Self {
        Self {
            mapped: region.mapped(),
            frozen: region.freezing() == Freezing::Mmu,
        }
    }
}

/// What the driver says of a region now, beside what is expected of it on the device of this index.
pub(crate) fn region_facts(
    observed: &RegionObservation,
    expected: Expected,
    index: usize,
) -> RegionFacts {
    RegionFacts {
        memory: observed.memory_type.and_then(memory_kind),
        device_ordinal: observed.device_ordinal,
        // An index that is no ordinal is no device's: the check then fails.
        expected_device_ordinal: i32::try_from(index).unwrap_or(-1),
        starts_at_region: observed.starts_at_region,
        reported_size: observed.range_size,
        expected_size: expected.mapped,
        managed: observed.managed,
        host_alias: observed.host_pointer,
        legacy_ipc: observed.legacy_ipc,
        export_handle_types: observed.export_handle_types,
        access: observed.access.map(Access::from_driver),
        expected_frozen: expected.frozen,
    }
}

/// The driver's word, in the policy's terms; a kind that has no term is no answer.
const fn memory_kind(kind: MemoryKind) -> Option<vram_policy::MemoryKind> {
    match kind {
        MemoryKind::Host => Some(vram_policy::MemoryKind::Host),
        MemoryKind::Device => Some(vram_policy::MemoryKind::Device),
        MemoryKind::Array => Some(vram_policy::MemoryKind::Array),
        MemoryKind::Unified => Some(vram_policy::MemoryKind::Unified),
        _ => None,
    }
}
