//! Random bytes: scratch data, and the choice of a bit.

use std::io::{self, Read};

use ring::rand::{SecureRandom as _, SystemRandom};

/// Reads random bytes, without end.
#[derive(Debug)]
pub(super) struct Scratch(SystemRandom);

impl Scratch {
    pub(super) fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Read for Scratch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let filled = self.0.fill(buffer);
        filled.map_err(|_| io::Error::other("the system gave no random bytes"))?;
        Ok(buffer.len())
    }
}

/// A random number below `limit`, which is not 0. The tiny bias of the remainder doesn't matter to a
/// drill.
pub(super) fn below(limit: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    Scratch::new().read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes).checked_rem(limit).unwrap_or(0))
}
