//! Where lines go.

use std::io;

/// Something that keeps a trail's bytes: files on a disk, or what stands for them in a test.
///
/// A trail calls it from one thread at a time. After its first error it is never called again.
pub trait Store: Send {
    /// Adds all of these bytes at the end of the present file.
    ///
    /// # Errors
    /// What the system says; how much was added is then unknown.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns once everything that was added outlasts a loss of power.
    ///
    /// # Errors
    /// What the system says; what is kept is then unknown.
    fn sync(&mut self) -> io::Result<()>;

    /// Goes on in a new, empty file with this number. The first file's is 0.
    ///
    /// # Errors
    /// What the system says.
    fn next_file(&mut self, number: u32) -> io::Result<()>;
}
