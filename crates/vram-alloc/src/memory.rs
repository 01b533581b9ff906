//! Device memory at an address: mapped page by page where the device can, plain where it can't.

pub(crate) mod plain;
pub(crate) mod virtual_memory;

use std::sync::Arc;

use serde::Serialize;
use vram_sys::{CUdeviceptr, Function};

use crate::context::Context;
use crate::stream::Stream;
use crate::{Device, Result, size};
use plain::PlainMemory;
use virtual_memory::VirtualMemory;

/// How a region is kept from being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Freezing {
    /// The device's MMU refuses writes (`cuMemSetAccess`, read-only).
    Mmu,
    /// Only this library refuses; code on the device could write. Measuring still tells.
    Software,
}

/// Memory of one of both kinds. Dropping it releases it as it is; wiping comes before.
pub(crate) enum Memory {
    Virtual(VirtualMemory),
    Plain(PlainMemory),
}

impl Memory {
    pub(crate) const fn address(&self) -> CUdeviceptr {
        match self {
            Self::Virtual(memory) => memory.address(),
            Self::Plain(memory) => memory.address(),
        }
    }

    /// Releases the memory.
    ///
    /// # Errors
    ///
    /// The driver's refusal; the memory is then still held, and stays so.
    pub(crate) fn release(&mut self) -> Result<()> {
        match self {
            Self::Virtual(memory) => memory.release(),
            Self::Plain(memory) => memory.release(),
        }
    }

    /// Lets go of memory that went with its context: nothing more is asked of the driver.
    pub(crate) fn abandon(mut self) {
        match &mut self {
            Self::Virtual(memory) => memory.abandon(),
            Self::Plain(memory) => memory.abandon(),
        }
    }
}

/// Writes zeros to `len` bytes at `address` and waits until they are there.
///
/// The range is the caller's own: it holds the memory.
pub(crate) fn wipe(stream: &Stream, address: CUdeviceptr, len: u64) -> Result<()> {
    let entered = stream.context().enter()?;
    let len = size::to_usize("a wipe", len)?;
    // SAFETY: callers pass a range of memory that they hold mapped and writable.
    let result = unsafe { (entered.table().cuMemsetD8Async)(address, 0, len, stream.raw()) };
    entered.check(Function::cuMemsetD8Async, result, "wiping memory")?;
    drop(entered);
    stream.synchronize()
}

/// Takes the memory, in one piece.
pub(crate) fn allocate(device: &Device, mapped: u64, virtual_memory: bool) -> Result<Memory> {
    let context: Arc<Context> = Arc::clone(device.context());
    if virtual_memory {
        VirtualMemory::map(context, mapped).map(Memory::Virtual)
    } else {
        PlainMemory::allocate(context, mapped).map(Memory::Plain)
    }
}
