//! Plain and managed device memory, and what the driver says of addresses.

#![expect(non_snake_case, reason = "the names are the driver's")]

use core::ffi::{c_uint, c_void};

use vram_sys::{CUdevice_attribute, CUdeviceptr, CUmemAttach_flags, CUpointer_attribute, CUresult};

use super::{Out, bytes, initialised, read, size};
use crate::answer::Answer;
use crate::machine::Computer;
use crate::pointer::Value;
use crate::region::AllocationKind;

pub(crate) unsafe fn cuMemGetInfo_v2(
    computer: &Computer,
    free: *mut usize,
    total: *mut usize,
) -> Answer {
    let state = initialised(computer)?;
    let device = state.device(state.current()?)?;
    // SAFETY: a size may be written there, by the function's contract.
    let free = unsafe { Out::new(free) }?;
    // SAFETY: as above.
    let total = unsafe { Out::new(total) }?;
    free.set(size(device.available()));
    total.set(size(device.memory.size()));
    Ok(())
}

pub(crate) unsafe fn cuMemAlloc_v2(
    computer: &Computer,
    address: *mut CUdeviceptr,
    bytesize: usize,
) -> Answer {
    let mut state = initialised(computer)?;
    let index = state.current()?;
    // SAFETY: an address may be written there, by the function's contract.
    let address = unsafe { Out::new(address) }?;
    address.set(state.allocate(index, bytes(bytesize), AllocationKind::Plain, true)?);
    Ok(())
}

pub(crate) unsafe fn cuMemAllocManaged(
    computer: &Computer,
    address: *mut CUdeviceptr,
    bytesize: usize,
    flags: c_uint,
) -> Answer {
    let mut state = initialised(computer)?;
    let index = state.current()?;
    // SAFETY: an address may be written there, by the function's contract.
    let address = unsafe { Out::new(address) }?;
    if !state
        .device(index)?
        .has(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY)
    {
        return Err(CUresult::CUDA_ERROR_NOT_SUPPORTED);
    }
    let attached = CUmemAttach_flags(flags);
    if attached != CUmemAttach_flags::CU_MEM_ATTACH_GLOBAL
        && attached != CUmemAttach_flags::CU_MEM_ATTACH_HOST
    {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    address.set(state.allocate(index, bytes(bytesize), AllocationKind::Managed, true)?);
    Ok(())
}

/// Waits for all work of the device first, as the driver does. A null pointer frees nothing.
pub(crate) unsafe fn cuMemFree_v2(computer: &Computer, address: CUdeviceptr) -> Answer {
    let mut state = initialised(computer)?;
    let index = state.current()?;
    if address == 0 {
        return Ok(());
    }
    state.synchronize_device(index)?;
    state.free(address, |kind| {
        matches!(kind, AllocationKind::Plain | AllocationKind::Managed)
    })
}

pub(crate) unsafe fn cuPointerGetAttribute(
    computer: &Computer,
    data: *mut c_void,
    attribute: CUpointer_attribute,
    address: CUdeviceptr,
) -> Answer {
    let state = initialised(computer)?;
    if data.is_null() {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    let value = state.pointer_attribute(attribute, address)?;
    // SAFETY: the attribute's type may be written there, by the function's contract.
    unsafe { write(value, data) }
}

/// Many attributes at once. One that the address doesn't have is 0, as is every one of an address that
/// the driver doesn't know.
pub(crate) unsafe fn cuPointerGetAttributes(
    computer: &Computer,
    count: c_uint,
    attributes: *mut CUpointer_attribute,
    data: *mut *mut c_void,
    address: CUdeviceptr,
) -> Answer {
    let state = initialised(computer)?;
    for index in 0..usize::try_from(count).unwrap_or(usize::MAX) {
        // SAFETY: the list has `count` attributes, by the function's contract, or is null.
        let attribute = unsafe { read(attributes.wrapping_add(index)) }?;
        // SAFETY: the list has `count` pointers, by the function's contract, or is null.
        let place = unsafe { read(data.wrapping_add(index)) }?;
        if place.is_null() {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let value = match state.pointer_attribute(attribute, address) {
            Ok(value) => value,
            Err(CUresult::CUDA_ERROR_INVALID_VALUE) => Value::of(attribute, 0),
            Err(code) => return Err(code),
        };
        // SAFETY: the attribute's type may be written there, by the function's contract.
        unsafe { write(value, place) }?;
    }
    Ok(())
}

/// Writes an attribute in its own width.
///
/// # Safety
///
/// A value of the attribute's type may be written to `place`.
unsafe fn write(value: Value, place: *mut c_void) -> Answer {
    match value {
        Value::Flag(flag) => {
            // SAFETY: the caller vouches for the place.
            unsafe { Out::new(place.cast()) }?.set(flag);
        }
        Value::Number(number) => {
            // SAFETY: as above.
            unsafe { Out::new(place.cast()) }?.set(number);
        }
        Value::Wide(number) => {
            // SAFETY: as above.
            unsafe { Out::new(place.cast()) }?.set(number);
        }
    }
    Ok(())
}
