//! Contexts.

#![expect(non_snake_case, reason = "the names are the driver's")]

use core::ptr;

use vram_sys::{CUcontext, CUdevice};

use super::{Out, initialised};
use crate::answer::Answer;
use crate::handle::Handle;
use crate::machine::Computer;

pub(crate) unsafe fn cuDevicePrimaryCtxRetain(
    computer: &Computer,
    context: *mut CUcontext,
    dev: CUdevice,
) -> Answer {
    let mut state = initialised(computer)?;
    // SAFETY: a handle may be written there, by the function's contract.
    let context = unsafe { Out::new(context) }?;
    let index = state.device_index(dev)?;
    context.set(state.retain_context(index)?.to_pointer());
    Ok(())
}

pub(crate) unsafe fn cuDevicePrimaryCtxRelease_v2(computer: &Computer, dev: CUdevice) -> Answer {
    let mut state = initialised(computer)?;
    let index = state.device_index(dev)?;
    state.release_context(index)
}

pub(crate) unsafe fn cuCtxPushCurrent_v2(computer: &Computer, context: CUcontext) -> Answer {
    initialised(computer)?.push_context(Handle::of_pointer(context))
}

/// `context` may be null, which the driver takes as not wanting to know.
pub(crate) unsafe fn cuCtxPopCurrent_v2(computer: &Computer, context: *mut CUcontext) -> Answer {
    let popped = initialised(computer)?.pop_context()?;
    // SAFETY: a handle may be written there unless it is null, by the function's contract.
    if let Ok(context) = unsafe { Out::new(context) } {
        context.set(popped.to_pointer());
    }
    Ok(())
}

/// A null handle where no context is current to the thread.
pub(crate) unsafe fn cuCtxGetCurrent(computer: &Computer, context: *mut CUcontext) -> Answer {
    let state = initialised(computer)?;
    // SAFETY: a handle may be written there, by the function's contract.
    let context = unsafe { Out::new(context) }?;
    let current = state.current_context();
    context.set(current.map_or(ptr::null_mut(), Handle::to_pointer));
    Ok(())
}

pub(crate) unsafe fn cuCtxGetDevice(computer: &Computer, device: *mut CUdevice) -> Answer {
    let state = initialised(computer)?;
    // SAFETY: a device may be written there, by the function's contract.
    let device = unsafe { Out::new(device) }?;
    let index = state.device_of_current_context()?;
    device.set(CUdevice::try_from(index).unwrap_or(CUdevice::MAX));
    Ok(())
}

pub(crate) unsafe fn cuCtxSynchronize(computer: &Computer) -> Answer {
    let mut state = initialised(computer)?;
    let index = state.current()?;
    state.synchronize_device(index)
}
