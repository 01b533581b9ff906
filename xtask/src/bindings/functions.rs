//! What of the CUDA driver API the project calls.

/// Present in every supported driver: R525 (CUDA 12.0) and later.
pub(crate) const REQUIRED: &[&str] = &[
    // Start-up, versions and errors.
    "cuInit",
    "cuDriverGetVersion",
    "cuGetErrorName",
    "cuGetErrorString",
    // Devices.
    "cuDeviceGetCount",
    "cuDeviceGet",
    "cuDeviceGetName",
    "cuDeviceGetUuid_v2",
    "cuDeviceTotalMem_v2",
    "cuDeviceGetAttribute",
    "cuDeviceGetPCIBusId",
    "cuDeviceCanAccessPeer",
    // Contexts.
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxPushCurrent_v2",
    "cuCtxPopCurrent_v2",
    "cuCtxGetCurrent",
    "cuCtxGetDevice",
    "cuCtxSynchronize",
    // Virtual memory management.
    "cuMemGetInfo_v2",
    "cuMemGetAllocationGranularity",
    "cuMemCreate",
    "cuMemRelease",
    "cuMemAddressReserve",
    "cuMemAddressFree",
    "cuMemMap",
    "cuMemUnmap",
    "cuMemSetAccess",
    "cuMemGetAccess",
    // Plain, pinned and managed memory.
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemHostAlloc",
    "cuMemFreeHost",
    "cuMemHostGetDevicePointer_v2",
    "cuMemHostRegister_v2",
    "cuMemHostUnregister",
    "cuMemAllocManaged",
    // Copies and fills.
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyDtoDAsync_v2",
    "cuMemsetD8Async",
    // Attributes of pointers.
    "cuPointerGetAttribute",
    "cuPointerGetAttributes",
    // Streams and events.
    "cuStreamCreate",
    "cuStreamCreateWithPriority",
    "cuStreamDestroy_v2",
    "cuStreamSynchronize",
    "cuStreamWaitEvent",
    "cuEventCreate",
    "cuEventDestroy_v2",
    "cuEventRecord",
    "cuEventQuery",
    "cuEventSynchronize",
    "cuEventElapsedTime",
    // Kernels.
    "cuModuleLoadDataEx",
    "cuModuleUnload",
    "cuModuleGetFunction",
    "cuFuncGetAttribute",
    "cuLaunchKernel",
];

/// Newer than the oldest supported driver, with the CUDA version that brought each.
pub(crate) const OPTIONAL: &[(u32, &str)] = &[
    // Loads a kernel's code ahead of its first launch.
    (12_040, "cuFuncLoad"),
];

/// Types that no function signature above names: the attributes' values and the flags.
pub(crate) const TYPES: &[&str] = &[
    "CUmemorytype",
    "CUmemAllocationHandleType",
    "CUmemAllocationGranularity_flags",
    "CUmemLocationType",
    "CUmemAccess_flags",
    "CUstream_flags",
    "CUevent_flags",
    "CUmemAttach_flags",
    "CUctx_flags",
];
