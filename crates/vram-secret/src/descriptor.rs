//! Secrets from a file descriptor that this process was given.

use std::fs::File;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};

use crate::{Error, Result, SecretBytes};

impl SecretBytes {
    /// All that comes from a file descriptor which the process inherited, to its end.
    ///
    /// Nothing is taken over but what it holds: what is read and closed here is a duplicate, the descriptor itself stays
    /// open and its owner's. It is marked to be closed when this process executes another program.
    ///
    /// Only what was inherited is read. What a program opens for itself, Rust's standard library among others, has the
    /// mark `FD_CLOEXEC`, and no descriptor with that mark survives the start of a program: so one that has it is
    /// somebody's in this process, or was read before, and is refused. Code that opens descriptors without the mark is
    /// not told apart by this: read secrets before any of it runs. Descriptors 1 and 2 are refused too: they are the
    /// output.
    ///
    /// # Errors
    /// [`Error::Descriptor`] for one that is not open, or negative, or 1, or 2, or was not inherited; otherwise as
    /// [`read_from`](Self::read_from).
    pub fn read_from_descriptor(descriptor: RawFd, limit: usize) -> Result<Self> {
        let refused = |source| Error::Descriptor { descriptor, source };
        if descriptor < 0 || descriptor == 1 || descriptor == 2 {
            return Err(refused(std::io::ErrorKind::InvalidInput.into()));
        }
        // SAFETY: the number is not -1. It is used for calls of `fcntl` alone, which refuse a number that is not open
        // and neither close nor read anything. What somebody in this process opened is refused before it is
        // duplicated, by its mark; what is left was open before the process started, and what reads it is a duplicate
        // that is owned here.
        let inherited = unsafe { BorrowedFd::borrow_raw(descriptor) };
        let marks = fcntl_getfd(inherited).map_err(|error| refused(error.into()))?;
        if marks.contains(FdFlags::CLOEXEC) {
            let what = "it was opened in this process, or read before";
            return Err(refused(std::io::Error::new(
                std::io::ErrorKind::PermissionDenied,
                what,
            )));
        }
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

    /// Makes a descriptor what one is that was there before this process.
    fn inherit(descriptor: &impl std::os::fd::AsFd) {
        fcntl_setfd(descriptor, FdFlags::empty()).unwrap();
    }

    #[test]
    fn what_was_opened_in_this_process_or_read_before_is_refused_and_not_read() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a file of somebody else's").unwrap();
        file.rewind().unwrap();
        let read = || SecretBytes::read_from_descriptor(file.as_raw_fd(), 64);

        let refused = read().unwrap_err();

        assert!(refused.to_string().contains("in this process"), "{refused}");
        assert_eq!((&file).stream_position().unwrap(), 0);
        inherit(&file);
        read().unwrap();
        assert!(read().unwrap_err().to_string().contains("read before"));
    }

    #[test]
    fn an_open_descriptor_is_read_to_its_end_and_stays_open() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"secret").unwrap();
        drop(writer);
        inherit(&reader);
        let secret = SecretBytes::read_from_descriptor(reader.as_raw_fd(), 6).unwrap();
        assert_eq!(secret.expose().unwrap(), b"secret");
        let flags = fcntl_getfd(&reader).unwrap();
        assert!(flags.contains(FdFlags::CLOEXEC));

        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"1234567").unwrap();
        file.rewind().unwrap();
        inherit(&file);
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
