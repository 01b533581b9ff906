//! Hashing a file by its name.

use std::ffi::OsStr;
use std::fs::File;
use std::io;

use vram_seal::{HashPlan, Salt, ShardDigests, hash_reader};

/// Hashes a file, or standard input for `-`.
pub(super) fn hash(name: &OsStr, plan: HashPlan, salt: &Salt) -> io::Result<ShardDigests> {
    let hashed = if name == "-" {
        hash_reader(io::stdin().lock(), plan, salt)
    } else {
        hash_reader(File::open(name)?, plan, salt)
    };
    hashed.map_err(|error| match error {
        vram_seal::Error::Read { source, .. } => source,
        other => io::Error::other(other),
    })
}
