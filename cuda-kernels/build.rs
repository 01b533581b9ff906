//! Builds the kernels for the CPU.

fn main() {}
