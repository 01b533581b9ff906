//! The keys of audit trails, read from files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use vram_audit::{PublicKey, SigningKey};
use vram_seal::{SignatureAlgorithm, VerifyingKey};
use zeroize::Zeroizing;

/// The longest key file that is read, in bytes.
const LONGEST: u64 = 16 << 10;

/// The private key of a PKCS #8 file in PEM.
pub(crate) fn signing(path: &Path) -> anyhow::Result<SigningKey> {
    let read = || {
        let text = Zeroizing::new(text(path)?);
        let (label, der) = pkcs8::SecretDocument::from_pem(&text)
            .map_err(|error| anyhow::anyhow!("it is no PEM: {error}"))?;
        anyhow::ensure!(
            label == "PRIVATE KEY",
            "it holds {label:?}: give a private key"
        );
        Ok(SigningKey::from_pkcs8(der.as_bytes())?)
    };
    read().with_context(|| format!("the signing key {} can't be used", path.display()))
}

/// The public key of a `SubjectPublicKeyInfo` file in PEM.
pub(crate) fn public(path: &Path) -> anyhow::Result<PublicKey> {
    let read = || {
        let key = VerifyingKey::from_spki_pem(&text(path)?)?;
        anyhow::ensure!(
            key.algorithm() == SignatureAlgorithm::Ed25519,
            "it is a key for {}: a trail is signed with Ed25519",
            key.algorithm().as_str()
        );
        // Its last 32 bytes are the key, by RFC 8410.
        let bytes = key.as_spki_der().last_chunk::<32>();
        Ok(PublicKey::from_bytes(*bytes.context("it is too short")?))
    };
    read().with_context(|| format!("the public key {} can't be used", path.display()))
}

fn text(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?
        .take(LONGEST.saturating_add(1))
        .read_to_string(&mut text)?;
    anyhow::ensure!(
        u64::try_from(read)? <= LONGEST,
        "it holds more than {LONGEST} bytes"
    );
    Ok(text)
}
