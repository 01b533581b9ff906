//! Modules, functions and launches.

#![expect(non_snake_case, reason = "the names are the driver's")]

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;

use vram_kernels::THREADS_PER_BLOCK;
use vram_sys::{
    CUdevice_attribute, CUfunction, CUfunction_attribute, CUjit_option, CUmodule, CUresult,
    CUstream,
};

use super::{Out, initialised, read};
use crate::answer::Answer;
use crate::handle::Handle;
use crate::launch::{ARGUMENTS, Launch};
use crate::machine::Computer;
use crate::work::Work;

/// The options are accepted and have no effect: there is nothing to compile. Log buffers stay empty.
pub(crate) unsafe fn cuModuleLoadDataEx(
    computer: &Computer,
    module: *mut CUmodule,
    image: *const c_void,
    option_count: c_uint,
    options: *mut CUjit_option,
    values: *mut *mut c_void,
) -> Answer {
    let mut state = initialised(computer)?;
    state.current()?;
    // SAFETY: a handle may be written there, by the function's contract.
    let module = unsafe { Out::new(module) }?;
    let without_options = options.is_null() || values.is_null();
    if image.is_null() || (option_count > 0 && without_options) {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    // SAFETY: PTX ends with a NUL, by the function's contract; a binary image has one in its header.
    let image = unsafe { CStr::from_ptr(image.cast::<c_char>()) };
    module.set(state.load_module(image)?.to_pointer());
    Ok(())
}

pub(crate) unsafe fn cuModuleUnload(computer: &Computer, module: CUmodule) -> Answer {
    initialised(computer)?.unload_module(Handle::of_pointer(module))
}

pub(crate) unsafe fn cuModuleGetFunction(
    computer: &Computer,
    function: *mut CUfunction,
    module: CUmodule,
    name: *const c_char,
) -> Answer {
    let mut state = initialised(computer)?;
    state.current()?;
    // SAFETY: a handle may be written there, by the function's contract.
    let function = unsafe { Out::new(function) }?;
    if name.is_null() {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    // SAFETY: a name ends with a NUL, by the function's contract.
    let name = unsafe { CStr::from_ptr(name) };
    function.set(
        state
            .find_function(Handle::of_pointer(module), name)?
            .to_pointer(),
    );
    Ok(())
}

pub(crate) unsafe fn cuFuncGetAttribute(
    computer: &Computer,
    value: *mut c_int,
    attribute: CUfunction_attribute,
    function: CUfunction,
) -> Answer {
    let state = initialised(computer)?;
    state.current()?;
    // SAFETY: an int may be written there, by the function's contract.
    let value = unsafe { Out::new(value) }?;
    value.set(state.function_attribute(Handle::of_pointer(function), attribute)?);
    Ok(())
}

pub(crate) unsafe fn cuFuncLoad(computer: &Computer, function: CUfunction) -> Answer {
    initialised(computer)?
        .function(Handle::of_pointer(function))
        .map(|_| ())
}

/// The kernels take one struct and have no use for dimensions beyond `x`: threads that differ in
/// `y` or `z` alone write the same bytes, so they run once. Arguments packed in `extra` are
/// `CUDA_ERROR_NOT_SUPPORTED`. More threads than a kernel was compiled for are refused.
#[expect(clippy::too_many_arguments, reason = "the parameters are the driver's")]
pub(crate) unsafe fn cuLaunchKernel(
    computer: &Computer,
    function: CUfunction,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    shared_bytes: c_uint,
    stream: CUstream,
    parameters: *mut *mut c_void,
    extra: *mut *mut c_void,
) -> Answer {
    let mut state = initialised(computer)?;
    let kernel = state.function(Handle::of_pointer(function))?.kernel();
    let stream = state.stream_of(Handle::of_pointer(stream))?;
    let device = state.device(state.current()?)?;
    let within = |count: c_uint, limit| {
        let limit = device
            .attribute(limit)
            .ok()
            .and_then(|limit| c_uint::try_from(limit).ok());
        count > 0 && limit.is_some_and(|limit| count <= limit)
    };
    let threads = u64::from(block_x)
        .saturating_mul(block_y.into())
        .saturating_mul(block_z.into());
    let shared = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK;
    let valid = within(
        grid_x,
        CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X,
    ) && within(
        grid_y,
        CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y,
    ) && within(
        grid_z,
        CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z,
    ) && within(
        block_x,
        CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X,
    ) && within(
        block_y,
        CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y,
    ) && within(
        block_z,
        CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z,
    ) && (shared_bytes == 0 || within(shared_bytes, shared))
        && threads <= THREADS_PER_BLOCK.into();
    if !valid {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    if !extra.is_null() {
        return Err(CUresult::CUDA_ERROR_NOT_SUPPORTED);
    }
    // SAFETY: there is a pointer for each of the kernel's parameters, which are one.
    let parameter = unsafe { read(parameters) }?;
    if parameter.is_null() || kernel.args_size() > ARGUMENTS {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    let mut launch = Launch {
        kernel,
        grid_x,
        block_x,
        arguments: [0; _],
    };
    let to = launch.arguments.as_mut_ptr().cast::<u8>();
    // SAFETY: the first parameter's bytes are there, by the function's contract, and there is room
    // for them, as was just checked.
    unsafe { ptr::copy_nonoverlapping(parameter.cast::<u8>(), to, kernel.args_size()) };
    state.enqueue(stream, Work::Launch(launch))?;
    let launches = state.launches.entry(kernel.name()).or_default();
    *launches = launches.saturating_add(1);
    Ok(())
}
