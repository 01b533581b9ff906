//! A simulated CUDA driver: it fills the function table of [`vram_sys`] in software.
//!
//! Code above the table runs as it does on a GPU, without one, and can be shown everything that a
//! GPU does rarely. It is meant for tests and for trying things out; what it reports was observed on
//! no GPU, and every driver made here says so ([`vram_sys::Origin::Simulated`]).
//!
//! A [`Machine`] is a computer with simulated GPUs and their driver. Machines know nothing of each
//! other; a test makes a fresh one, and tests run in parallel.
//!
//! ```
//! use vram_sim::{DeviceModel, Machine};
//! use vram_sys::{CUresult, Function};
//!
//! let machine = Machine::builder().device(DeviceModel::small(64 << 20)).build()?;
//! let driver = machine.driver();
//! let cuda = driver.table();
//!
//! // The driver behaves as NVIDIA documents it, and fails when it is told to.
//! machine.fail_nth(Function::cuInit, 1, CUresult::CUDA_ERROR_SYSTEM_NOT_READY);
//! // SAFETY: cuInit takes no pointer.
//! let first = unsafe { (cuda.cuInit)(0) };
//! // SAFETY: as above.
//! let second = unsafe { (cuda.cuInit)(0) };
//!
//! assert_eq!(first, CUresult::CUDA_ERROR_SYSTEM_NOT_READY);
//! assert_eq!(second, CUresult::CUDA_SUCCESS);
//! assert!(machine.live().is_empty());
//! # Ok::<(), vram_sim::SimError>(())
//! ```
//!
//! # What is like the chip
//!
//! - **Memory protection is real.** A device's memory is a file without a name, and device addresses
//!   are addresses of this process that pages of it are mapped to. `cuMemSetAccess` changes the
//!   pages' protection. A kernel that writes where it may not is stopped by the processor's memory
//!   management. Copies and fills into read-only memory are refused at the call, with
//!   `CUDA_ERROR_INVALID_VALUE`, and nothing else comes of them, as on an H100 under driver 580.
//! - **An illegal address loses the context.** From then on whatever uses the device answers the same
//!   error. NVIDIA says that only ending the process helps, so nothing else helps here: what the
//!   program held stays held until the [`Machine`] is gone.
//! - **Freed memory keeps its bytes**, and is the first to be handed out again. A missing wipe shows:
//!   [`Machine::physical_pages_containing`] searches all memory, released memory too.
//! - **Handles can't be confused.** They are never reused; one that was destroyed, or is of another
//!   kind, context or machine, gets the error that the driver gives.
//! - **Streams are in order and as late as they may be** ([`Execution::Lazy`]): what nobody waited
//!   for has not happened. Page-locked source buffers are read that late too. `cuMemUnmap` and
//!   `cuMemSetAccess` don't wait for queued work, since nothing promises that they do; freeing memory,
//!   unloading a module and unregistering do. `cuEventQuery` answers `CUDA_ERROR_NOT_READY` once
//!   before it finds the work done.
//! - **Kernels are the kernels**: launches run the CPU build of [`vram_kernels`]. A module is PTX text
//!   that has one of their names as an entry; other code can't be run, and is refused.
//! - **The null stream** takes turns with the other streams of its context, but for those created as
//!   non-blocking.
//!
//! # Beside the driver
//!
//! [`SimulatedManagement`] is NVIDIA's management library in software: it can fail at any function, what its
//! cards say can change at any time, and it counts what it is asked. [`SimulatedWitness`] adds a host to it.
//! [`fleet`] has machines of thirteen kinds, from a server to a Jetson, whose driver, library and host agree.
//!
//! # What is not
//!
//! - Device memory comes in pages of 2 MiB, for `cuMemAlloc` too, however little is asked for.
//! - A stream, event or module belongs to the device whose context was current when it was made, and
//!   is accepted while that context is current. The driver is more generous with some calls.
//! - There is no peer access: work of one device can't reach another's memory, even where
//!   `cuDeviceCanAccessPeer` is made to say that it could.
//! - A kernel's addresses are checked before it starts. If one isn't the device's at all, nothing of
//!   the launch happens.
//! - Nothing takes as long as on a GPU, so times mean nothing.
//!
//! The simulation needs Linux on a 64-bit processor. One process can have 64 machines at once.

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!(
    "vram-sim needs Linux on a 64-bit processor: simulated device memory is a memfd, mapped where \
     the kernels find it. Leave the crate out of builds for other systems"
);

mod address_space;
mod allocation;
mod answer;
mod context;
mod control;
mod device;
mod entry;
mod error;
mod error_names;
mod event;
mod extents;
mod faults;
pub mod fleet;
mod handle;
mod inspect;
mod launch;
mod machine;
mod management;
mod module;
mod physical;
mod pointer;
mod region;
mod slot;
mod state;
mod stream;
mod trampoline;
mod virtual_memory;
mod work;

pub use device::DeviceModel;
pub use error::SimError;
pub use faults::Call;
pub use inspect::{AllocationView, Live};
pub use machine::{Machine, MachineBuilder};
pub use management::{
    EccErrors, ManagedCardModel, ManagementFault, MigSliceModel, SimulatedManagement,
    SimulatedProcess, SimulatedWitness,
};
pub use region::{AllocationKind, Protection};
pub use stream::Execution;
