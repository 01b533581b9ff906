//! The names of the driver's codes.

use core::ffi::CStr;

use vram_sys::CUresult;

macro_rules! define_names {
    ($($code:ident = $text:literal;)*) => {
        /// The code's name and what it means; none for a number that is no code.
        pub(crate) const fn describe(code: CUresult) -> Option<(&'static CStr, &'static CStr)> {
            match code {
                $(CUresult::$code => Some((
                    text(concat!(stringify!($code), "\0")),
                    text(concat!($text, "\0")),
                )),)*
                _ => None,
            }
        }

        /// Every code there is.
        #[cfg(test)]
        const ALL: &[CUresult] = &[$(CUresult::$code),*];
    };
}

const fn text(terminated: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(terminated.as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    }
}

define_names! {
    CUDA_SUCCESS = "no error";
    CUDA_ERROR_INVALID_VALUE = "invalid argument";
    CUDA_ERROR_OUT_OF_MEMORY = "out of memory";
    CUDA_ERROR_NOT_INITIALIZED = "initialization error";
    CUDA_ERROR_DEINITIALIZED = "driver shutting down";
    CUDA_ERROR_PROFILER_DISABLED = "profiler disabled";
    CUDA_ERROR_PROFILER_NOT_INITIALIZED = "profiler not initialized";
    CUDA_ERROR_PROFILER_ALREADY_STARTED = "profiler already started";
    CUDA_ERROR_PROFILER_ALREADY_STOPPED = "profiler already stopped";
    CUDA_ERROR_STUB_LIBRARY = "stub library";
    CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER = "call requires newer driver";
    CUDA_ERROR_DEVICE_UNAVAILABLE = "device unavailable";
    CUDA_ERROR_NO_DEVICE = "no CUDA-capable device is detected";
    CUDA_ERROR_INVALID_DEVICE = "invalid device ordinal";
    CUDA_ERROR_DEVICE_NOT_LICENSED = "device not licensed";
    CUDA_ERROR_INVALID_IMAGE = "invalid image";
    CUDA_ERROR_INVALID_CONTEXT = "invalid device context";
    CUDA_ERROR_CONTEXT_ALREADY_CURRENT = "context already current";
    CUDA_ERROR_MAP_FAILED = "map failed";
    CUDA_ERROR_UNMAP_FAILED = "unmap failed";
    CUDA_ERROR_ARRAY_IS_MAPPED = "array is mapped";
    CUDA_ERROR_ALREADY_MAPPED = "already mapped";
    CUDA_ERROR_NO_BINARY_FOR_GPU = "no kernel image is available for execution on the device";
    CUDA_ERROR_ALREADY_ACQUIRED = "already acquired";
    CUDA_ERROR_NOT_MAPPED = "not mapped";
    CUDA_ERROR_NOT_MAPPED_AS_ARRAY = "not mapped as array";
    CUDA_ERROR_NOT_MAPPED_AS_POINTER = "not mapped as pointer";
    CUDA_ERROR_ECC_UNCORRECTABLE = "uncorrectable ECC error encountered";
    CUDA_ERROR_UNSUPPORTED_LIMIT = "unsupported limit";
    CUDA_ERROR_CONTEXT_ALREADY_IN_USE = "context already in use";
    CUDA_ERROR_PEER_ACCESS_UNSUPPORTED = "peer access unsupported";
    CUDA_ERROR_INVALID_PTX = "a PTX JIT compilation failed";
    CUDA_ERROR_INVALID_GRAPHICS_CONTEXT = "invalid graphics context";
    CUDA_ERROR_NVLINK_UNCORRECTABLE = "nvlink uncorrectable";
    CUDA_ERROR_JIT_COMPILER_NOT_FOUND = "jit compiler not found";
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = "unsupported ptx version";
    CUDA_ERROR_JIT_COMPILATION_DISABLED = "jit compilation disabled";
    CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY = "unsupported exec affinity";
    CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC = "unsupported devside sync";
    CUDA_ERROR_CONTAINED = "contained";
    CUDA_ERROR_INVALID_SOURCE = "invalid source";
    CUDA_ERROR_FILE_NOT_FOUND = "file not found";
    CUDA_ERROR_SHARED_OBJECT_INIT_FAILED = "shared object init failed";
    CUDA_ERROR_OPERATING_SYSTEM = "operating system";
    CUDA_ERROR_INVALID_HANDLE = "invalid resource handle";
    CUDA_ERROR_ILLEGAL_STATE = "illegal state";
    CUDA_ERROR_LOSSY_QUERY = "lossy query";
    CUDA_ERROR_NOT_FOUND = "named symbol not found";
    CUDA_ERROR_NOT_READY = "device not ready";
    CUDA_ERROR_ILLEGAL_ADDRESS = "an illegal memory access was encountered";
    CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = "launch out of resources";
    CUDA_ERROR_LAUNCH_TIMEOUT = "launch timeout";
    CUDA_ERROR_PEER_ACCESS_NOT_ENABLED = "peer access not enabled";
    CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE = "primary context active";
    CUDA_ERROR_CONTEXT_IS_DESTROYED = "context is destroyed";
    CUDA_ERROR_ASSERT = "assert";
    CUDA_ERROR_TOO_MANY_PEERS = "too many peers";
    CUDA_ERROR_HARDWARE_STACK_ERROR = "hardware stack error";
    CUDA_ERROR_ILLEGAL_INSTRUCTION = "illegal instruction";
    CUDA_ERROR_MISALIGNED_ADDRESS = "misaligned address";
    CUDA_ERROR_INVALID_ADDRESS_SPACE = "invalid address space";
    CUDA_ERROR_INVALID_PC = "invalid pc";
    CUDA_ERROR_LAUNCH_FAILED = "unspecified launch failure";
    CUDA_ERROR_TENSOR_MEMORY_LEAK = "tensor memory leak";
    CUDA_ERROR_NOT_PERMITTED = "operation not permitted";
    CUDA_ERROR_NOT_SUPPORTED = "operation not supported";
    CUDA_ERROR_SYSTEM_NOT_READY = "system not ready";
    CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = "system driver mismatch";
    CUDA_ERROR_MPS_CONNECTION_FAILED = "mps connection failed";
    CUDA_ERROR_MPS_RPC_FAILURE = "mps rpc failure";
    CUDA_ERROR_MPS_SERVER_NOT_READY = "mps server not ready";
    CUDA_ERROR_MPS_MAX_CLIENTS_REACHED = "mps max clients reached";
    CUDA_ERROR_MPS_CLIENT_TERMINATED = "mps client terminated";
    CUDA_ERROR_CDP_NOT_SUPPORTED = "cdp not supported";
    CUDA_ERROR_CDP_VERSION_MISMATCH = "cdp version mismatch";
    CUDA_ERROR_STREAM_CAPTURE_MERGE = "stream capture merge";
    CUDA_ERROR_STREAM_CAPTURE_UNMATCHED = "stream capture unmatched";
    CUDA_ERROR_STREAM_CAPTURE_UNJOINED = "stream capture unjoined";
    CUDA_ERROR_STREAM_CAPTURE_ISOLATION = "stream capture isolation";
    CUDA_ERROR_STREAM_CAPTURE_IMPLICIT = "stream capture implicit";
    CUDA_ERROR_CAPTURED_EVENT = "captured event";
    CUDA_ERROR_TIMEOUT = "timeout";
    CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE = "graph exec update failure";
    CUDA_ERROR_EXTERNAL_DEVICE = "external device";
    CUDA_ERROR_INVALID_CLUSTER_SIZE = "invalid cluster size";
    CUDA_ERROR_FUNCTION_NOT_LOADED = "function not loaded";
    CUDA_ERROR_INVALID_RESOURCE_TYPE = "invalid resource type";
    CUDA_ERROR_KEY_ROTATION = "key rotation";
    CUDA_ERROR_UNKNOWN = "unknown error";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_and_a_text() {
        for &code in ALL {
            let (name, text) = describe(code).unwrap();
            assert!(name.to_str().unwrap().starts_with("CUDA_"), "{name:?}");
            assert!(!text.is_empty(), "{name:?}");
        }
    }

    #[test]
    fn a_number_that_is_no_code_has_none() {
        assert_eq!(describe(CUresult(12_345)), None);
    }
}
