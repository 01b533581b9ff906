//! Secrets in files that nobody else can read or change.

use std::path::Path;

use vram_seal::SecretBytes;

use super::SecretRefusal;

/// The bits of a file's mode that nothing but the file's user may have set.
#[cfg(unix)]
pub(super) const OTHERS: u32 = 0o077;

/// All of a regular file of this process's user that is closed to others.
#[cfg(unix)]
pub(super) fn read(path: &Path, limit: usize) -> Result<SecretBytes, SecretRefusal> {
    read_if(path, limit, OTHERS, |owner, user| owner == user)
}

/// All of a regular file whose user is accepted, and which has none of these bits of its mode set.
#[cfg(unix)]
pub(super) fn read_if(
    path: &Path,
    limit: usize,
    forbidden: u32,
    may_own: impl FnOnce(u32, u32) -> bool,
) -> Result<SecretBytes, SecretRefusal> {
    use rustix::fs::{FileType, Mode, OFlags, fstat, open};
    use rustix::io::Errno;

    let system = |doing| {
        move |error: Errno| SecretRefusal::System {
            doing,
            source: error.into(),
        }
    };
    // What is looked at is what is open: the path may name another file by then. A pipe that nobody writes to does not
    // hold this up.
    let flags = OFlags::RDONLY
        .union(OFlags::CLOEXEC)
        .union(OFlags::NOFOLLOW)
        .union(OFlags::NONBLOCK)
        .union(OFlags::NOCTTY);
    // A socket can't even be opened.
    let file = open(path, flags, Mode::empty()).map_err(|error| match error {
        Errno::LOOP | Errno::MLINK => SecretRefusal::SymbolicLink,
        error => system("opening it")(error),
    })?;
    let found = fstat(&file).map_err(system("looking at it"))?;
    let kind = FileType::from_raw_mode(found.st_mode);
    if kind != FileType::RegularFile {
        return Err(SecretRefusal::NotAFile {
            found: match kind {
                FileType::Directory => "a folder",
                FileType::Fifo => "a pipe",
                _ => "a device",
            },
        });
    }
    let user = rustix::process::geteuid().as_raw();
    if !may_own(found.st_uid, user) {
        return Err(SecretRefusal::Owner {
            found: found.st_uid,
            expected: user,
        });
    }
    let mode = Mode::from_raw_mode(found.st_mode).as_raw_mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(SecretRefusal::Permissions { mode });
    }
    Ok(SecretBytes::read_from(
        &mut std::fs::File::from(file),
        limit,
    )?)
}

#[cfg(not(unix))]
pub(super) use self::elsewhere::read;

/// What other systems than Unix have in its place.
#[cfg(not(unix))]
mod elsewhere {
    use super::*;

    /// Who may read a file can't be told here: it is not read.
    pub(in crate::keys) fn read(_: &Path, _: usize) -> Result<SecretBytes, SecretRefusal> {
        Err(SecretRefusal::Unsupported)
    }
}
