//! A machine with an open device and an allocator, and bytes to look for.

use vram_alloc::{Allocator, AllocatorConfig, Device, Mechanism, OpenRegion, Platform};
use vram_sim::{AllocationKind, DeviceModel, Machine};

pub(crate) const MIB: u64 = 1 << 20;
/// What device memory comes in.
pub(crate) const PAGE: u64 = Machine::GRANULARITY;

pub(crate) const BOTH: [Mechanism; 2] = [Mechanism::Auto, Mechanism::Plain];

/// What must not be found anywhere afterwards.
pub(crate) const SECRET: &[u8] = b"\xc3 weights that nobody else may see";

/// Bytes full of the secret.
pub(crate) fn secret(len: usize) -> Vec<u8> {
    SECRET.iter().copied().cycle().take(len).collect()
}

/// Bytes that look random, the same for the same seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) machine: Machine,
    pub(crate) platform: Platform,
    pub(crate) device: Device,
    pub(crate) allocator: Allocator,
}

/// A computer with one discrete GPU of so many bytes.
pub(crate) fn machine(memory: u64) -> Machine {
    let builder = Machine::builder().device(DeviceModel::small(memory));
    builder.threads(1).build().unwrap()
}

pub(crate) fn two_devices() -> Machine {
    let model = DeviceModel::small(64 * MIB);
    let builder = Machine::builder().device(model.clone()).device(model);
    builder.threads(1).build().unwrap()
}

impl Rig {
    /// A GPU of 64 MiB, without a budget.
    pub(crate) fn new() -> Self {
        Self::with(AllocatorConfig::default())
    }

    pub(crate) fn with_mechanism(mechanism: Mechanism) -> Self {
        Self::with(AllocatorConfig::default().with_mechanism(mechanism))
    }

    pub(crate) fn with_budget(bytes: u64) -> Self {
        Self::with(AllocatorConfig::default().with_budget(bytes))
    }

    fn with(config: AllocatorConfig) -> Self {
        Self::on(machine(64 * MIB), config)
    }

    pub(crate) fn on(machine: Machine, config: AllocatorConfig) -> Self {
        let platform = Platform::with_driver(machine.driver()).unwrap();
        let device = platform.open(0).unwrap();
        let allocator = Allocator::new(&device, config).unwrap();
        Self {
            machine,
            platform,
            device,
            allocator,
        }
    }

    /// A region that is full of the secret.
    pub(crate) fn secret_region(&self, len: usize) -> OpenRegion {
        let mut region = self.allocator.allocate(len as u64).unwrap();
        region.write(0, &secret(len)).unwrap();
        region
    }

    /// Pages of device and page-locked memory in which the secret begins, freed ones included.
    pub(crate) fn secret_pages(&self) -> usize {
        self.machine.physical_pages_containing(SECRET).unwrap()
    }

    /// Page-locked buffers of the process that hold anything but zeros.
    pub(crate) fn staged_leftovers(&self) -> usize {
        staged_leftovers(&self.machine)
    }

    /// The one allocation of device memory.
    pub(crate) fn only_allocation(&self) -> u64 {
        let views = self.machine.allocations(0).unwrap();
        let ids: Vec<u64> = views
            .iter()
            .filter(|view| !view.kind.is_host())
            .map(|view| view.id)
            .collect();
        assert_eq!(ids.len(), 1, "{views:?}");
        ids[0]
    }

    /// How many calls the driver has had.
    pub(crate) fn calls(&self) -> u64 {
        vram_sys::Function::ALL
            .iter()
            .map(|function| self.machine.calls(*function))
            .sum()
    }
}

pub(crate) fn staged_leftovers(machine: &Machine) -> usize {
    let views = machine.allocations(0).unwrap();
    views
        .iter()
        .filter(|view| view.kind == AllocationKind::PinnedHost)
        .filter(|view| {
            let len = usize::try_from(view.size).unwrap();
            let bytes = machine.peek(view.id, 0, len).unwrap();
            bytes.iter().any(|byte| *byte != 0)
        })
        .count()
}
