//! The CUDA driver API, raw: types and constants as `cuda.h` has them, and one table of function
//! pointers, filled from `libcuda` at run time.
//!
//! Nothing here needs CUDA to build or to start. A program that links this crate runs on a machine
//! without a GPU, asks [`Driver::load`] for the driver, and gets a clear [`LoadError`] there.
//!
//! This crate turns nothing into a `Result` and owns nothing but the loaded library: calling
//! through the table is `unsafe`, and what each function demands is in NVIDIA's documentation of
//! the function of that name. Safe memory is the work of `vram-alloc`.
//!
//! The same table can be filled by something else than `libcuda`, as `vram-sim` does in software.
//! Code above the table is then exactly the code that runs on a GPU; where the table came from is
//! its [`Origin`], and everything that shows results shows that too.
//!
//! ```
//! use vram_sys::{CUresult, Driver, LoadError};
//!
//! match Driver::load() {
//!     Ok(driver) => {
//!         let mut version = 0;
//!         // SAFETY: cuDriverGetVersion writes one int, and the pointer is to one.
//!         let result = unsafe { (driver.table().cuDriverGetVersion)(&mut version) };
//!         assert_eq!(result, CUresult::CUDA_SUCCESS);
//!         println!("CUDA driver {}.{}", version / 1000, version % 1000 / 10);
//!     }
//!     Err(LoadError::LibraryNotFound { .. }) => println!("no NVIDIA driver on this machine"),
//!     Err(other) => println!("{other}"),
//! }
//! ```
//!
//! # The management library
//!
//! Two things that only `libnvidia-ml` knows, and that no crate offers through safe functions, are asked
//! through [`Nvml`]: remapped rows, and the chip-to-chip link.
//!
//! # The kernel's own measurement
//!
//! [`measure_verity`] is not CUDA's either: it asks Linux for the fs-verity digest of a file, with the one `unsafe`
//! that an `ioctl` takes, so that the crates above need none.
//!
//! # Bindings
//!
//! Types, constants and every function's signature are generated from the header of CUDA 13.0 by
//! `cargo xtask bindings`. Functions newer than the oldest supported driver, R525 (CUDA 12.0), are
//! `Option`s in the [`Table`]; the macro [`driver_functions`] lists them all for whoever fills one.

mod driver;
mod fs_verity;
mod load;
mod nvml;
mod table;

#[path = "generated/functions.rs"]
mod functions;

#[path = "generated/types.rs"]
#[expect(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "generated: the names are the header's, and NVIDIA's documentation is theirs"
)]
mod types;

pub use driver::{Driver, Origin};
pub use fs_verity::{KernelMeasurement, measure_verity};
pub use load::LoadError;
pub use nvml::{Nvml, NvmlError, RemappedRows};
pub use table::{Function, Table};
pub use types::*;
