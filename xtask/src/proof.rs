//! `cargo xtask proof-bundle`: one command runs every test, and what it writes is the evidence.

pub(crate) mod figures;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod model;
pub(crate) mod page;
