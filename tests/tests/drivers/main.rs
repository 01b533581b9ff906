//! One suite over both drivers: what the libraries promise of a device, asked of whichever
//! [`platforms`](subject::platforms) gives.
//!
//! `VRAM_TEST_DRIVER=simulated` (the default) makes simulated devices; `VRAM_TEST_DRIVER=gpu` takes
//! the machine's first GPU, and fails if there is none. The tests are the same. On a GPU they share
//! it, and its context, with each other and with whoever else uses it: what needs the device's memory
//! alone says so.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "tests compute on known values"
)]

mod allocation;
mod bounds;
mod capacity;
mod child;
mod concurrency;
mod content;
mod context;
mod copies;
mod external;
mod freezing;
mod kernels;
mod loss;
mod residency;
mod resources;
mod sealing;
mod subject;
mod wiping;
