//! Witness of the machine: what NVIDIA's management library, the operating system and the process itself
//! say, as the facts that [`vram_policy`] judges.
//!
//! The CUDA driver says what a device is and what a region of its memory is. It doesn't say whether a row of
//! that memory failed last night, who else has the card open, or whether a crash would write this process to a
//! disk. A [`Witness`] does. This crate decides nothing: facts go from here to a policy.
//!
//! ```
//! use vram_observe::{Card, ThisMachine, Witness};
//!
//! let machine = ThisMachine::new();
//!
//! let host = machine.host();
//! println!("kernel {:?}, core dumps up to {:?} bytes", host.kernel_release, host.core_limit);
//!
//! // A card is named as the CUDA driver names it.
//! let card = Card { uuid: [0x11; 16], pci_bus_id: None };
//! let facts = machine.management(&card);
//!
//! // There is no such card here. So nothing is known of it, least of all that it is sound.
//! assert!(facts.unavailable.is_some());
//! assert_eq!(facts.ecc.uncorrected, None);
//! ```
//!
//! # What can be relied on
//!
//! - **Unknown stays unknown.** What can't be read, makes no sense, or is refused is `None`. There are no
//!   defaults. Where the whole library is missing, or doesn't know the card,
//!   [`unavailable`](vram_policy::ManagementFacts::unavailable) says why; the reason of every single answer that
//!   was refused is in the log, at level `debug`.
//! - **Every call looks anew.** Counters that rise and processes that come are seen at the next call.
//! - **Nothing is needed to build or to start.** The management library is loaded when it is first asked, and a
//!   machine without it can be asked again.
//! - **Little is read.** Of the environment the names in
//!   [`EnvironmentVariable::WATCHED`](vram_policy::EnvironmentVariable::WATCHED) and no other, so that no report
//!   carries a secret. Of other processes their names, with control characters taken out. Of files 64 KiB.
//!
//! # Where each fact comes from
//!
//! | fact | where it is read |
//! | --- | --- |
//! | kernel, core pattern, tracer, Yama's scope | `/proc/sys/kernel/{osrelease,core_pattern,yama/ptrace_scope}`, `/proc/self/status` |
//! | Windows host | `/dev/dxg` |
//! | core limit, dumpable | `getrlimit(RLIMIT_CORE)`, `prctl(PR_GET_DUMPABLE)` |
//! | host pages managed for the GPU | `/sys/module/nvidia_uvm/parameters/uvm_disable_hmm` |
//! | daemon of the Multi-Process Service | `control` and `nvidia-cuda-mps-control.pid` in `$CUDA_MPS_PIPE_DIRECTORY`, or `/tmp/nvidia-mps`, and the process that the second names |
//! | everything of a card | the function of `libnvidia-ml.so.1` that [`ManagementFacts`](vram_policy::ManagementFacts) names |
//!
//! A card is found by its UUID, as a whole card or as a MIG slice, and failing that by its address on the bus.
//! Of a slice its card's health is told, and its own processes.
//!
//! # What can't be seen from here
//!
//! - A process in a container sees the processes of its own namespace; how the driver counts those outside is
//!   the driver's business. A process id that means nothing here is listed without a name.
//! - What a control daemon left behind can't be told from one in another container: that is unknown.
//! - The environment is the one that the process has now. What the CUDA driver read when it started may have
//!   been another.
//! - A hostile kernel or driver says what it likes.
//!
//! # Closing the process
//!
//! [`harden`] switches core dumps and tracing off for the process that calls it: the one thing here that changes
//! anything, for programs to call at their start.
//!
//! # Standing in for the library
//!
//! [`Management`] is the library as narrow as it is needed. [`ManagementLibrary`] is NVIDIA's; `vram-sim` has one
//! in software that can fail at any function, and machines of many kinds. [`management_facts`] makes facts of
//! either.

#![forbid(unsafe_code)]

mod error;
mod function;
mod gather;
mod hardening;
mod host;
mod management;
mod nvml;
mod this_machine;
mod witness;

pub use crate::error::{Answer, Error};
pub use crate::function::ManagementFunction;
pub use crate::gather::{Processes, card_attestation, confidential_settings, management_facts};
pub use crate::hardening::{Hardening, harden};
pub use crate::management::{
    CardAttestation, ConfidentialSettings, EccCounter, EccMode, ManagedCard, Management,
    RunningProcess,
};
pub use crate::nvml::ManagementLibrary;
pub use crate::this_machine::ThisMachine;
pub use crate::witness::{Card, Witness};
