//! The digest that the kernel keeps of a file with fs-verity (`FS_IOC_MEASURE_VERITY` and
//! `FS_IOC_READ_VERITY_METADATA` in `Documentation/filesystems/fsverity.rst`).

use std::fs::File;
use std::io;

/// What the kernel holds a file to: from when fs-verity was enabled on it, every page read from it is checked against
/// this digest, and a page that isn't as it was can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KernelMeasurement {
    /// The file's fs-verity digest, of SHA-256. What `fsverity measure` prints, and `fsverity digest` if the file has
    /// blocks of 4096 bytes and no salt. A file known to have others is an [`OtherTree`](Self::OtherTree); before Linux
    /// 5.12, and in file systems that don't hand out a file's descriptor (btrfs), the kernel doesn't say.
    Sha256([u8; 32]),
    /// The file is measured with SHA-256, but its tree has blocks of another size than 4096 bytes, or a salt: its digest
    /// is not that of the content alone.
    OtherTree {
        /// The size of the tree's blocks, as the power of two that it is.
        log2_block_size: u8,
        /// The salt's length in bytes.
        salt_len: u8,
    },
    /// The file is measured with another algorithm, of this number in `linux/fsverity.h`.
    Other(u16),
}

/// Asks the kernel for a file's measurement. `None` if the file has none: fs-verity is not enabled on it, or its file
/// system or the kernel can't.
///
/// # Errors
///
/// The system's, for anything else, and for an answer that makes no sense.
#[cfg(target_os = "linux")]
pub fn measure_verity(file: &File) -> io::Result<Option<KernelMeasurement>> {
    linux::measure(file)
}

