//! The keys of audit trails, read from files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use vram_seal::{SigningKey, VerifyingKey};
use vram_secret::SecretBytes;

/// The longest key file that is read, in bytes.
const LONGEST: usize = 16 << 10;

/// The private key of a PKCS #8 file in PEM.
pub(crate) fn signing(path: &Path) -> anyhow::Result<SigningKey> {
    let read = || {
        let bytes = SecretBytes::read_from(&mut File::open(path)?, LONGEST)?;
        let text = str::from_utf8(bytes.expose()?).context("it is no PEM")?;
        Ok::<_, anyhow::Error>(SigningKey::from_pkcs8_pem(text)?)
    };
    read().with_context(|| format!("the signing key {} can't be used", path.display()))
}

/// The public key of a `SubjectPublicKeyInfo` file in PEM.
pub(crate) fn public(path: &Path) -> anyhow::Result<VerifyingKey> {
    let read = || {
        let mut text = String::new();
        let longest = u64::try_from(LONGEST)?;
        let read = File::open(path)?
            .take(longest.saturating_add(1))
            .read_to_string(&mut text)?;
        anyhow::ensure!(read <= LONGEST, "it holds more than {LONGEST} bytes");
        Ok(VerifyingKey::from_spki_pem(&text)?)
    };
    read().with_context(|| format!("the public key {} can't be used", path.display()))
}
