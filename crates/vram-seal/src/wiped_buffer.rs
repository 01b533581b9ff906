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
        Self {
            bytes: vec![0; capacity].into_boxed_slice(),
            filled: 0,
            used: 0,
        }
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

    fn wipe(&mut self) {
        self.bytes
            .get_mut(..self.used)
            .unwrap_or_default()
            .zeroize();
        #[cfg(test)]
        tests::WIPED.set(self.used);
    }

    /// A reader may claim more than it was given room for: that is capped.
    fn advance(&mut self, by: usize) {
        self.filled = self.filled.saturating_add(by).min(self.bytes.len());
        self.used = self.used.max(self.filled);
    }
}

impl Drop for WipedBuffer {
    fn drop(&mut self) {
        self.wipe();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// How many bytes were wiped last: what was freed can't be looked at.
        pub(super) static WIPED: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn what_is_dropped_is_wiped_as_far_as_it_was_ever_used() {
        let mut buffer = WipedBuffer::new(8);
        assert_eq!(buffer.capacity(), 8);
        buffer.take_from(b"secret");
        buffer.clear();
        buffer.take_from(b"x");

        drop(buffer);

        assert_eq!(WIPED.get(), 6);
    }

    #[test]
    fn it_takes_what_fits_and_gives_back_the_rest() {
        let mut buffer = WipedBuffer::new(4);
        assert_eq!(buffer.take_from(b"abc"), b"");
        assert!(!buffer.is_full());
        assert_eq!(buffer.take_from(b"defg"), b"efg");
        assert!(buffer.is_full());
        assert_eq!(buffer.take_from(b"h"), b"h");
        assert_eq!(buffer.filled(), b"abcd");
        buffer.clear();
        assert_eq!(buffer.filled(), b"");
        buffer.take_from(b"xy");
        assert_eq!(buffer.filled(), b"xy");
    }

    #[test]
    fn it_remembers_how_much_is_to_be_wiped() {
        let mut buffer = WipedBuffer::new(8);
        buffer.take_from(b"secret");
        buffer.clear();
        buffer.take_from(b"x");
        assert_eq!(buffer.used, 6);
    }

    #[test]
    fn wiping_leaves_zeros() {
        let mut buffer = WipedBuffer::new(8);
        buffer.take_from(b"secret");
        buffer.wipe();
        assert_eq!(*buffer.bytes, [0; 8]);
    }

    #[test]
    fn short_and_interrupted_reads_fill_it_all_the_same() {
        /// One byte at a time, every other time interrupted.
        struct Halting(u8);
        impl Read for Halting {
            fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                if self.0.is_multiple_of(2) {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                room[0] = self.0;
                Ok(1)
            }
        }
        let mut buffer = WipedBuffer::new(3);
        buffer.fill_from(&mut Halting(0)).unwrap();
        assert_eq!(buffer.filled(), [1, 3, 5]);
    }

    #[test]
    fn a_reader_that_claims_too_much_is_not_believed() {
        struct Lying;
        impl Read for Lying {
            fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
                Ok(room.len() + 100)
            }
        }
        let mut buffer = WipedBuffer::new(3);
        buffer.fill_from(&mut Lying).unwrap();
        assert_eq!(buffer.filled().len(), 3);
    }
}
