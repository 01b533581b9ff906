//! A simulated machine, a manager on it, and an observer that keeps what it hears.

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use vram_alloc::Platform;
use vram_raw::Raw;
use vram_residency::SealedShard;
use vram_residency::{
    Clock, Error, Event, Manager, ManagerBuilder, Observer, ObserverError, SealRequest,
};
use vram_seal::{SealKey, ShardId};
use vram_sim::{DeviceModel, Machine};
use vram_sys::{CUresult, Driver};

/// Bytes in the simulated device: enough for every suite, and small enough to fill.
pub(crate) const DEVICE: u64 = 64 << 20;

/// The key that every manager here signs with.
pub(crate) const KEY: [u8; 32] = *b"a key that is used in tests only";

pub(crate) fn machine() -> Machine {
    Machine::builder()
        .device(DeviceModel::small(DEVICE))
        .build()
        .unwrap()
}

pub(crate) fn platform(machine: &Machine) -> Platform {
    Platform::with_driver(machine.driver()).unwrap()
}

/// A builder with everything that a simulated manager needs.
pub(crate) fn builder() -> ManagerBuilder {
    Manager::builder()
        .key(SealKey::from_bytes(&KEY).unwrap())
        .allow_simulated()
        .staging(2, 1 << 20)
}

pub(crate) fn manager(machine: &Machine) -> Manager {
    builder().build(&platform(machine)).unwrap()
}

pub(crate) fn id(name: &str) -> ShardId {
    name.parse().unwrap()
}

/// Bytes that look like nothing else in memory.
pub(crate) fn weights(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ u64::try_from(len).unwrap();
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[7]
        })
        .collect()
}

pub(crate) fn seal(manager: &Manager, name: &str, bytes: &[u8]) -> SealedShard {
    manager.seal(SealRequest::bytes(id(name), bytes)).unwrap()
}

/// The simulator's id of a shard's allocation, found by its first bytes.
pub(crate) fn allocation_of(machine: &Machine, bytes: &[u8]) -> u64 {
    let head = &bytes[..bytes.len().min(64)];
    machine
        .allocations(0)
        .unwrap()
        .into_iter()
        .find(|allocation| {
            // Some allocations are shorter.
            let bytes = machine.peek(allocation.id, 0, head.len());
            bytes.is_ok_and(|bytes| bytes == head)
        })
        .unwrap()
        .id
}

/// A source that no refusal may touch.
pub(crate) struct Unreadable;

impl Read for Unreadable {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        panic!("a byte was read of what should have been refused before")
    }
}

/// Stops a manager, once, when something of this name happens in it.
#[derive(Debug)]
pub(crate) struct StopsAt {
    event: &'static str,
    manager: Mutex<Option<Manager>>,
}

impl StopsAt {
    pub(crate) fn event(event: &'static str) -> Arc<Self> {
        let manager = Mutex::new(None);
        Arc::new(Self { event, manager })
    }

    pub(crate) fn stops(&self, manager: &Manager) {
        *self.manager.lock().unwrap() = Some(manager.clone());
    }
}

impl Observer for StopsAt {
    fn on_event(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        if event.name() == self.event {
            let manager = self.manager.lock().unwrap().take();
            manager.inspect(|manager| manager.stop("meanwhile"));
        }
        Ok(())
    }
}

/// Keeps every event, as it was serialized.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    events: Mutex<Vec<Value>>,
}

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// The names of the events so far, but for what is told of the machine that the suite runs on, and of the
    /// manager itself.
    pub(crate) fn names(&self) -> Vec<String> {
        let name = |event: Value| event["event"].as_str().unwrap().to_owned();
        let names = self.events().into_iter().map(name);
        let is_of_a_shard =
            |name: &String| name != "policy_warning" && !name.starts_with("manager");
        names.filter(is_of_a_shard).collect()
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.told(name).len()
    }

    /// The events of one name so far.
    pub(crate) fn told(&self, name: &str) -> Vec<Value> {
        let events = self.events().into_iter();
        events.filter(|event| event["event"] == name).collect()
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.events.lock().unwrap().clear();
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string(&*self.events.lock().unwrap()).unwrap()
    }
}

impl Observer for Recorder {
    fn on_event(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        let event = serde_json::to_value(event)?;
        self.events.lock().unwrap().push(event);
        Ok(())
    }
}

/// Clocks that stand where they are put: the time, and the time that nobody can set.
#[derive(Debug)]
pub(crate) struct StoppedClock(Mutex<[Duration; 2]>);

impl StoppedClock {
    pub(crate) fn at(seconds: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new([
            Duration::from_secs(seconds),
            Duration::ZERO,
        ])))
    }

    /// Sets the time, as an administrator can.
    pub(crate) fn set(&self, seconds: u64) {
        self.0.lock().unwrap()[0] = Duration::from_secs(seconds);
    }

    /// Lets time pass: both clocks go on.
    pub(crate) fn pass(&self, seconds: u64) {
        for hand in &mut *self.0.lock().unwrap() {
            *hand = hand.saturating_add(Duration::from_secs(seconds));
        }
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> Result<Duration, Error> {
        Ok(self.0.lock().unwrap()[0])
    }

    fn monotonic(&self) -> Result<Duration, Error> {
        Ok(self.0.lock().unwrap()[1])
    }
}

/// A SafeTensors file of two tensors.
pub(crate) fn sample_safetensors() -> Vec<u8> {
    let header = br#"{"bias":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},"weight":{"dtype":"F32","shape":[4,4],"data_offsets":[8,72]}}"#;
    let mut file = u64::try_from(header.len()).unwrap().to_le_bytes().to_vec();
    file.extend_from_slice(header);
    file.extend(weights(72));
    file
}

/// Other code in the process, which calls the same driver and shares the device's context.
pub(crate) struct Outsider {
    driver: Arc<Driver>,
}

impl Outsider {
    pub(crate) fn new(machine: &Machine) -> Self {
        Self {
            driver: machine.driver(),
        }
    }

    /// In the device's context for as long as a call takes.
    fn raw(&self) -> Raw {
        Raw::new(Arc::clone(&self.driver))
    }

    /// Allocates plain device memory with these bytes in it.
    pub(crate) fn allocate(&self, bytes: &[u8]) -> u64 {
        let address = self.raw().take(bytes.len());
        assert_eq!(self.write(address, bytes), CUresult::CUDA_SUCCESS);
        address
    }

    pub(crate) fn free(&self, address: u64) {
        self.raw().free(address);
    }

    /// Copies bytes to a device address, and waits. The driver looks at where they go.
    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> CUresult {
        let raw = self.raw();
        raw.outcome(raw.copy(address, bytes))
    }

    /// Lets a kernel write to a device address, and waits. Only the device sees where it writes.
    pub(crate) fn write_by_kernel(&self, address: u64) -> CUresult {
        let raw = self.raw();
        // The digest of what lies there, over it.
        raw.outcome(raw.write_digest(address, address, 1))
    }

    /// Lets kernels write to memory that was frozen.
    pub(crate) fn allow_writes(&self, address: u64, len: u64) -> CUresult {
        let len = usize::try_from(len).unwrap();
        self.raw().allow_writes(address, len)
    }
}

/// Whether one more small shard can be sealed.
pub(crate) fn seal_fits(manager: &Manager) -> bool {
    manager
        .seal(SealRequest::bytes(id("fits"), &weights(10_000)))
        .is_ok()
}
