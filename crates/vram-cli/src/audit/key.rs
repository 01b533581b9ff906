//! Public keys, read from files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use vram_seal::VerifyingKey;

/// The longest key file that is read, in bytes.
const LONGEST: usize = 16 << 10;

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
