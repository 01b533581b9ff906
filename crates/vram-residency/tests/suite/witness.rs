//! A card, and a witness that says what a test tells it to.

use vram_policy::{HostFacts, OperatingSystem, ProcessKind};
use vram_sim::{
    DeviceModel, Machine, ManagedCardModel, SimulatedManagement, SimulatedProcess, SimulatedWitness,
};

use crate::support::DEVICE;

/// The card's identity, to the driver and to the management library.
const UUID: [u8; 16] = *b"the suite's card";

/// A machine whose card the witness knows.
pub(crate) fn card() -> Machine {
    let mut model = DeviceModel::small(DEVICE);
    model.uuid = Some(UUID);
    Machine::builder().device(model).build().unwrap()
}

/// Of a machine that no policy has anything against.
pub(crate) fn sound() -> SimulatedWitness {
    let card = ManagedCardModel::h100(UUID, "0000:01:00.0");
    SimulatedWitness::new(host(), SimulatedManagement::new("580.159.04", vec![card]))
}

/// The same, of a card that something has happened to.
pub(crate) fn unsound(happened: impl FnOnce(&mut ManagedCardModel)) -> SimulatedWitness {
    let witness = sound();
    witness.library().change(0, happened).unwrap();
    witness
}

/// The same, of a card whose memory has failed and can't be repaired.
pub(crate) fn failing() -> SimulatedWitness {
    unsound(|card| card.remapped_rows.as_mut().unwrap().failed = true)
}

/// The same, where the management library is not installed.
pub(crate) fn blind() -> SimulatedWitness {
    SimulatedWitness::new(host(), SimulatedManagement::absent())
}

/// A process on the card, not ours.
pub(crate) fn process(pid: u32, name: Option<&str>, bytes: Option<u64>) -> SimulatedProcess {
    SimulatedProcess {
        pid,
        name: name.map(str::to_owned),
        bytes,
        kind: ProcessKind::Compute,
    }
}

fn host() -> HostFacts {
    HostFacts {
        system: Some(OperatingSystem::Linux),
        kernel_release: Some("6.8.0".to_owned()),
        dxg_device: Some(false),
        environment: Some(Vec::new()),
        mps_daemon: Some(false),
        heterogeneous_memory_management: Some(false),
        core_limit: Some(0),
        core_pattern: Some("core".to_owned()),
        dumpable: Some(false),
        ptrace_scope: Some(3),
        traced: Some(false),
    }
}
