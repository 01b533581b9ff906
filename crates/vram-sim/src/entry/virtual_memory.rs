//! Virtual memory management. No call here needs a current context.

#![expect(non_snake_case, reason = "the names are the driver's")]

use core::ffi::c_ulonglong;
use std::slice;

use vram_sys::{
    CUdeviceptr, CUmemAccessDesc, CUmemAllocationGranularity_flags, CUmemAllocationProp,
    CUmemGenericAllocationHandle, CUmemLocation, CUresult,
};

use super::{Out, bytes, initialised, read, size};
use crate::address_space::GRANULARITY;
use crate::answer::Answer;
use crate::handle::Handle;
use crate::machine::Computer;

pub(crate) unsafe fn cuMemGetAllocationGranularity(
    computer: &Computer,
    granularity: *mut usize,
    prop: *const CUmemAllocationProp,
    option: CUmemAllocationGranularity_flags,
) -> Answer {
    let state = initialised(computer)?;
    // SAFETY: a size may be written there, by the function's contract.
    let granularity = unsafe { Out::new(granularity) }?;
    // SAFETY: properties are there, by the function's contract.
    let prop = unsafe { read(prop) }?;
    state.location_of(&prop)?;
    if option.0 > CUmemAllocationGranularity_flags::CU_MEM_ALLOC_GRANULARITY_RECOMMENDED.0 {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    granularity.set(size(GRANULARITY));
    Ok(())
}

pub(crate) unsafe fn cuMemCreate(
    computer: &Computer,
    handle: *mut CUmemGenericAllocationHandle,
    bytesize: usize,
    prop: *const CUmemAllocationProp,
    flags: c_ulonglong,
) -> Answer {
    let mut state = initialised(computer)?;
    // SAFETY: a handle may be written there, by the function's contract.
    let handle = unsafe { Out::new(handle) }?;
    // SAFETY: properties are there, by the function's contract.
    let prop = unsafe { read(prop) }?;
    if flags != 0 {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    handle.set(state.create(bytes(bytesize), &prop)?.to_number());
    Ok(())
}

pub(crate) unsafe fn cuMemRelease(
    computer: &Computer,
    handle: CUmemGenericAllocationHandle,
) -> Answer {
    initialised(computer)?.release(Handle::of_number(handle))
}

pub(crate) unsafe fn cuMemAddressReserve(
    computer: &Computer,
    address: *mut CUdeviceptr,
    bytesize: usize,
    alignment: usize,
    hint: CUdeviceptr,
    flags: c_ulonglong,
) -> Answer {
    let mut state = initialised(computer)?;
    state.virtual_memory()?;
    // SAFETY: an address may be written there, by the function's contract.
    let address = unsafe { Out::new(address) }?;
    if flags != 0 || !hint.is_multiple_of(4096) {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    address.set(state.reserve(bytes(bytesize), bytes(alignment))?);
    Ok(())
}

pub(crate) unsafe fn cuMemAddressFree(
    computer: &Computer,
    address: CUdeviceptr,
    bytesize: usize,
) -> Answer {
    initialised(computer)?.unreserve(address, bytes(bytesize))
}

pub(crate) unsafe fn cuMemMap(
    computer: &Computer,
    address: CUdeviceptr,
    bytesize: usize,
    offset: usize,
    handle: CUmemGenericAllocationHandle,
    flags: c_ulonglong,
) -> Answer {
    let mut state = initialised(computer)?;
    if flags != 0 {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    state.map(
        address,
        bytes(bytesize),
        bytes(offset),
        Handle::of_number(handle),
    )
}

pub(crate) unsafe fn cuMemUnmap(
    computer: &Computer,
    address: CUdeviceptr,
    bytesize: usize,
) -> Answer {
    initialised(computer)?.unmap(address, bytes(bytesize))
}

pub(crate) unsafe fn cuMemSetAccess(
    computer: &Computer,
    address: CUdeviceptr,
    bytesize: usize,
    descriptions: *const CUmemAccessDesc,
    count: usize,
) -> Answer {
    let mut state = initialised(computer)?;
    if descriptions.is_null() || count == 0 {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    // SAFETY: `count` descriptions are there, by the function's contract.
    let descriptions = unsafe { slice::from_raw_parts(descriptions, count) };
    state.set_access(address, bytes(bytesize), descriptions)
}

pub(crate) unsafe fn cuMemGetAccess(
    computer: &Computer,
    flags: *mut c_ulonglong,
    location: *const CUmemLocation,
    address: CUdeviceptr,
) -> Answer {
    let state = initialised(computer)?;
    // SAFETY: a number may be written there, by the function's contract.
    let flags = unsafe { Out::new(flags) }?;
    // SAFETY: a location is there, by the function's contract.
    let location = unsafe { read(location) }?;
    flags.set(state.access(address, &location)?.0.into());
    Ok(())
}
