//! A simulated computer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use vram_sys::{Driver, Table};

use crate::address_space::{AddressSpace, GRANULARITY};
use crate::device::{Device, DeviceModel};
use crate::error::SimError;
use crate::faults::Faults;
use crate::physical::Physical;
use crate::slot::{Registry, Slot};
use crate::state::State;
use crate::stream::Execution;
use crate::trampoline;

/// The machines of this process.
pub(crate) static MACHINES: Registry<Computer> = Registry::new();

/// How long a builder waits for a slot. Tests hold machines for moments.
const WAIT: Duration = Duration::from_secs(60);

/// CUDA 13.0.
const DRIVER_VERSION: u32 = 13_000;

/// The least address space of a machine; it costs nothing until used.
const ADDRESS_SPACE: u64 = 256 << 30;

/// How often a machine's memory fits into its address space at least.
const ADDRESSES_PER_BYTE: u64 = 4;

/// Host memory that can be page-locked, by default.
const PINNABLE: u64 = 16 << 30;

/// The host's page size.
const HOST_PAGE: u64 = 4096;

/// A simulated computer with GPUs and their driver.
///
/// Clones are the same machine. It lives until its last clone and the last [`Driver`] made from it
/// are gone.
#[derive(Clone, Debug)]
pub struct Machine {
    computer: Arc<Computer>,
}

/// A machine's substance, and what the trampolines find.
#[derive(Debug)]
pub(crate) struct Computer {
    table: Table,
    driver_version: u32,
    state: Mutex<State>,
    faults: Mutex<Faults>,
    bugs: Mutex<Vec<String>>,
    /// Declared last: the slot is free when everything else is gone.
    slot: Slot<Self>,
}

impl Computer {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) const fn driver_version(&self) -> u32 {
        self.driver_version
    }

    pub(crate) fn remember_bug(&self, bug: String) {
        tracing::error!(bug, "the simulated driver has a bug");
        self.bugs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(bug);
    }
}

/// Arranges a [`Machine`].
#[derive(Clone, Debug)]
pub struct MachineBuilder {
    devices: Vec<DeviceModel>,
    driver_version: u32,
    execution: Execution,
    pinnable: u64,
    threads: Option<usize>,
}

impl MachineBuilder {
    /// Adds a device; the first is device 0.
    #[must_use]
    pub fn device(mut self, model: DeviceModel) -> Self {
        self.devices.push(model);
        self
    }

    /// The CUDA version that the driver says it is for, as 1000 × major + 10 × minor. Functions
    /// that came later are missing from its table. By default 13000.
    #[must_use]
    pub const fn driver_version(mut self, version: u32) -> Self {
        self.driver_version = version;
        self
    }

    /// When queued work runs; by default [`Execution::Lazy`].
    #[must_use]
    pub const fn execution(mut self, execution: Execution) -> Self {
        self.execution = execution;
        self
    }

    /// How much host memory can be page-locked, in bytes, rounded up to whole pages; by default
    /// 16 GiB.
    #[must_use]
    pub const fn pinnable_memory(mut self, bytes: u64) -> Self {
        self.pinnable = bytes;
        self
    }

    /// How many CPU threads a kernel runs on; by default as many as there are.
    #[must_use]
    pub const fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Makes the machine.
    ///
    /// # Errors
    ///
    /// [`SimError::MemorySize`] for a device without whole pages, [`SimError::TooManyMachines`] if
    /// this process has as many machines as it can and none goes within a minute, and
    /// [`SimError::Os`] if the system has no room.
    pub fn build(self) -> Result<Machine, SimError> {
        let mut devices = Vec::new();
        let mut memory = 0_u64;
        for (index, model) in self.devices.into_iter().enumerate() {
            memory = memory.saturating_add(model.total_memory);
            devices.push(Device::new(index, model)?);
        }
        let pinnable = self.pinnable.next_multiple_of(HOST_PAGE);
        let addresses = memory
            .saturating_add(pinnable)
            .saturating_mul(ADDRESSES_PER_BYTE)
            .max(ADDRESS_SPACE);
        let space = AddressSpace::new(addresses)?;
        let host = Physical::new("vram-sim host memory", pinnable, HOST_PAGE)?;
        let threads = self
            .threads
            .or_else(|| thread::available_parallelism().ok().map(Into::into))
            .unwrap_or(1);
        let state = State::new(devices, space, host, self.execution, threads);
        let slot = MACHINES.take(WAIT)?;
        let table = trampoline::table(slot.index(), self.driver_version).ok_or(
            SimError::TooManyMachines {
                slots: crate::slot::SLOTS,
                waited: WAIT,
            },
        )?;
        let computer = Arc::new(Computer {
            table,
            driver_version: self.driver_version,
            state: Mutex::new(state),
            faults: Mutex::default(),
            bugs: Mutex::default(),
            slot,
        });
        computer.slot.occupy(&computer);
        Ok(Machine { computer })
    }
}

impl Machine {
    /// The page size of device memory and the granularity of its addresses: 2 MiB, as on the chip.
    pub const GRANULARITY: u64 = GRANULARITY;

    /// Starts arranging a machine, which has no device yet.
    #[must_use]
    pub const fn builder() -> MachineBuilder {
        MachineBuilder {
            devices: Vec::new(),
            driver_version: DRIVER_VERSION,
            execution: Execution::Lazy,
            pinnable: PINNABLE,
            threads: None,
        }
    }

    /// The machine's driver, as a program finds it: not initialised until somebody calls `cuInit`.
    #[must_use]
    pub fn driver(&self) -> Arc<Driver> {
        let owner = Box::new(self.clone());
        // SAFETY: the functions check what they are given against the machine's own tables and
        // touch caller memory only as NVIDIA documents. They may be called from any thread, since
        // everything is behind the machine's lock, and the owner keeps the machine.
        Arc::new(unsafe { Driver::simulated(self.computer.table, owner) })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.computer.state()
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.computer.faults()
    }

    #[cfg(test)]
    pub(crate) fn slot(&self) -> usize {
        self.computer.slot.index()
    }

    /// Panics inside the simulated driver so far, which it turned into `CUDA_ERROR_UNKNOWN`: bugs
    /// of this crate. A test's last line may assert that there are none.
    #[must_use]
    pub fn bugs(&self) -> Vec<String> {
        self.computer
            .bugs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// An error unless the machine has the device.
pub(crate) fn existing(state: &State, device: usize) -> Result<(), SimError> {
    let count = state.devices.len();
    if device < count {
        Ok(())
    } else {
        Err(SimError::NoSuchDevice { device, count })
    }
}
