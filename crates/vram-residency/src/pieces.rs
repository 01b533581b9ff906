//! Hashing bytes in pieces of one size, as a manifest of file shards lists them.

use std::num::NonZeroU64;

use ring::digest::{Context, SHA256};
use vram_seal::Digest;

/// Takes bytes in, in order, and hashes each piece of them.
pub(crate) struct PieceDigester {
    piece_size: NonZeroU64,
    /// What the piece at hand still takes.
    room: u64,
    context: Context,
    digests: Vec<Digest>,
}

impl PieceDigester {
    pub(crate) fn new(piece_size: NonZeroU64) -> Self {
        Self {
            piece_size,
            room: piece_size.get(),
            context: Context::new(&SHA256),
            digests: Vec::new(),
        }
    }

    pub(crate) fn update(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let room = usize::try_from(self.room).unwrap_or(usize::MAX);
            let (now, later) = data.split_at(room.min(data.len()));
            self.context.update(now);
            let taken = u64::try_from(now.len()).unwrap_or(u64::MAX);
            self.room = self.room.saturating_sub(taken);
            if self.room == 0 {
                self.close();
            }
            data = later;
        }
    }

    /// The digests of all pieces, the last one being what is left.
    pub(crate) fn finish(mut self) -> Vec<Digest> {
        if self.room < self.piece_size.get() {
            self.close();
        }
        self.digests
    }

    fn close(&mut self) {
        let context = std::mem::replace(&mut self.context, Context::new(&SHA256));
        let mut digest = [0; 32];
        // SHA-256 gives 32 bytes, so the lengths agree.
        digest.copy_from_slice(context.finish().as_ref());
        self.digests.push(Digest::from_bytes(digest));
        self.room = self.piece_size.get();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_cut_wherever_the_bytes_were() {
        let bytes: Vec<u8> = (0..=255).collect();
        for (len, size) in [
            (0, 7),
            (1, 7),
            (6, 7),
            (7, 7),
            (8, 7),
            (14, 7),
            (256, 7),
            (256, 256),
            (256, 300),
            (9, 1),
        ] {
            let expected: Vec<_> = bytes[..len].chunks(size).map(Digest::of).collect();
            for fed in [1, 3, 7, 300] {
                let size = NonZeroU64::new(u64::try_from(size).unwrap()).unwrap();
                let mut hasher = PieceDigester::new(size);
                for data in bytes[..len].chunks(fed) {
                    hasher.update(data);
                }
                assert_eq!(
                    hasher.finish(),
                    expected,
                    "{len} bytes by {size}, fed by {fed}"
                );
            }
        }
    }
}
