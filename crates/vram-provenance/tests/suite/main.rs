//! Bundles that the package `model-signing` made, and statements that it would never make.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests compute on known values, and a panic is how they fail"
)]

mod certificates;
#[cfg(unix)]
mod checksums;
mod hostile;
mod keys;
mod statements;
mod vectors;
