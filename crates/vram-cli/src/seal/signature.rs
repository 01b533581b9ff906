//! A model that somebody signed: what the command line says of it, and what it is verified with.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use clap::Args;
use vram_provenance::{
    Bundle, CertificateTime, Intermediates, PublicKey, Roots, SignedManifest, Trust,
};
use vram_residency::Error;

use super::plan::misused;

/// Which signature has to be there, and whose.
#[derive(Debug, Args)]
pub(super) struct SignatureOptions {
    /// Seal a folder, or a single file, only as the model that this signature is of: a bundle of `OpenSSF` Model Signing
    /// (model.sig). Every file of the folder has to be as it was signed, and there may be no other. Model files are
    /// compared as they are sealed, the others before. Keyless signatures are not verified.
    #[arg(long, value_name = "FILE")]
    model_signature: Option<PathBuf>,
    /// The public key that has to have signed: PEM, ECDSA with P-256 or P-384.
    #[arg(long, value_name = "FILE", requires = "model_signature")]
    public_key: Option<PathBuf>,
    /// A certificate that the signer's certificate has to lead to: PEM, one or more. May be given several times.
    #[arg(
        long,
        value_name = "FILE",
        requires = "model_signature",
        conflicts_with = "public_key"
    )]
    root: Vec<PathBuf>,
    /// Certificates between the signer's and the root, beside those that the signature brings: PEM.
    // A conflict with --public-key waives `requires`, so it is said here too.
    #[arg(
        long,
        value_name = "FILE",
        requires = "root",
        conflicts_with = "public_key"
    )]
    certificate_chain: Vec<PathBuf>,
    /// Look at the certificates as of the day on which the signer's began to be valid, and not as of today: one that has
    /// expired since passes. Nothing proves that the signature is as old.
    #[arg(long, requires = "root", conflicts_with = "public_key")]
    allow_expired_certificate: bool,
    /// Follow symbolic links to files, as a download cache has them, though the signer followed none. The bytes behind them
    /// have to be those that were signed.
    #[arg(long, requires = "model_signature")]
    pub(super) follow_links: bool,
}

/// A signature that was verified.
pub(super) struct Verified {
    pub(super) path: PathBuf,
    pub(super) manifest: SignedManifest,
}

impl SignatureOptions {
    /// Whether a signature is asked for.
    pub(super) const fn is_given(&self) -> bool {
        self.model_signature.is_some()
    }

    /// Reads the signature and what it is to be verified with, and verifies it. What it is of isn't looked at.
    pub(super) fn verify(&self) -> anyhow::Result<Option<Verified>> {
        let Some(path) = &self.model_signature else {
            return Ok(None);
        };
        let about = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Provenance { path, source }
        };
        // What is given is read before the signature is: a mistake there is the caller's.
        let manifest = if let Some(key) = &self.public_key {
            let pem = String::from_utf8(read(key, PublicKey::MAX_LEN)?);
            let pem = pem.with_context(|| format!("{} is not PEM", key.display()))?;
            let key = PublicKey::from_pem(&pem).map_err(about(key))?;
            let bundle = bundle(path)?;
            bundle.verify(&Trust::Key(&key)).map_err(about(path))?
        } else if self.root.is_empty() {
            return Err(misused(
                "--model-signature needs to know whom to trust: give --public-key, or --root with the certificate of an \
                 authority",
            ));
        } else {
            let pem = joined(&self.root)?;
            let first = self.root.first().unwrap_or(path);
            let roots = Roots::from_pem(&pem).map_err(about(first))?;
            let intermediates = match self.certificate_chain.first() {
                Some(first) => {
                    let pem = joined(&self.certificate_chain)?;
                    Intermediates::from_pem(&pem).map_err(about(first))?
                }
                None => Intermediates::default(),
            };
            let trust = Trust::Certificates {
                roots: &roots,
                intermediates: &intermediates,
                time: self.certificate_time()?,
            };
            let bundle = bundle(path)?;
            bundle.verify(&trust).map_err(about(path))?
        };
        Ok(Some(Verified {
            path: path.clone(),
            manifest,
        }))
    }

    fn certificate_time(&self) -> anyhow::Result<CertificateTime> {
        if self.allow_expired_certificate {
            return Ok(CertificateTime::StartOfSigning);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now =
            now.context("the clock says that it is before 1970; no certificate is valid then")?;
        Ok(CertificateTime::At(now))
    }
}

fn bundle(path: &Path) -> anyhow::Result<Bundle> {
    let document = read(path, Bundle::MAX_LEN)?;
    let bundle = Bundle::from_json(&document).map_err(|source| Error::Provenance {
        path: path.to_owned(),
        source,
    })?;
    Ok(bundle)
}

fn joined(files: &[PathBuf]) -> anyhow::Result<Vec<u8>> {
    let mut all = Vec::new();
    for file in files {
        all.extend(read(file, Roots::MAX_LEN)?);
        // A file may end without a line break.
        all.push(b'\n');
    }
    Ok(all)
}

/// All of a file, if it is no longer than so many bytes.
pub(super) fn read(path: &Path, most: usize) -> anyhow::Result<Vec<u8>> {
    let shown = || path.display().to_string();
    let found = std::fs::metadata(path).with_context(shown)?;
    anyhow::ensure!(found.is_file(), "{} is not a regular file", shown());
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(shown)?;
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(shown)?;
    anyhow::ensure!(
        bytes.len() <= most,
        "{} is longer than the {most} bytes that are read",
        shown()
    );
    Ok(bytes)
}
