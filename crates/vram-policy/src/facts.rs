//! What was observed, as plain data. `None` always means "could not be observed".

mod device;
mod host;
mod management;
mod memory_kind;
mod region;

pub use device::DeviceFacts;
pub use host::{EnvironmentVariable, HostFacts, OperatingSystem};
pub use management::{
    ComputeMode, ConfidentialCompute, DriverModel, EccFacts, LinkFacts, ManagementFacts,
    ProcessFacts, ProcessKind, RowRemapping, Virtualization,
};
pub use memory_kind::MemoryKind;
pub use region::{Access, RegionFacts};
