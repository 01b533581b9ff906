//! Page-locked host memory.

#![expect(non_snake_case, reason = "the names are the driver's")]

use core::ffi::{c_uint, c_void};
use std::ptr;

use vram_sys::{CUdevice_attribute, CUdeviceptr, CUresult};

use super::{Out, bytes, initialised, size};
use crate::answer::Answer;
use crate::machine::Computer;
use crate::region::AllocationKind;

/// `CU_MEMHOSTALLOC_DEVICEMAP` and `CU_MEMHOSTREGISTER_DEVICEMAP`.
const DEVICE_MAP: c_uint = 2;

/// `CU_MEMHOSTALLOC_PORTABLE`, `_DEVICEMAP` and `_WRITECOMBINED`.
const ALLOC_FLAGS: c_uint = 7;

/// `CU_MEMHOSTREGISTER_PORTABLE` and `_DEVICEMAP`.
const REGISTER_FLAGS: c_uint = 3;

/// `CU_MEMHOSTREGISTER_IOMEMORY` and `_READ_ONLY`, which no simulated device supports.
const UNSUPPORTED_REGISTER_FLAGS: c_uint = 12;

/// A caller's pointer as an address that the simulation may use later.
fn address(pointer: *mut c_void) -> u64 {
    pointer.expose_provenance() as u64
}

pub(crate) unsafe fn cuMemHostAlloc(
    computer: &Computer,
    pointer: *mut *mut c_void,
    bytesize: usize,
    flags: c_uint,
) -> Answer {
    let mut state = initialised(computer)?;
    let index = state.current()?;
    // SAFETY: a pointer may be written there, by the function's contract.
    let pointer = unsafe { Out::new(pointer) }?;
    if flags & !ALLOC_FLAGS != 0 {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    let mapped = flags & DEVICE_MAP != 0;
    let start = state.allocate(index, bytes(bytesize), AllocationKind::PinnedHost, mapped)?;
    pointer.set(ptr::with_exposed_provenance_mut(size(start)));
    Ok(())
}

/// Waits for all work of the device first, as the driver does.
pub(crate) unsafe fn cuMemFreeHost(computer: &Computer, pointer: *mut c_void) -> Answer {
    let mut state = initialised(computer)?;
    let index = state.current()?;
    state.synchronize_device(index)?;
    state.free(address(pointer), |kind| kind == AllocationKind::PinnedHost)
}

/// As documented, only memory that was mapped for devices has a device pointer: its own address.
pub(crate) unsafe fn cuMemHostGetDevicePointer_v2(
    computer: &Computer,
    device_pointer: *mut CUdeviceptr,
    pointer: *mut c_void,
    flags: c_uint,
) -> Answer {
    let state = initialised(computer)?;
    let device = state.device(state.current()?)?;
    // SAFETY: an address may be written there, by the function's contract.
    let device_pointer = unsafe { Out::new(device_pointer) }?;
    let start = address(pointer);
    let is_mapped = state
        .space
        .region(start)
        .is_some_and(|region| region.kind.is_host() && region.device_mapped);
    let can_map = device.has(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY);
    if flags != 0 || !is_mapped || !can_map {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    device_pointer.set(start);
    Ok(())
}

pub(crate) unsafe fn cuMemHostRegister_v2(
    computer: &Computer,
    pointer: *mut c_void,
    bytesize: usize,
    flags: c_uint,
) -> Answer {
    let mut state = initialised(computer)?;
    let index = state.current()?;
    if flags & !(REGISTER_FLAGS | UNSUPPORTED_REGISTER_FLAGS) != 0 {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    if flags & UNSUPPORTED_REGISTER_FLAGS != 0 {
        return Err(CUresult::CUDA_ERROR_NOT_SUPPORTED);
    }
    state.register(
        index,
        address(pointer),
        bytes(bytesize),
        flags & DEVICE_MAP != 0,
    )
}

/// Waits for all work of the device first: the memory may be anything afterwards.
pub(crate) unsafe fn cuMemHostUnregister(computer: &Computer, pointer: *mut c_void) -> Answer {
    let mut state = initialised(computer)?;
    let index = state.current()?;
    state.synchronize_device(index)?;
    state.unregister(address(pointer))
}
