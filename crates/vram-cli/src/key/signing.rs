//! The key that signs evidence and audit trails.

use std::path::PathBuf;
use std::sync::OnceLock;

use clap::Args;
use vram_seal::SigningKey;

use super::source;

/// Where the key comes from that signs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signing key")]
pub(crate) struct SigningKeyOptions {
    /// Sign with this private key, Ed25519 or P-256: PKCS #8 in PEM, as `vram keygen` and `openssl genpkey` write it.
    /// It has to be a regular file of this user, not a link, that nobody else may read or write.
    #[arg(long, value_name = "FILE", group = "signing")]
    signing_key: Option<PathBuf>,
    /// The same from a variable of the environment. It stays there: programs started from here inherit it.
    #[arg(long, value_name = "NAME", group = "signing")]
    signing_key_env: Option<String>,
    /// The same from a file descriptor that was opened for this: 0, or 3 and up.
    #[arg(long, value_name = "N", group = "signing")]
    signing_key_fd: Option<i32>,
    /// The same from a credential of a systemd service, by its name.
    #[arg(long, value_name = "NAME", group = "signing")]
    signing_key_credential: Option<String>,
    /// The key, once it was read: a descriptor gives it once.
    #[arg(skip)]
    read: OnceLock<SigningKey>,
}

impl SigningKeyOptions {
    /// The key, if one is given. Every call gives the same one.
    pub(crate) fn read(&self) -> anyhow::Result<Option<SigningKey>> {
        let source = source(
            self.signing_key.as_deref(),
            self.signing_key_env.as_deref(),
            self.signing_key_fd,
            self.signing_key_credential.as_deref(),
        );
        let Some(source) = source else {
            return Ok(None);
        };
        let key = match self.read.get() {
            Some(key) => key,
            None => {
                let key = source.signing_key()?;
                self.read.get_or_init(|| key)
            }
        };
        Ok(Some(SigningKey::from_pkcs8_pem(&key.expose_pkcs8_pem()?)?))
    }

    /// Reads the key if it comes from a descriptor, before anything is opened here that could get its number.
    pub(crate) fn read_descriptor(&self) -> anyhow::Result<()> {
        match self.signing_key_fd {
            Some(_) => self.read().map(drop),
            None => Ok(()),
        }
    }

    /// Whether one is given.
    pub(crate) const fn is_given(&self) -> bool {
        self.signing_key.is_some()
            || self.signing_key_env.is_some()
            || self.signing_key_fd.is_some()
            || self.signing_key_credential.is_some()
    }
}
