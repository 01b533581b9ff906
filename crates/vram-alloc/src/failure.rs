//! Reading the driver's error codes.

use core::ffi::CStr;

use vram_sys::{CUresult, Function, Table};

use crate::Error;

/// The first sign that a device was lost, kept to answer every later call.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) function: Function,
    pub(crate) name: String,
}

impl Lost {
    pub(crate) fn error(&self) -> Error {
        Error::DeviceLost {
            function: self.function,
            name: self.name.clone(),
        }
    }
}

/// The error that a refused call becomes.
pub(crate) fn error(
    table: &Table,
    function: Function,
    result: CUresult,
    doing: &'static str,
) -> Error {
    let name = name(table, result);
    if loses_the_device(result) {
        return Error::DeviceLost { function, name };
    }
    Error::Driver {
        function,
        name,
        code: result.0,
        doing,
    }
}

/// Whether an error leaves the context unusable: those that NVIDIA documents as leaving "the process
/// in an inconsistent state", memory errors that the hardware could not correct, and a device or
/// driver that has gone away.
const fn loses_the_device(result: CUresult) -> bool {
    matches!(
        result,
        CUresult::CUDA_ERROR_DEINITIALIZED
            | CUresult::CUDA_ERROR_DEVICE_UNAVAILABLE
            | CUresult::CUDA_ERROR_ECC_UNCORRECTABLE
            | CUresult::CUDA_ERROR_NVLINK_UNCORRECTABLE
            | CUresult::CUDA_ERROR_CONTAINED
            | CUresult::CUDA_ERROR_ILLEGAL_ADDRESS
            | CUresult::CUDA_ERROR_LAUNCH_TIMEOUT
            | CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED
            | CUresult::CUDA_ERROR_ASSERT
            | CUresult::CUDA_ERROR_HARDWARE_STACK_ERROR
            | CUresult::CUDA_ERROR_ILLEGAL_INSTRUCTION
            | CUresult::CUDA_ERROR_MISALIGNED_ADDRESS
            | CUresult::CUDA_ERROR_INVALID_ADDRESS_SPACE
            | CUresult::CUDA_ERROR_INVALID_PC
            | CUresult::CUDA_ERROR_LAUNCH_FAILED
            | CUresult::CUDA_ERROR_TENSOR_MEMORY_LEAK
            | CUresult::CUDA_ERROR_EXTERNAL_DEVICE
            | CUresult::CUDA_ERROR_UNKNOWN
    )
}

/// The driver's name for an error (`cuGetErrorName`), or its number where the driver has none.
fn name(table: &Table, result: CUresult) -> String {
    let mut text = core::ptr::null();
    // SAFETY: cuGetErrorName writes one pointer; it needs neither a context nor initialisation.
    let found = unsafe { (table.cuGetErrorName)(result, &raw mut text) };
    let text = (found == CUresult::CUDA_SUCCESS)
        .then_some(text)
        .filter(|text| !text.is_null());
    let Some(text) = text else {
        return format!("CUresult {}", result.0);
    };
    // SAFETY: on success the driver gives a NUL-terminated string with static lifetime.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}
