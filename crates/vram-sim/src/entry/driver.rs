//! The driver itself: starting it, its version, its codes.

#![expect(non_snake_case, reason = "the names are the driver's")]

use core::ffi::{c_char, c_int, c_uint};
use std::ptr;

use vram_sys::CUresult;

use super::Out;
use crate::answer::Answer;
use crate::error_names::describe;
use crate::machine::Computer;

pub(crate) unsafe fn cuInit(computer: &Computer, flags: c_uint) -> Answer {
    if flags != 0 {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    let mut state = computer.state();
    if state.devices.is_empty() {
        return Err(CUresult::CUDA_ERROR_NO_DEVICE);
    }
    state.initialised = true;
    Ok(())
}

pub(crate) unsafe fn cuDriverGetVersion(computer: &Computer, version: *mut c_int) -> Answer {
    // SAFETY: an int may be written there, by the function's contract.
    let version = unsafe { Out::new(version) }?;
    version.set(c_int::try_from(computer.driver_version()).unwrap_or(c_int::MAX));
    Ok(())
}

pub(crate) unsafe fn cuGetErrorName(
    _computer: &Computer,
    error: CUresult,
    name: *mut *const c_char,
) -> Answer {
    // SAFETY: a pointer may be written there, by the function's contract.
    let to = unsafe { Out::new(name) }?;
    let known = describe(error);
    to.set(known.map_or(ptr::null(), |(name, _)| name.as_ptr()));
    known.map(|_| ()).ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)
}

pub(crate) unsafe fn cuGetErrorString(
    _computer: &Computer,
    error: CUresult,
    text: *mut *const c_char,
) -> Answer {
    // SAFETY: a pointer may be written there, by the function's contract.
    let to = unsafe { Out::new(text) }?;
    let known = describe(error);
    to.set(known.map_or(ptr::null(), |(_, text)| text.as_ptr()));
    known.map(|_| ()).ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)
}
