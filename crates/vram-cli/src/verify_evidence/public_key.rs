//! The public key that must have signed.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use vram_seal::VerifyingKey;

/// The longest key file that is read, in bytes.
const LONGEST: u64 = 16 << 10;

/// The public key of a `SubjectPublicKeyInfo` file in PEM.
pub(super) fn read(path: &Path) -> anyhow::Result<VerifyingKey> {
    let read = || {
        let mut text = String::new();
        let longest = LONGEST.saturating_add(1);
        File::open(path)?.take(longest).read_to_string(&mut text)?;
        anyhow::ensure!(
            u64::try_from(text.len())? <= LONGEST,
            "it holds more than {LONGEST} bytes"
        );
        Ok(VerifyingKey::from_spki_pem(&text)?)
    };
    read().with_context(|| format!("the public key {} can't be used", path.display()))
}
