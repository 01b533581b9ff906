//! Why a place is no place to take a secret from.

use std::io;

/// Why a secret is not taken from where it is said to be. It holds no part of a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretRefusal {
    /// It can't be opened, looked at or read.
    #[error("{doing} failed: {source}")]
    System {
        /// What was attempted.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// It is a symbolic link: what that points to can be changed by whoever may write the folder.
    #[error("it is a symbolic link: give the file itself")]
    SymbolicLink,
    /// It is no regular file.
    #[error("it is {found}: give a regular file")]
    NotAFile {
        /// What it is.
        found: &'static str,
    },
    /// It belongs to somebody else, who can read and change it.
    #[error("it belongs to user {found}, this process is user {expected}: give a file of its own")]
    Owner {
        /// The file's user.
        found: u32,
        /// This process's user.
        expected: u32,
    },
    /// Others may read or write it.
    #[error(
        "its mode is {mode:04o}, which lets others at it: chmod 600 it, and replace the secret if others could read it"
    )]
    Permissions {
        /// The permission bits.
        mode: u32,
    },
    /// There is no such variable.
    #[error("there is no such variable in the environment")]
    NoVariable,
    /// The service has no credentials.
    #[error(
        "CREDENTIALS_DIRECTORY is not set to an absolute path: start this as a systemd service with LoadCredential= or \
         SetCredential="
    )]
    NoCredentials,
    /// It is no name of a variable or a credential.
    #[error("{found:?} is no name: give 1 to 255 characters, {rule}")]
    Name {
        /// The name, as far as it is shown.
        found: String,
        /// What it must not hold.
        rule: &'static str,
    },
    /// There is nothing in it, too much, or not what it was said to be.
    #[error(transparent)]
    Secret(#[from] vram_seal::SecretError),
    /// What is in it is no such key.
    #[error(transparent)]
    Key(#[from] vram_seal::Error),
    /// It is not text, as a key in PEM is.
    #[error("it is not text: give a key in PEM, which starts with -----BEGIN PRIVATE KEY-----")]
    NotText,
    /// There is no such thing on this system.
    #[error("this system has none: give a file, or a variable of the environment")]
    Unsupported,
}
