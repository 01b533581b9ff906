//! Bundles that the package `model-signing` made, and statements that it would never make.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests compute on known values, and a panic is how they fail"
)]

mod certificates;
mod hostile;
mod keys;
mod statements;
mod vectors;
