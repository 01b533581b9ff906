//! The simulated driver against NVIDIA's documentation of the real one, through the raw table alone.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests compute on known values"
)]

// Each module is under `cfg(test)` so that the lints see a test's code in it.
#[cfg(test)]
#[macro_use]
mod rig;

#[cfg(test)]
mod accounting;
#[cfg(test)]
mod contexts;
#[cfg(test)]
mod copies;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod inspection;
#[cfg(test)]
mod kernels;
#[cfg(test)]
mod loss;
#[cfg(test)]
mod machines;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod pointers;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod virtual_memory;
