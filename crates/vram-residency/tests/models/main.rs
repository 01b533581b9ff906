//! A manager's stop, its keys, its ids and its staging under interleavings of threads, over the simulated driver:
//! `cargo xtask models`.
//!
//! What runs is the manager and the allocator that ship; only what threads share is Shuttle's (`src/sync.rs` of both).
#![cfg(all(test, shuttle))]

mod explore;
mod rig;
mod rotating;
mod sealing;
mod stopping;
