//! The `vram` command as its users meet it: arguments in; stdout, stderr and an exit code out.
//!
//! Everything runs on the simulated device, asked for by name where the choice itself isn't tested,
//! so that the outcome is the same on a machine with a GPU.

mod check;
mod choice;
mod devices;
mod digest;
mod drill;
mod help;
mod json;
mod model;
mod refusals;
mod run;
mod seal;
mod secrets;
mod streams;
