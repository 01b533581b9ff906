//! An open device.

use core::fmt;
use std::sync::Arc;

use vram_sys::{CUmemAllocationGranularity_flags, CUmemAllocationProp, Function};

use crate::Result;
use crate::context::Context;
use crate::memory::virtual_memory;
use crate::platform::Platform;
use crate::properties::DeviceProperties;
use crate::size::Bytes;
use crate::stream::Stream;

/// A device with its context retained. Cheap to clone; everything made on a device keeps it open.
#[derive(Clone)]
pub struct Device {
    inner: Arc<Inner>,
}

struct Inner {
    properties: DeviceProperties,
    granularity: u64,
    /// Carries this crate's own small copies and fills. Declared before the context: it is
    /// destroyed in it.
    stream: Stream,
    context: Arc<Context>,
}

/// A device's memory as the driver counts it, other processes' use included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMemory {
    /// Bytes nobody holds.
    pub free: Bytes,
    /// Bytes in all.
    pub total: Bytes,
}

/// Host memory that this crate has page-locked for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedHost {
    /// Bytes now.
    pub now: Bytes,
    /// The most at any time since the device was opened.
    pub most: Bytes,
}

impl Device {
    pub(crate) fn new(context: Arc<Context>, properties: DeviceProperties) -> Result<Self> {
        let granularity = granularity(&context)?;
        let stream = Stream::in_context(Arc::clone(&context))?;
        Ok(Self {
            inner: Arc::new(Inner {
                properties,
                granularity,
                stream,
                context,
            }),
        })
    }

    /// What the driver said of the device when it was opened.
    #[must_use]
    pub fn properties(&self) -> &DeviceProperties {
        &self.inner.properties
    }

    /// What the driver says of the device now: asked again, of a context that still answers.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`](crate::Error::DeviceLost), or [`Error::Driver`](crate::Error::Driver) if the
    /// driver refuses a question that it answered before.
    pub fn observe(&self) -> Result<DeviceProperties> {
        // The driver describes a device whose context is gone as readily as any other.
        self.memory()?;
        let platform = Platform::started(self.context().driver());
        platform.properties(self.inner.properties.index)
    }

    /// The device's memory now (`cuMemGetInfo`).
    ///
    /// # Errors
    ///
    /// [`Error::Driver`](crate::Error::Driver) or [`Error::DeviceLost`](crate::Error::DeviceLost).
    pub fn memory(&self) -> Result<DeviceMemory> {
        let (mut free, mut total) = (0, 0);
        let entered = self.context().enter()?;
        // SAFETY: the driver writes two sizes.
        let result = unsafe { (entered.table().cuMemGetInfo_v2)(&raw mut free, &raw mut total) };
        entered.check(
            Function::cuMemGetInfo_v2,
            result,
            "asking for the free memory",
        )?;
        Ok(DeviceMemory {
            free: Bytes(u64::try_from(free).unwrap_or(u64::MAX)),
            total: Bytes(u64::try_from(total).unwrap_or(u64::MAX)),
        })
    }

    /// Waits for everything in the device's context, other libraries' work included
    /// (`cuCtxSynchronize`).
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`](crate::Error::DeviceLost) if any of it ended the context.
    pub fn synchronize(&self) -> Result<()> {
        let entered = self.context().enter()?;
        // SAFETY: the context is current; the call takes nothing.
        let result = unsafe { (entered.table().cuCtxSynchronize)() };
        entered.check(Function::cuCtxSynchronize, result, "waiting for the device")
    }

    /// Host memory that is page-locked for this device: staging, above all.
    #[must_use]
    pub fn pinned_host(&self) -> PinnedHost {
        let (now, most) = self.context().pinned_bytes();
        PinnedHost {
            now: Bytes(now),
            most: Bytes(most),
        }
    }

    /// Whether the device has been seen lost. It stays so.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.context().is_lost()
    }

    /// How many releases the driver has refused: memory, streams or contexts that leaked.
    #[must_use]
    pub fn release_failures(&self) -> u64 {
        self.context().release_failures()
    }

    /// Whether both are the same open device.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner.context, &other.inner.context)
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.inner.context
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.inner.stream
    }

    /// What sizes are rounded up to, in bytes.
    pub(crate) fn granularity(&self) -> u64 {
        self.inner.granularity
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("index", &self.inner.properties.index)
            .field("name", &self.inner.properties.name)
            .field("simulated", &self.inner.properties.simulated)
            .finish_non_exhaustive()
    }
}

/// The unit of device memory: 2 MiB on every GPU so far.
fn granularity(context: &Context) -> Result<u64> {
    let properties: CUmemAllocationProp = virtual_memory::properties(context.device());
    let mut granularity = 0;
    let entered = context.enter()?;
    // SAFETY: the driver reads one CUmemAllocationProp and writes one size.
    let result = unsafe {
        (entered.table().cuMemGetAllocationGranularity)(
            &raw mut granularity,
            &raw const properties,
            CUmemAllocationGranularity_flags::CU_MEM_ALLOC_GRANULARITY_MINIMUM,
        )
    };
    let function = Function::cuMemGetAllocationGranularity;
    match entered.check(function, result, "asking for the allocation granularity") {
        Ok(()) => Ok(u64::try_from(granularity).unwrap_or(0).max(1)),
        // Devices without virtual memory management have no answer; plain allocations are carved
        // out of the same 2 MiB pages. Of a lost device, whatever comes next says that it is.
        Err(_) => Ok(2 << 20),
    }
}
