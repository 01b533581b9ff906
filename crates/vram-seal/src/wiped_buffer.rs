//! A buffer of fixed size whose contents don't outlive it.

use std::io::{self, Read};

use zeroize::Zeroize;

/// Room for model bytes on their way, filled from the front and wiped on drop.
///
/// The room is taken once and never moves, so no unwiped copy is left behind by growing.
/// Only what was ever filled is wiped: the rest was never touched.
#[derive(Default)]
pub(crate) struct WipedBuffer {
    bytes: Box<[u8]>,
    filled: usize,
    /// The furthest that `filled` ever came.
    used: usize,
}

impl WipedBuffer {
    /// An empty buffer with room for `capacity` bytes.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { bytes: vec![0; capacity].into_boxed_slice(), filled: 0, used: 0 }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }

    pub(crate) fn filled(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    /// Forgets what is in it, so that it can be filled again.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    /// Takes as much of `data` as there is room for; returns the rest.
    pub(crate) fn take_from<'d>(&mut self, data: &'d [u8]) -> &'d [u8] {
        let room = self.bytes.get_mut(self.filled..).unwrap_or_default();
        let (taken, rest) = data.split_at(room.len().min(data.len()));
        if let Some(room) = room.get_mut(..taken.len()) {
            room.copy_from_slice(taken);
        }
        self.advance(taken.len());
        rest
    }

    /// Reads until the buffer is full or the reader at its end.
    ///
    /// On an error, what had been read by then counts as filled.
    pub(crate) fn fill_from(&mut self, reader: &mut impl Read) -> io::Result<()> {
        while !self.is_full() {
            let room = self.bytes.get_mut(self.filled..).unwrap_or_default();
            match reader.read(room) {
                Ok(0) => break,
                Ok(read) => self.advance(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// A reader may claim more than it was given room for: that is capped.
    fn advance(&mut self, by: usize) {
        self.filled = self.filled.saturating_add(by).min(self.bytes.len());
        self.used = self.used.max(self.filled);
    }
}

impl Drop for WipedBuffer {
    fn drop(&mut self) {
        self.bytes.get_mut(..self.used).unwrap_or_default().zeroize();
    }
}