/// There is fs-verity on Linux only.
///
/// # Errors
///
/// None.
#[cfg(not(target_os = "linux"))]
pub fn measure_verity(_: &File) -> io::Result<Option<KernelMeasurement>> {
    Ok(None)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io;

    use rustix::io::Errno;
    use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

    use super::KernelMeasurement;

    /// `FS_VERITY_HASH_ALG_SHA256`.
    const SHA256: u16 = 1;
    /// Room for the longest digest, SHA-512's.
    const ROOM: usize = 64;
    /// The length of `struct fsverity_descriptor`, without the signature that may follow it.
    pub(super) const DESCRIPTOR_LEN: usize = 256;

    /// `struct fsverity_digest`, with room behind it.
    #[repr(C)]
    struct FsverityDigest {
        digest_algorithm: u16,
        /// In: the room. Out: the digest's length.
        digest_size: u16,
        digest: [u8; ROOM],
    }
    /// `_IOWR('f', 134, struct fsverity_digest)`: the struct without the room has 4 bytes.
    const FS_IOC_MEASURE_VERITY: Opcode = opcode::read_write::<[u16; 2]>(b'f', 134);

    /// `struct fsverity_read_metadata_arg`.
    #[repr(C)]
    struct ReadMetadata {
        metadata_type: u64,
        offset: u64,
        length: u64,
        /// Where the kernel writes to.
        buf_ptr: u64,
        reserved: u64,
    }
    /// `FS_VERITY_METADATA_TYPE_DESCRIPTOR`.
    const DESCRIPTOR: u64 = 2;
    /// `_IOWR('f', 135, struct fsverity_read_metadata_arg)`.
    const FS_IOC_READ_VERITY_METADATA: Opcode = opcode::read_write::<ReadMetadata>(b'f', 135);

    pub(super) fn measure(file: &File) -> io::Result<Option<KernelMeasurement>> {
        let mut answer = FsverityDigest {
            digest_algorithm: 0,
            digest_size: 64,
            digest: [0; ROOM],
        };
        // SAFETY: the opcode is that of FS_IOC_MEASURE_VERITY, which reads and writes a struct fsverity_digest followed
        // by at most digest_size bytes; the struct here has its layout (repr(C), two u16 and bytes) and that much room.
        let request = unsafe { Updater::<FS_IOC_MEASURE_VERITY, _>::new(&mut answer) };
        // SAFETY: the request is the one that the opcode demands, made above, and lives as long as the call.
        match unsafe { ioctl(file, request) } {
            Ok(()) => {}
            Err(Errno::NODATA | Errno::NOTTY | Errno::OPNOTSUPP) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if answer.digest_algorithm != SHA256 {
            return Ok(Some(KernelMeasurement::Other(answer.digest_algorithm)));
        }
        let digest = match answer.digest.first_chunk() {
            Some(digest) if answer.digest_size == 32 => *digest,
            _ => {
                return Err(io::Error::other(
                    "the kernel measured SHA-256 of another length than 32 bytes",
                ));
            }
        };
        let other = match descriptor(file)? {
            Some(descriptor) => other_tree(&descriptor)?,
            None => None,
        };
        Ok(Some(other.unwrap_or(KernelMeasurement::Sha256(digest))))
    }

    /// What the file's digest is the hash of, where the kernel and the file system hand it out.
    fn descriptor(file: &File) -> io::Result<Option<[u8; DESCRIPTOR_LEN]>> {
        let mut descriptor = [0_u8; DESCRIPTOR_LEN];
        let mut request = ReadMetadata {
            metadata_type: DESCRIPTOR,
            offset: 0,
            length: 256,
            buf_ptr: 0,
            reserved: 0,
        };
        request.buf_ptr =
            u64::try_from(descriptor.as_mut_ptr().expose_provenance()).map_err(io::Error::other)?;
        // SAFETY: the opcode is that of FS_IOC_READ_VERITY_METADATA, which reads a struct fsverity_read_metadata_arg
        // (repr(C), five u64) and writes at most `length` bytes to `buf_ptr`: the 256 bytes of `descriptor`, which isn't
        // touched again until the call is over.
        let updater = unsafe { Updater::<FS_IOC_READ_VERITY_METADATA, _>::new(&mut request) };
        // SAFETY: the request is the one that the opcode demands, made above; it and what it points to live as long as
        // the call.
        match unsafe { ioctl(file, updater) } {
            Ok(()) => Ok(Some(descriptor)),
            // Not an error of the file, which has just been measured: before Linux 5.12, or a file system without it.
            Err(Errno::NOTTY | Errno::OPNOTSUPP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// How the tree of a file measured with SHA-256 differs from one of blocks of 4096 bytes without a salt, if it does.
    pub(super) fn other_tree(
        descriptor: &[u8; DESCRIPTOR_LEN],
    ) -> io::Result<Option<KernelMeasurement>> {
        let [version, algorithm, log2_block_size, salt_len, ..] = *descriptor;
        if version != 1 || u16::from(algorithm) != SHA256 {
            return Err(io::Error::other(format!(
                "the kernel measured SHA-256, and its descriptor is of version {version} and algorithm {algorithm} \
                 instead of 1 and 1"
            )));
        }
        Ok(
            ((log2_block_size, salt_len) != (12, 0)).then_some(KernelMeasurement::OtherTree {
                log2_block_size,
                salt_len,
            }),
        )
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_file_without_fs_verity_has_no_measurement() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"bytes").unwrap();

        assert_eq!(measure_verity(&file).unwrap(), None);
    }

    #[test]
    fn a_file_that_can_not_be_asked_is_an_error_or_has_none() {
        // A folder is refused by some file systems and unknown to others; nothing is made up.
        let folder = tempfile::tempdir().unwrap();
        let opened = File::open(folder.path()).unwrap();

        let measured = measure_verity(&opened);

        assert!(!matches!(measured, Ok(Some(_))), "{measured:?}");
    }

    #[test]
    fn a_descriptor_says_which_tree_its_digest_is_of() {
        let descriptor = |head: [u8; 4]| {
            let mut bytes = [0; linux::DESCRIPTOR_LEN];
            bytes[..4].copy_from_slice(&head);
            linux::other_tree(&bytes)
        };

        assert_eq!(descriptor([1, 1, 12, 0]).unwrap(), None);
        for (log2_block_size, salt_len) in [(10, 0), (12, 8), (16, 32)] {
            let other = KernelMeasurement::OtherTree {
                log2_block_size,
                salt_len,
            };
            let found = descriptor([1, 1, log2_block_size, salt_len]).unwrap();
            assert_eq!(found, Some(other));
        }
        // One that was never written, one of a version to come, one of another algorithm than was measured.
        for head in [[0; 4], [2, 1, 12, 0], [1, 2, 12, 0]] {
            assert!(descriptor(head).is_err(), "{head:?}");
        }
    }

    /// What the kernel measures of a file of these bytes, on which fs-verity was enabled with these options, and the file;
    /// none if it can't be enabled here, which is shown. With `VRAM_REQUIRE_KERNEL_VERITY=1` that is a failure.
    #[expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    fn measured(
        test: &str,
        bytes: &[u8],
        options: &[&str],
    ) -> Option<(Option<KernelMeasurement>, tempfile::TempPath)> {
        // It can't be enabled on a file that somebody may write to: the path stays, its file is closed.
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        std::fs::write(&path, bytes).unwrap();
        let enabled = Command::new("fsverity")
            .arg("enable")
            .args(options)
            .arg(&path)
            .output();
        if !enabled.is_ok_and(|output| output.status.success()) {
            let required = std::env::var_os("VRAM_REQUIRE_KERNEL_VERITY").is_some();
            assert!(!required, "fs-verity can't be enabled with {options:?}");
            let line = format!("SKIPPED {test}: fs-verity can't be enabled here\n");
            io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        }
        let measured = measure_verity(&File::open(&path).unwrap()).unwrap();
        Some((measured, path))
    }

    #[test]
    fn the_kernels_measurement_is_what_its_tool_prints() {
        let test = "the_kernels_measurement_is_what_its_tool_prints";
        for len in [0, 1, 4096, 10_000, 600_000] {
            let Some((measured, path)) = measured(test, &vec![7; len], &[]) else {
                return;
            };

            let digest = Command::new("fsverity")
                .arg("digest")
                .arg("--compact")
                .arg(&path)
                .output()
                .unwrap();
            let expected = String::from_utf8(digest.stdout).unwrap();
            let Some(KernelMeasurement::Sha256(bytes)) = measured else {
                panic!("{measured:?}")
            };
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected.trim(), "{len} bytes");
        }
    }

    #[test]
    fn a_salt_is_told_from_no_salt() {
        let test = "a_salt_is_told_from_no_salt";
        let Some((measured, _path)) = measured(test, &[7; 10_000], &["--salt=0102030405"]) else {
            return;
        };

        let salted = KernelMeasurement::OtherTree {
            log2_block_size: 12,
            salt_len: 5,
        };
        assert_eq!(measured, Some(salted));
    }

    #[test]
    fn blocks_of_another_size_are_told_from_those_of_4096_bytes() {
        // Linux has them since 6.3.
        let test = "blocks_of_another_size_are_told_from_those_of_4096_bytes";
        let Some((measured, _path)) = measured(test, &[7; 10_000], &["--block-size=1024"]) else {
            return;
        };

        let smaller = KernelMeasurement::OtherTree {
            log2_block_size: 10,
            salt_len: 0,
        };
        assert_eq!(measured, Some(smaller));
    }

    #[test]
    fn another_algorithm_is_told_by_its_number() {
        let test = "another_algorithm_is_told_by_its_number";
        let Some((measured, _path)) = measured(test, &[7; 10_000], &["--hash-alg=sha512"]) else {
            return;
        };

        assert_eq!(measured, Some(KernelMeasurement::Other(2)));
    }
}
