//! Where secrets come from.

use std::fmt;
use std::path::PathBuf;

use vram_seal::{SealKey, SecretBytes, SigningKey, Token};
use zeroize::Zeroizing;

use super::{SecretRefusal, credential, file};
use crate::{Error, Result};

/// Where a secret is to be taken from. It is read straight into [`SecretBytes`]; no copy is left where it passes.
///
/// ```no_run
/// use vram_residency::{Manager, Secret, SecretForm, SecretSource};
///
/// let token = SecretSource::Credential("vram-token".into()).token(SecretForm::Text)?;
/// let builder = Manager::builder().secret(Secret::token(token, "worker-0".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretSource {
    /// A regular file of this process's user that nobody else may read or write, and no symbolic link. (The folders
    /// above it may be links, and are not looked at: who may write one can put another file there.)
    File(PathBuf),
    /// A variable of the environment.
    ///
    /// It stays there. Programs that this process starts inherit it, the kernel shows it to the same user and to root
    /// in `/proc/<pid>/environ` while this process can be dumped, and taking it out is not possible safely while other
    /// threads may read the environment, nor would it wipe it. So it is the least of these.
    Environment(String),
    /// A file descriptor that the process was started with, read to its end: 0, or 3 and up. It is kept from programs
    /// that this process starts.
    Descriptor(i32),
    /// A credential of a systemd service: a file in the folder that `CREDENTIALS_DIRECTORY` names, which only the
    /// service's user and root can read.
    Credential(String),
}

/// How bytes stand for a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretForm {
    /// As they are, less one line break at their end (LF or CR LF), which editors and `echo` add. Not for random bytes,
    /// which may end so themselves.
    #[default]
    Text,
    /// As they are, all of them.
    Raw,
    /// Hexadecimal digits of either case, two a byte, less one line break at their end.
    Hexadecimal,
}

impl SecretSource {
    /// The most bytes that are read of a token or a seal key, as they stand in the source. What is longer was not
    /// meant.
    pub const MAX_LEN: usize = 4096;

    /// The most bytes that are read of a signing key in PEM.
    pub const MAX_PEM_LEN: usize = 16 << 10;

    /// A token, from here.
    ///
    /// # Errors
    ///
    /// [`Error::Secret`] with why it is not taken, or is no token: under 32 bytes, for one.
    pub fn token(&self, form: SecretForm) -> Result<Token> {
        let read = || Ok(Token::from_secret(self.secret(form)?)?);
        read().map_err(|reason| self.refused("token", reason))
    }

    /// A seal key, from here.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token).
    pub fn seal_key(&self, form: SecretForm) -> Result<SealKey> {
        let read = || Ok(SealKey::from_secret(self.secret(form)?)?);
        read().map_err(|reason| self.refused("seal key", reason))
    }

    /// A signing key in PEM (PKCS #8), from here.
    ///
    /// # Errors
    ///
    /// [`Error::Secret`] with why it is not taken, or is no such key.
    pub fn signing_key(&self) -> Result<SigningKey> {
        let read = || {
            let bytes = self.read(Self::MAX_PEM_LEN)?;
            let text = str::from_utf8(bytes.expose()?).map_err(|_| SecretRefusal::NotText)?;
            Ok(SigningKey::from_pkcs8_pem(text)?)
        };
        read().map_err(|reason| self.refused("signing key", reason))
    }

    fn secret(&self, form: SecretForm) -> Result<SecretBytes, SecretRefusal> {
        let mut bytes = self.read(Self::MAX_LEN)?;
        if form != SecretForm::Raw {
            let exposed = bytes.expose()?;
            let line = exposed.strip_suffix(b"\n").unwrap_or(exposed);
            let line = if line.len() < exposed.len() {
                line.strip_suffix(b"\r").unwrap_or(line)
            } else {
                line
            };
            let len = line.len();
            bytes.truncate(len);
        }
        if form == SecretForm::Hexadecimal {
            return Ok(bytes.decode_hexadecimal()?);
        }
        Ok(bytes)
    }

    fn read(&self, limit: usize) -> Result<SecretBytes, SecretRefusal> {
        match self {
            Self::File(path) => file::read(path, limit),
            Self::Environment(name) => environment(name, limit),
            #[cfg(unix)]
            Self::Descriptor(number) => Ok(SecretBytes::read_from_descriptor(*number, limit)?),
            #[cfg(not(unix))]
            Self::Descriptor(_) => Err(SecretRefusal::Unsupported),
            Self::Credential(name) => credential::read(name, limit),
        }
    }

    fn refused(&self, what: &'static str, reason: SecretRefusal) -> Error {
        Error::Secret {
            what,
            from: self.to_string(),
            reason: Box::new(reason),
        }
    }
}

/// In words: where, and nothing of what.
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Environment(name) => {
                write!(f, "the environment's variable {}", name.escape_debug())
            }
            Self::Descriptor(number) => write!(f, "file descriptor {number}"),
            Self::Credential(name) => write!(f, "the credential {}", name.escape_debug()),
        }
    }
}

fn environment(name: &str, limit: usize) -> Result<SecretBytes, SecretRefusal> {
    require_name(name, &['=', '\0'], "with no '=' and no NUL")?;
    let value = std::env::var_os(name).ok_or(SecretRefusal::NoVariable)?;
    // The copy that the standard library made is wiped; the one in the environment stays.
    let value = Zeroizing::new(value.into_encoded_bytes());
    Ok(SecretBytes::read_from(&mut value.as_slice(), limit)?)
}

/// Refuses what is no name, or holds one of these.
pub(super) fn require_name(
    name: &str,
    forbidden: &[char],
    rule: &'static str,
) -> Result<(), SecretRefusal> {
    if (1..=255).contains(&name.len()) && !name.contains(forbidden) {
        return Ok(());
    }
    Err(SecretRefusal::Name {
        found: name.chars().take(64).collect(),
        rule,
    })
}

#[cfg(test)]
mod tests;
