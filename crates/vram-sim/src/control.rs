//! What a test does to a machine: calls that fail, devices that are lost, attributes that lie.

use std::ffi::CStr;

use vram_sys::{CUdevice_attribute, CUpointer_attribute, CUresult, Function};

use crate::device::Device;
use crate::error::SimError;
use crate::faults::Call;
use crate::machine::{Machine, existing};

/// Faults, and what tells where to put them.
impl Machine {
    /// Lets the `nth` call of a function from now on fail, without effect; 1 is the next.
    pub fn fail_nth(&self, function: Function, nth: u64, code: CUresult) {
        self.faults().fail_nth(Some(function), nth, code);
    }

    /// Lets every call of a function fail, without effect, until
    /// [`clear_faults`](Self::clear_faults).
    pub fn fail_always(&self, function: Function, code: CUresult) {
        self.faults().fail_always(Some(function), code);
    }

    /// Lets the `nth` driver call of any kind from now on fail, without effect; 1 is the next.
    pub fn fail_call(&self, nth: u64, code: CUresult) {
        self.faults().fail_nth(None, nth, code);
    }

    /// Lets every driver call fail, without effect, until [`clear_faults`](Self::clear_faults).
    pub fn fail_every_call(&self, code: CUresult) {
        self.faults().fail_always(None, code);
    }

    /// Forgets every fault that hasn't struck.
    pub fn clear_faults(&self) {
        self.faults().clear();
    }

    /// How many faults haven't struck yet. A sweep that fails call after call is over when its fault
    /// is left.
    #[must_use]
    pub fn pending_faults(&self) -> usize {
        self.faults().pending()
    }

    /// How often a function was called, failed calls included, since the machine was made.
    #[must_use]
    pub fn calls(&self, function: Function) -> u64 {
        self.faults().calls(function)
    }

    /// How often a kernel of this name was launched, since the machine was made.
    #[must_use]
    pub fn launches(&self, kernel: &CStr) -> u64 {
        self.state()
            .launches
            .get(kernel)
            .copied()
            .unwrap_or_default()
    }

    /// Begins to record the calls, from none.
    pub fn record(&self) {
        self.faults().begin_record();
    }

    /// The calls since [`record`](Self::record), in order; none if that wasn't called.
    #[must_use]
    pub fn call_log(&self) -> Vec<Call> {
        self.faults().recorded()
    }

    /// Ends the record, and returns it.
    pub fn stop_recording(&self) -> Vec<Call> {
        self.faults().end_record()
    }
}

/// Things that happen to a machine.
impl Machine {
    /// Loses a device's context as a kernel's illegal address does: everything that uses the device
    /// answers `CUDA_ERROR_ILLEGAL_ADDRESS` from now on.
    ///
    /// NVIDIA documents no way out of that but ending the process. So there is none here: not the
    /// release of the context either.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchDevice`].
    pub fn lose_context(&self, device: usize) -> Result<(), SimError> {
        self.lose_context_with(device, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS)
    }

    /// The same with another of the codes that lose a context, as `CUDA_ERROR_ECC_UNCORRECTABLE`.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchDevice`].
    pub fn lose_context_with(&self, device: usize, code: CUresult) -> Result<(), SimError> {
        let mut state = self.state();
        existing(&state, device)?;
        state.lose(device, code);
        Ok(())
    }

    /// Makes a context beside the device's primary one and current to this thread, as another library
    /// in the program does with `cuCtxCreate`.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchDevice`].
    pub fn create_context(&self, device: usize) -> Result<(), SimError> {
        let mut state = self.state();
        existing(&state, device)?;
        state.create_context(device);
        Ok(())
    }

    /// Takes a device off the bus (the kernel log's Xid 79): everything that names or uses it
    /// answers `CUDA_ERROR_UNKNOWN`, questions about its properties included.
    ///
    /// NVIDIA documents no code for this. `CUDA_ERROR_DEVICE_UNAVAILABLE` is for compute modes, and
    /// programs on such machines report unknown errors. The list of devices keeps its length, as it
    /// is made once, by `cuInit`.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchDevice`].
    pub fn vanish(&self, device: usize) -> Result<(), SimError> {
        let mut state = self.state();
        existing(&state, device)?;
        if let Ok(device) = state.device_mut(device) {
            device.vanish();
        }
        state.lose(device, CUresult::CUDA_ERROR_UNKNOWN);
        Ok(())
    }

    /// Changes what `cuDeviceGetAttribute` says.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchDevice`].
    pub fn set_device_attribute(
        &self,
        device: usize,
        attribute: CUdevice_attribute,
        value: i32,
    ) -> Result<(), SimError> {
        self.change(device, |device| {
            device.attributes.insert(attribute, value);
        })
    }

    /// Changes what `cuPointerGetAttribute` says of every address that has something of the device
    /// behind it. The value is written in the attribute's own type: a flag, a 32-bit or a 64-bit
    /// number.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchDevice`].
    pub fn set_pointer_attribute(
        &self,
        device: usize,
        attribute: CUpointer_attribute,
        value: u64,
    ) -> Result<(), SimError> {
        self.change(device, |device| {
            device.pointer_attributes.insert(attribute, value);
        })
    }

    /// Lets `cuDeviceGetAttribute` and `cuPointerGetAttribute` speak the truth again.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchDevice`].
    pub fn clear_attributes(&self, device: usize) -> Result<(), SimError> {
        self.change(device, |device| {
            device.attributes.clear();
            device.pointer_attributes.clear();
        })
    }

    /// Sets how many bytes of a device other processes hold. It shows in `cuMemGetInfo`, and nothing
    /// can be allocated that would need them.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchDevice`].
    pub fn set_other_use(&self, device: usize, bytes: u64) -> Result<(), SimError> {
        self.change(device, |device| device.other_use = bytes)
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut Device)) -> Result<(), SimError> {
        let mut state = self.state();
        existing(&state, index)?;
        if let Ok(device) = state.device_mut(index) {
            change(device);
        }
        Ok(())
    }
}
