//! The `vram` command.

fn main() {}
