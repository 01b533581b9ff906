//! The books of the budget under interleavings of threads, over the simulated driver: `cargo xtask models`.
//!
//! What runs is the allocator that ships; only what threads share is Shuttle's (`src/sync.rs`).
#![cfg(all(test, shuttle))]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "tests compute on known values"
)]

mod budget;
mod explore;
