//! The driver, and the devices it offers.

use std::sync::Arc;

use vram_sys::{CUcontext, CUdevice, CUresult, Driver, Function, Origin, Table};

use crate::context::Context;
use crate::properties::{self, DeviceProperties};
use crate::{Device, Error, Result, failure};

/// A driver that has started, and its devices.
#[derive(Clone, Debug)]
pub struct Platform {
    driver: Arc<Driver>,
}

impl Platform {
    /// Loads the machine's NVIDIA driver.
    ///
    /// # Errors
    ///
    /// [`Error::Load`]: no driver, an unusable one, or one without a device.
    pub fn load() -> Result<Self> {
        Ok(Self {
            driver: Arc::new(Driver::load()?),
        })
    }

    /// Takes a driver that something else made, and starts it (`cuInit`).
    ///
    /// # Errors
    ///
    /// [`Error::Driver`] if it doesn't start.
    pub fn with_driver(driver: Arc<Driver>) -> Result<Self> {
        let platform = Self { driver };
        // SAFETY: cuInit takes no pointer; its flags must be zero.
        let result = unsafe { (platform.table().cuInit)(0) };
        platform.check(Function::cuInit, result, "starting the driver")?;
        Ok(platform)
    }

    /// The platform of a driver that was started before.
    pub(crate) fn started(driver: &Arc<Driver>) -> Self {
        Self {
            driver: Arc::clone(driver),
        }
    }

    /// Whether a simulation answers: nothing it reports was observed on a GPU.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.driver.origin() != Origin::Libcuda
    }

    /// The devices, in the driver's order.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`] if the driver refuses a query.
    pub fn devices(&self) -> Result<Vec<DeviceProperties>> {
        (0..self.count()?)
            .map(|index| self.properties(index))
            .collect()
    }

    /// Opens a device: retains its primary context.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDevice`], listing those that exist, for an index the driver doesn't have;
    /// [`Error::Driver`] or [`Error::DeviceLost`] if the driver refuses.
    pub fn open(&self, index: usize) -> Result<Device> {
        if index >= self.count()? {
            let available = self
                .devices()?
                .into_iter()
                .map(|device| device.name)
                .collect();
            return Err(Error::NoSuchDevice { index, available });
        }
        let properties = self.properties(index)?;
        let context = Context::retain(Arc::clone(&self.driver), self.handle(index)?)?;
        Device::new(Arc::new(context), properties)
    }

    /// Opens the device whose primary context is current to this thread: what the CUDA runtime, the
    /// frameworks over it, and `cust` made current there is what the device is then used through.
    ///
    /// The context is retained once more, as by [`open`](Self::open): it lives as long as anyone
    /// retains it, whoever lets go first, and nothing here ever destroys or resets it.
    ///
    /// # Errors
    ///
    /// [`Error::NoCurrentContext`]; [`Error::NotPrimary`] for a context that `cuCtxCreate` made, for
    /// nothing could keep that from being destroyed while memory in it is in use; otherwise as
    /// [`open`](Self::open).
    pub fn join_current_context(&self) -> Result<Device> {
        let current = self.current_context()?;
        let handle = self.device_of_current_context()?;
        let mut devices = 0..self.count()?;
        let index = loop {
            let index = devices.next().ok_or(Error::NoCurrentContext)?;
            if self.handle(index)? == handle {
                break index;
            }
        };
        let properties = self.properties(index)?;
        let context = Context::retain(Arc::clone(&self.driver), handle)?;
        if !context.is(current) {
            return Err(Error::NotPrimary {
                device: properties.name,
            });
        }
        Device::new(Arc::new(context), properties)
    }

    fn current_context(&self) -> Result<CUcontext> {
        let mut context = core::ptr::null_mut();
        // SAFETY: the driver writes one handle, null where no context is current.
        let result = unsafe { (self.table().cuCtxGetCurrent)(&raw mut context) };
        let function = Function::cuCtxGetCurrent;
        self.check(function, result, "asking for the current context")?;
        if context.is_null() {
            return Err(Error::NoCurrentContext);
        }
        Ok(context)
    }

    fn device_of_current_context(&self) -> Result<CUdevice> {
        let mut device = 0;
        // SAFETY: the driver writes one device handle.
        let result = unsafe { (self.table().cuCtxGetDevice)(&raw mut device) };
        // What is current may have been destroyed long ago; no device is lost by that.
        if result == CUresult::CUDA_ERROR_INVALID_CONTEXT
            || result == CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED
        {
            return Err(Error::NoCurrentContext);
        }
        let function = Function::cuCtxGetDevice;
        self.check(function, result, "asking for the current context's device")?;
        Ok(device)
    }

    pub(crate) fn properties(&self, index: usize) -> Result<DeviceProperties> {
        let device = self.handle(index)?;
        // Another device that can't be found must not keep this one from being described.
        let others = (0..self.count()?)
            .filter(|&other| other != index)
            .map(|other| self.handle(other).ok().map(|handle| (other, handle)))
            .collect::<Option<Vec<_>>>();
        properties::query(self, index, device, others.as_deref())
    }

    fn count(&self) -> Result<usize> {
        let mut count = 0;
        // SAFETY: the driver writes one int.
        let result = unsafe { (self.table().cuDeviceGetCount)(&raw mut count) };
        self.check(Function::cuDeviceGetCount, result, "counting the devices")?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    fn handle(&self, index: usize) -> Result<CUdevice> {
        let mut device = 0;
        let ordinal = i32::try_from(index).map_err(|_| Error::NoSuchDevice {
            index,
            available: Vec::new(),
        })?;
        // SAFETY: the driver writes one device handle, or refuses an ordinal it doesn't have.
        let result = unsafe { (self.table().cuDeviceGet)(&raw mut device, ordinal) };
        self.check(Function::cuDeviceGet, result, "finding the device")?;
        Ok(device)
    }

    pub(crate) fn table(&self) -> &Table {
        self.driver.table()
    }

    /// For calls that need no context.
    pub(crate) fn check(
        &self,
        function: Function,
        result: CUresult,
        doing: &'static str,
    ) -> Result<()> {
        if result == CUresult::CUDA_SUCCESS {
            return Ok(());
        }
        Err(failure::error(self.table(), function, result, doing))
    }
}
