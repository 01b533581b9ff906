//! What a machine is at the moment: everything that a driver call reads or changes.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CStr;
use std::thread::ThreadId;

use vram_sys::{CUdevice, CUdevice_attribute, CUresult};

use crate::address_space::AddressSpace;
use crate::allocation::Allocation;
use crate::answer::Answer;
use crate::device::Device;
use crate::event::Event;
use crate::handle::Handle;
use crate::module::{Function, Module};
use crate::physical::Physical;
use crate::stream::{Execution, Stream};

/// Everything behind a machine's lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) initialised: bool,
    pub(crate) devices: Vec<Device>,
    pub(crate) space: AddressSpace,
    /// The host's memory, as far as it can be page-locked.
    pub(crate) host: Physical,
    /// Every live allocation by its id.
    pub(crate) allocations: BTreeMap<u64, Allocation>,
    pub(crate) streams: HashMap<Handle, Stream>,
    pub(crate) events: HashMap<Handle, Event>,
    pub(crate) modules: HashMap<Handle, Module>,
    pub(crate) functions: HashMap<Handle, Function>,
    /// Each thread's contexts, the current one last.
    pub(crate) current: HashMap<ThreadId, Vec<Handle>>,
    /// What contexts still held when they were released for the last time.
    pub(crate) left_behind: usize,
    pub(crate) execution: Execution,
    /// CPU threads that a launch is spread over.
    pub(crate) threads: usize,
    /// Counts everything ever queued on any stream.
    pub(crate) sequence: u64,
    /// How often each kernel was launched, by its name.
    pub(crate) launches: BTreeMap<&'static CStr, u64>,
    last_id: u64,
}

impl State {
    pub(crate) fn new(
        devices: Vec<Device>,
        space: AddressSpace,
        host: Physical,
        execution: Execution,
        threads: usize,
    ) -> Self {
        Self {
            initialised: false,
            devices,
            space,
            host,
            allocations: BTreeMap::new(),
            streams: HashMap::new(),
            events: HashMap::new(),
            modules: HashMap::new(),
            functions: HashMap::new(),
            current: HashMap::new(),
            left_behind: 0,
            execution,
            threads,
            sequence: 0,
            launches: BTreeMap::new(),
            last_id: 0,
        }
    }

    /// An id that no allocation of this machine has had.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }

    pub(crate) fn device(&self, index: usize) -> Answer<&Device> {
        self.devices
            .get(index)
            .ok_or(CUresult::CUDA_ERROR_INVALID_DEVICE)
    }

    pub(crate) fn device_mut(&mut self, index: usize) -> Answer<&mut Device> {
        self.devices
            .get_mut(index)
            .ok_or(CUresult::CUDA_ERROR_INVALID_DEVICE)
    }

    /// The device that a caller's number means.
    pub(crate) fn device_index(&self, device: CUdevice) -> Answer<usize> {
        let index = usize::try_from(device).map_err(|_| CUresult::CUDA_ERROR_INVALID_DEVICE)?;
        self.device(index)?;
        Ok(index)
    }

    /// An error unless the device is there to be asked.
    pub(crate) fn present(&self, device: CUdevice) -> Answer<&Device> {
        let device = self.device(self.device_index(device)?)?;
        device.present()?;
        Ok(device)
    }

    /// An error unless some device of the machine offers virtual memory management.
    pub(crate) fn virtual_memory(&self) -> Answer {
        let attribute = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED;
        if self.devices.iter().any(|device| device.has(attribute)) {
            Ok(())
        } else {
            Err(CUresult::CUDA_ERROR_NOT_SUPPORTED)
        }
    }
}
