//! The kernels, run on the CPU, against independent implementations, and what becomes of their faults.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "tests compute on known values"
)]

mod blocks;
mod digests;
mod faults;
mod memory;
mod messages;
mod probes;
mod reference;
mod tree;
