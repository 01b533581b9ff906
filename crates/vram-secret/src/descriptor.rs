//! Secrets from a file descriptor that this process was given.

use std::fs::File;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use crate::{Error, Result, SecretBytes};

impl SecretBytes {
    /// All that comes from a file descriptor which the process inherited, to its end.
    ///
    /// The descriptor stays open, and is marked to be closed when this process executes another program. Descriptors 1
    /// and 2 are refused: they are the output.
    ///
    /// # Errors
    /// [`Error::Descriptor`] for one that is not open, or negative, or 1, or 2; otherwise as
    /// [`read_from`](Self::read_from).
    pub fn read_from_descriptor(descriptor: RawFd, limit: usize) -> Result<Self> {
        let refused = |source| Error::Descriptor { descriptor, source };
        if descriptor < 0 || descriptor == 1 || descriptor == 2 {
            return Err(refused(std::io::ErrorKind::InvalidInput.into()));
        }
        // SAFETY: the number is not -1. It is used for two calls of `fcntl`, which refuse a number that is not open
        // and neither close nor read anything; what reads is a duplicate that is owned here. A number that another
        // thread closes and reuses in between would be duplicated or refused, with no memory at stake.
        let inherited = unsafe { BorrowedFd::borrow_raw(descriptor) };
        let own = fcntl_dupfd_cloexec(inherited, 3).map_err(|error| refused(error.into()))?;
        fcntl_setfd(inherited, FdFlags::CLOEXEC).map_err(|error| refused(error.into()))?;
        Self::read_from(&mut File::from(own), limit)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn an_open_descriptor_is_read_to_its_end_and_stays_open() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"secret").unwrap();
        drop(writer);
        let secret = SecretBytes::read_from_descriptor(reader.as_raw_fd(), 6).unwrap();
        assert_eq!(secret.expose().unwrap(), b"secret");
        let flags = rustix::io::fcntl_getfd(&reader).unwrap();
        assert!(flags.contains(FdFlags::CLOEXEC));

        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"1234567").unwrap();
        file.rewind().unwrap();
        let refused = SecretBytes::read_from_descriptor(file.as_raw_fd(), 6);
        assert!(matches!(refused, Err(Error::TooLong { limit: 6 })));
    }

    #[test]
    fn what_is_not_open_or_is_the_output_is_refused() {
        for descriptor in [-1, 1, 2, 1_000_000, RawFd::MIN, RawFd::MAX] {
            let refused = SecretBytes::read_from_descriptor(descriptor, 6).unwrap_err();
            assert!(
                matches!(refused, Error::Descriptor { descriptor: found, .. } if found == descriptor),
                "{refused}"
            );
        }
    }
}
