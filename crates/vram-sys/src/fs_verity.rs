//! The digest that the kernel keeps of a file with fs-verity (`FS_IOC_MEASURE_VERITY` in
//! `Documentation/filesystems/fsverity.rst`).

use std::fs::File;
use std::io;

/// What the kernel holds a file to: from when fs-verity was enabled on it, every page read from it is checked against
/// this digest, and a page that isn't as it was can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KernelMeasurement {
    /// The file's fs-verity digest, of SHA-256. What `fsverity measure` prints, and `fsverity digest` if the file has
    /// blocks of 4096 bytes and no salt: the kernel doesn't say.
    Sha256([u8; 32]),
    /// The file is measured with another algorithm, of this number in `linux/fsverity.h`.
    Other(u16),
}

/// Asks the kernel for a file's measurement. `None` if the file has none: fs-verity is not enabled on it, or its file
/// system or the kernel can't.
///
/// # Errors
///
/// The system's, for anything else.
#[cfg(target_os = "linux")]
pub fn measure_verity(file: &File) -> io::Result<Option<KernelMeasurement>> {
    use rustix::io::Errno;
    use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

    /// `FS_VERITY_HASH_ALG_SHA256`.
    const SHA256: u16 = 1;
    /// Room for the longest digest, SHA-512's.
    const ROOM: usize = 64;

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

    let mut answer = FsverityDigest {
        digest_algorithm: 0,
        digest_size: 64,
        digest: [0; ROOM],
    };
    // SAFETY: the opcode is that of FS_IOC_MEASURE_VERITY, which reads and writes a struct fsverity_digest followed by
    // at most digest_size bytes; the struct here has its layout (repr(C), two u16 and bytes) and that much room.
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
    match answer.digest.first_chunk() {
        Some(digest) if answer.digest_size == 32 => Ok(Some(KernelMeasurement::Sha256(*digest))),
        _ => Err(io::Error::other(
            "the kernel measured SHA-256 of another length than 32 bytes",
        )),
    }
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
    fn the_kernels_measurement_is_what_its_tool_prints() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [7; 10_000]).unwrap();
        let enabled = Command::new("fsverity")
            .arg("enable")
            .arg(file.path())
            .output();
        if !enabled.is_ok_and(|output| output.status.success()) {
            let line = "SKIPPED the_kernels_measurement_is_what_its_tool_prints: fs-verity can't be enabled here\n";
            io::stderr().write_all(line.as_bytes()).unwrap();
            return;
        }

        let measured = measure_verity(&File::open(file.path()).unwrap()).unwrap();

        let digest = Command::new("fsverity")
            .arg("digest")
            .arg("--compact")
            .arg(file.path())
            .output()
            .unwrap();
        let expected = String::from_utf8(digest.stdout).unwrap();
        let Some(KernelMeasurement::Sha256(bytes)) = measured else {
            panic!("{measured:?}")
        };
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected.trim());
    }
}
