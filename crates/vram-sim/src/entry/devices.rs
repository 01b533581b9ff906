//! Devices and their properties.

#![expect(non_snake_case, reason = "the names are the driver's")]

use core::ffi::{c_char, c_int};
use std::ptr;

use vram_sys::{CUdevice, CUdevice_attribute, CUresult, CUuuid};

use super::{Out, initialised, size};
use crate::answer::Answer;
use crate::machine::Computer;

pub(crate) unsafe fn cuDeviceGetCount(computer: &Computer, count: *mut c_int) -> Answer {
    let state = initialised(computer)?;
    // SAFETY: an int may be written there, by the function's contract.
    let count = unsafe { Out::new(count) }?;
    count.set(c_int::try_from(state.devices.len()).unwrap_or(c_int::MAX));
    Ok(())
}

pub(crate) unsafe fn cuDeviceGet(
    computer: &Computer,
    device: *mut CUdevice,
    ordinal: c_int,
) -> Answer {
    let state = initialised(computer)?;
    // SAFETY: a device may be written there, by the function's contract.
    let device = unsafe { Out::new(device) }?;
    state.present(ordinal)?;
    device.set(ordinal);
    Ok(())
}

/// Writes a text with its NUL into a caller's buffer of `len` bytes, shortened to what fits.
///
/// # Safety
///
/// `to` is null, or `len` bytes may be written there.
unsafe fn write_text(to: *mut c_char, len: c_int, text: &str) -> Answer {
    let room = usize::try_from(len).map_err(|_| CUresult::CUDA_ERROR_INVALID_VALUE)?;
    let Some(letters) = room.checked_sub(1).filter(|_| !to.is_null()) else {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    };
    let mut bytes: Vec<u8> = text.bytes().take(letters).collect();
    bytes.push(0);
    // SAFETY: that is at most `len` bytes, and the buffer is the caller's, not ours.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to.cast(), bytes.len()) };
    Ok(())
}

pub(crate) unsafe fn cuDeviceGetName(
    computer: &Computer,
    name: *mut c_char,
    len: c_int,
    dev: CUdevice,
) -> Answer {
    let state = initialised(computer)?;
    let device = state.present(dev)?;
    // SAFETY: `len` bytes may be written there, by the function's contract.
    unsafe { write_text(name, len, device.name()) }
}

pub(crate) unsafe fn cuDeviceGetUuid_v2(
    computer: &Computer,
    uuid: *mut CUuuid,
    dev: CUdevice,
) -> Answer {
    let state = initialised(computer)?;
    // SAFETY: a UUID may be written there, by the function's contract.
    let uuid = unsafe { Out::new(uuid) }?;
    let bytes = state
        .present(dev)?
        .uuid()
        .map(|byte| c_char::from_ne_bytes([byte]));
    uuid.set(CUuuid { bytes });
    Ok(())
}

pub(crate) unsafe fn cuDeviceTotalMem_v2(
    computer: &Computer,
    total: *mut usize,
    dev: CUdevice,
) -> Answer {
    let state = initialised(computer)?;
    // SAFETY: a size may be written there, by the function's contract.
    let total = unsafe { Out::new(total) }?;
    total.set(size(state.present(dev)?.memory.size()));
    Ok(())
}

pub(crate) unsafe fn cuDeviceGetAttribute(
    computer: &Computer,
    value: *mut c_int,
    attribute: CUdevice_attribute,
    dev: CUdevice,
) -> Answer {
    let state = initialised(computer)?;
    // SAFETY: an int may be written there, by the function's contract.
    let value = unsafe { Out::new(value) }?;
    value.set(state.present(dev)?.attribute(attribute)?);
    Ok(())
}

pub(crate) unsafe fn cuDeviceGetPCIBusId(
    computer: &Computer,
    id: *mut c_char,
    len: c_int,
    dev: CUdevice,
) -> Answer {
    let state = initialised(computer)?;
    let text = format!("0000:{:02X}:00.0", state.present(dev)?.bus());
    let fits = usize::try_from(len).is_ok_and(|room| text.len() < room);
    if !fits {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    // SAFETY: `len` bytes may be written there, by the function's contract.
    unsafe { write_text(id, len, &text) }
}

pub(crate) unsafe fn cuDeviceCanAccessPeer(
    computer: &Computer,
    can: *mut c_int,
    dev: CUdevice,
    peer: CUdevice,
) -> Answer {
    let state = initialised(computer)?;
    // SAFETY: an int may be written there, by the function's contract.
    let can = unsafe { Out::new(can) }?;
    let (device, peer) = (state.present(dev)?, state.present(peer)?);
    can.set(c_int::from(device.can_access(peer)));
    Ok(())
}
