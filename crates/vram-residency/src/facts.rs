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
        expected_device_ordinal: ordinal(index),
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

/// The driver's number of a device. An index that is none is no device's: the check then fails.
fn ordinal(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(-1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_memory_is_told_by_its_name() {
        use vram_policy::MemoryKind as Told;
        for (kind, told) in [
            (MemoryKind::Host, Told::Host),
            (MemoryKind::Device, Told::Device),
            (MemoryKind::Array, Told::Array),
            (MemoryKind::Unified, Told::Unified),
        ] {
            assert_eq!(memory_kind(kind), Some(told));
        }
    }

    #[test]
    fn peers_are_told_by_their_ordinals() {
        assert_eq!(ordinals(&[]), Some(vec![]));
        assert_eq!(ordinals(&[1, 7]), Some(vec![1, 7]));
        assert_eq!(ordinals(&[usize::MAX]), None);
        assert_eq!(capability((9, 0)), Some((9, 0)));
        assert_eq!(capability((-1, 0)), None);
    }

    #[test]
    fn of_a_device_that_nobody_describes_the_management_library_still_tells() {
        let management = ManagementFacts {
            driver_version: Some("580.1".to_owned()),
            ..ManagementFacts::default()
        };
        for simulated in [false, true] {
            let facts = undescribed(management.clone(), simulated);
            assert_eq!(facts.simulated, simulated);
            assert_eq!(facts.management, management);
            assert_eq!(facts.name, None);
        }
    }

    #[test]
    fn an_index_that_is_no_ordinal_is_no_devices() {
        assert_eq!(ordinal(3), 3);
        assert_eq!(ordinal(usize::MAX), -1);
    }
}
