//! The `vram` command as its users meet it: arguments in; stdout, stderr and an exit code out.
//!
//! Everything runs on the simulated device, asked for by name where the choice itself isn't tested,
//! so that the outcome is the same on a machine with a GPU.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests compute on known values, and fail by panicking"
)]

mod audit;
mod bench;
mod check;
mod choice;
mod devices;
mod digest;
mod doctor;
mod drill;
mod evidence;
mod fleet;
mod help;
#[cfg(unix)]
mod hold;
mod json;
#[cfg(unix)]
mod kernel;
mod keys;
#[cfg(unix)]
mod killed;
mod model;
#[cfg(unix)]
mod operations;
mod refusals;
mod run;
mod seal;
mod secrets;
mod sets;
#[cfg(unix)]
mod signed;
#[cfg(unix)]
mod sources;
mod streams;
