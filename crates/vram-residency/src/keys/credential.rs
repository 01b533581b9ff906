//! Credentials of a systemd service (`systemd.exec(5)`, `LoadCredential=`).

use vram_seal::SecretBytes;

use super::{SecretRefusal, source::require_name};

/// All of a credential.
///
/// systemd keeps credentials in a folder of its own that only root can write, on a file system that is never written to
/// swap. The file belongs to root, and an access control list lets the service's user read it; that list's mask shows
/// as the group's bit to read. Anything more than that is refused.
#[cfg(unix)]
pub(super) fn read(name: &str, limit: usize) -> Result<SecretBytes, SecretRefusal> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(std::path::PathBuf::from);
    read_in(folder.as_deref(), name, limit)
}

/// All of a credential in this folder.
#[cfg(unix)]
pub(super) fn read_in(
    folder: Option<&std::path::Path>,
    name: &str,
    limit: usize,
) -> Result<SecretBytes, SecretRefusal> {
    /// All but the user's bits and the group's to read.
    const FORBIDDEN: u32 = 0o037;

    require_name(name, &['/', '\0'], "with no '/' and no NUL")?;
    if name == "." || name == ".." {
        return Err(SecretRefusal::Name {
            found: name.to_owned(),
            rule: "neither \".\" nor \"..\"",
        });
    }
    let folder = folder
        .filter(|folder| folder.is_absolute())
        .ok_or(SecretRefusal::NoCredentials)?;
    super::file::read_if(&folder.join(name), limit, FORBIDDEN, may_own)
}

/// Whether this one may own a credential of that user's.
#[cfg(unix)]
pub(super) const fn may_own(owner: u32, user: u32) -> bool {
    const ROOT: u32 = 0;
    owner == user || owner == ROOT
}

#[cfg(not(unix))]
pub(super) use self::elsewhere::read;

/// What other systems than Unix have in its place.
#[cfg(not(unix))]
mod elsewhere {
    use super::*;

    /// There is no systemd.
    pub(in crate::keys) fn read(name: &str, _: usize) -> Result<SecretBytes, SecretRefusal> {
        require_name(name, &['/', '\0'], "with no '/' and no NUL")?;
        Err(SecretRefusal::Unsupported)
    }
}
