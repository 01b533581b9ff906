//! A simulated machine with one GPU, and a manager on it.

use vram_alloc::Platform;
use vram_residency::{Manager, ManagerBuilder, SealRequest, SealedShard};
use vram_seal::{SealKey, ShardId};
use vram_sim::{DeviceModel, Machine};

pub(crate) const MIB: u64 = 1 << 20;

/// A computer with one discrete GPU of so many bytes.
pub(crate) fn machine(memory: u64) -> Machine {
    let builder = Machine::builder().device(DeviceModel::small(memory));
    builder.build().unwrap()
}

pub(crate) fn platform(machine: &Machine) -> Platform {
    Platform::with_driver(machine.driver()).unwrap()
}

/// The key that every manager here signs with.
pub(crate) fn key() -> SealKey {
    SealKey::from_bytes(b"a key that is used in tests only").unwrap()
}

pub(crate) fn builder() -> ManagerBuilder {
    Manager::builder().key(key()).allow_simulated()
}

pub(crate) fn manager(machine: &Machine) -> Manager {
    builder()
        .staging(2, 1 << 20)
        .build(&platform(machine))
        .unwrap()
}

pub(crate) fn id(name: &str) -> ShardId {
    name.parse().unwrap()
}

/// Seals bytes, and finds the simulator's id of the memory that they went to.
pub(crate) fn seal_and_find(
    machine: &Machine,
    manager: &Manager,
    request: SealRequest<'_>,
) -> (SealedShard, u64) {
    let before = device_allocations(machine);
    let shard = manager.seal(request).unwrap();
    let new: Vec<u64> = device_allocations(machine)
        .into_iter()
        .filter(|id| !before.contains(id))
        .collect();
    assert_eq!(new.len(), 1, "a shard lies in one allocation");
    (shard, new[0])
}

fn device_allocations(machine: &Machine) -> Vec<u64> {
    let views = machine.allocations(0).unwrap();
    let of_device = views.iter().filter(|view| !view.kind.is_host());
    of_device.map(|view| view.id).collect()
}
