//! What is known of the machine around the device, and of our own process.

use serde::{Deserialize, Serialize};

/// What was seen of the system and of this process. [`HostFacts::default`] knows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostFacts {
    /// The operating system.
    pub system: Option<OperatingSystem>,
    /// The kernel's release, as `uname -r` prints it.
    pub kernel_release: Option<String>,
    /// Whether `/dev/dxg` is there: the GPU belongs to a Windows host (WSL), which pages its memory as it
    /// sees fit.
    pub dxg_device: Option<bool>,
    /// The variables of the environment that change where GPU memory comes from or who sees it: those of
    /// [`EnvironmentVariable::WATCHED`] that are set. `None` where the environment was not looked at.
    pub environment: Option<Vec<EnvironmentVariable>>,
    /// Whether a control daemon of the Multi-Process Service answers where this process would look for it.
    pub mps_daemon: Option<bool>,
    /// Whether the kernel module for unified memory manages host pages for the GPU: the opposite of
    /// `/sys/module/nvidia_uvm/parameters/uvm_disable_hmm`.
    pub heterogeneous_memory_management: Option<bool>,
    /// `RLIMIT_CORE`, the soft limit, in bytes; `u64::MAX` is "no limit".
    pub core_limit: Option<u64>,
    /// `/proc/sys/kernel/core_pattern`. A program behind `|`, or a socket behind `@`, gets core dumps whatever
    /// the limit is, 0 included; for a program the kernel makes an exception where the limit is 1.
    pub core_pattern: Option<String>,
    /// Whether the kernel makes core dumps of this process at all (`PR_GET_DUMPABLE` is not 0: with 2 they are
    /// made, for root).
    pub dumpable: Option<bool>,
    /// `/proc/sys/kernel/yama/ptrace_scope`: 0 lets every process of the same user trace this one, 3 nobody.
    /// `None` where the kernel has no Yama.
    pub ptrace_scope: Option<u32>,
    /// Whether a process traces this one now (`TracerPid` in `/proc/self/status` is not 0).
    pub traced: Option<bool>,
}

/// An operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OperatingSystem {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
    /// Another.
    Other,
}

/// A variable of the environment that bears on where memory comes from, or on who sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentVariable {
    /// Its name: one of [`WATCHED`](Self::WATCHED).
    pub name: String,
    /// Its value.
    pub value: String,
}

impl EnvironmentVariable {
    /// The variables that are looked at. No other is read, so that no report can carry a secret away.
    pub const WATCHED: &'static [&'static str] = &[
        "CUDA_COREDUMP_FILE",
        "CUDA_COREDUMP_GENERATION_FLAGS",
        "CUDA_COREDUMP_PIPE",
        "CUDA_DEVICE_ORDER",
        "CUDA_ENABLE_COREDUMP_ON_EXCEPTION",
        "CUDA_ENABLE_CPU_COREDUMP_ON_EXCEPTION",
        "CUDA_ENABLE_LIGHTWEIGHT_COREDUMP",
        "CUDA_ENABLE_USER_TRIGGERED_COREDUMP",
        "CUDA_INJECTION32_PATH",
        "CUDA_INJECTION64_PATH",
        "CUDA_MANAGED_FORCE_DEVICE_ALLOC",
        "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE",
        "CUDA_MPS_LOG_DIRECTORY",
        "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT",
        "CUDA_MPS_PIPE_DIRECTORY",
        "CUDA_VISIBLE_DEVICES",
        "GGML_CUDA_ENABLE_UNIFIED_MEMORY",
        "LD_AUDIT",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "NVIDIA_VISIBLE_DEVICES",
        "PYTORCH_ALLOC_CONF",
        "PYTORCH_CUDA_ALLOC_CONF",
        "TF_FORCE_UNIFIED_MEMORY",
        "XLA_PYTHON_CLIENT_ALLOCATOR",
    ];
}
