//! Witness of the machine: what NVIDIA's management library, the operating system and the process itself
//! say, as the facts that [`vram_policy`] judges.

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
pub use crate::gather::{Processes, management_facts};
pub use crate::hardening::{Hardening, harden};
pub use crate::management::{
    ConfidentialSettings, EccCounter, EccMode, ManagedCard, Management, RunningProcess,
};
pub use crate::nvml::ManagementLibrary;
pub use crate::this_machine::ThisMachine;
pub use crate::witness::{Card, Witness};
