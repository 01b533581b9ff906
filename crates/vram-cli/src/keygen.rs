//! `vram keygen`: a key pair for evidence and audit trails.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;
use vram_seal::{KeyId, SignatureAlgorithm, SigningKey};

use crate::cli::Format;
use crate::exit::{Exit, Misused};
use crate::output::{Document, Output, row};
use crate::shown::shown;

/// Make a key pair that signs evidence and audit trails.
///
/// The private key is written as PKCS #8 in PEM to a new file that only its owner can read, the public one as PEM beside
/// it. No file is ever overwritten. Give the public key, on a way of its own, to those who are to check what the private
/// one signs; `openssl` reads both.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The file for the private key.
    #[arg(value_name = "FILE")]
    private: PathBuf,
    /// The file for the public key. By default FILE with .pub before its extension: key.pub.pem for key.pem.
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
    /// What the key signs with.
    #[arg(long, value_enum, default_value_t)]
    algorithm: Algorithm,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// What a key signs with.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Algorithm {
    /// Ed25519 (RFC 8032).
    #[default]
    Ed25519,
    /// ECDSA with P-256 and SHA-256 (FIPS 186-5).
    P256,
}

impl From<Algorithm> for SignatureAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Ed25519 => Self::Ed25519,
            Algorithm::P256 => Self::EcdsaP256Sha256,
        }
    }
}

/// What was made.
#[derive(Serialize)]
struct KeyDocument {
    algorithm: &'static str,
    key_id: KeyId,
    private: String,
    public: String,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<Exit> {
    let private_path = &options.private;
    let public_path = options
        .public
        .clone()
        .map_or_else(|| beside(private_path), Ok)?;
    let key = SigningKey::generate(options.algorithm.into())?;

    // Both places are taken before anything is written, and left if that fails.
    let private = New::create(private_path, 0o600)?;
    let public = New::create(&public_path, 0o644)?;
    private.write(key.expose_pkcs8_pem()?.as_bytes())?;
    public.write(key.verifying_key().to_spki_pem()?.as_bytes())?;
    for path in [private_path, &public_path] {
        sync_name(path)?;
    }
    private.keep();
    public.keep();

    let document = KeyDocument {
        algorithm: key.verifying_key().algorithm().as_str(),
        key_id: key.verifying_key().id(),
        private: private_path.to_string_lossy().into_owned(),
        public: public_path.to_string_lossy().into_owned(),
    };
    let mut output = Output::default();
    if options.format.json {
        output.json(&Document::new("keygen", document))?;
    } else {
        let mut text = String::new();
        row(&mut text, "Private", &shown(&document.private));
        row(&mut text, "Public", &shown(&document.public));
        row(&mut text, "Algorithm", document.algorithm);
        row(&mut text, "Key id", &document.key_id.to_string());
        output.text(&text)?;
    }
    Ok(Exit::Good)
}

/// The file for the public key, beside the one for the private.
fn beside(private: &Path) -> anyhow::Result<PathBuf> {
    let Some(stem) = private.file_stem() else {
        let what = format!("{} is no name for a file", private.display());
        return Err(Misused(what).into());
    };
    let mut name = OsString::from(stem);
    name.push(".pub");
    if let Some(extension) = private.extension() {
        name.push(".");
        name.push(extension);
    }
    Ok(private.with_file_name(name))
}

/// Has the file's name on disk too, not its bytes alone: a key whose public half is given away must still be there after the
/// power was lost. A file system that has no such thing for folders keeps names its own way.
#[cfg(unix)]
fn sync_name(path: &Path) -> anyhow::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced
        .or_else(|error| match error.kind() {
            ErrorKind::InvalidInput | ErrorKind::Unsupported => Ok(()),
            _ => Err(error),
        })
        .with_context(|| {
            format!(
                "the folder {} can't be synced to disk, so that no key is kept",
                folder.display()
            )
        })
}

/// Folders can't be opened there to be synced.
#[cfg(not(unix))]
fn sync_name(_: &Path) -> anyhow::Result<()> {
    Ok(())
}

/// A file that was not there before, and is not there after, unless it is kept.
#[derive(Debug)]
struct New<'a> {
    path: &'a Path,
    file: File,
    kept: bool,
}

impl<'a> New<'a> {
    fn create(path: &'a Path, mode: u32) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        // Refuses what is there, a link to nowhere included.
        options.write(true).create_new(true);
        restrict(&mut options, mode);
        let file = options
            .open(path)
            .with_context(|| format!("{} can't be created", path.display()))?;
        Ok(Self {
            path,
            file,
            kept: false,
        })
    }

    fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let written = (&self.file).write_all(bytes);
        written
            .and_then(|()| self.file.sync_all())
            .with_context(|| format!("{} can't be written", self.path.display()))
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for New<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // It was made here, a moment ago, and nobody was told of what is in it.
            if let Err(error) = std::fs::remove_file(self.path) {
                let path = self.path.display();
                tracing::error!(%path, %error, "what was written can't be removed: do it by hand");
            }
        }
    }
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions, mode: u32) {
    use std::os::unix::fs::OpenOptionsExt as _;

    options.mode(mode);
}

#[cfg(not(unix))]
fn restrict(_: &mut OpenOptions, _: u32) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_key_lies_beside_the_private_one() {
        for (private, public) in [
            ("key.pem", "key.pub.pem"),
            ("a/key", "a/key.pub"),
            ("a/.key", "a/.key.pub"),
            ("a.b/k.1.pem", "a.b/k.1.pub.pem"),
        ] {
            assert_eq!(beside(Path::new(private)).unwrap(), Path::new(public));
        }
        for none in ["", "/", ".."] {
            assert!(beside(Path::new(none)).is_err(), "{none:?}");
        }
    }
}
