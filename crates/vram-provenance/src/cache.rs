//! Caches whose files are named by their SHA-256, as the Hugging Face cache is.
//!
//! There, `snapshots/REVISION/NAME` is a symbolic link to `blobs/DIGEST`. Large files have a blob named by the SHA-256 of
//! their content; small ones, which git keeps itself, by git's SHA-1 of it with a header, which is no digest to rely on.
//!
//! Such a name guards against damage and half downloads. It guards against nobody who can write to the cache.

use std::{
    ffi::OsStr,
    path::{Component, Path},
};

use vram_seal::Digest;

use crate::shown::shown;
use crate::{Error, Result};

/// The digest that a link in a snapshot gives for its file. `target` is what the link holds.
///
/// ```
/// use std::path::Path;
/// use vram_provenance::cache::digest_of_link;
///
/// let blob = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
/// let digest = digest_of_link(
///     Path::new("models--a--b/snapshots/0123abc/model.safetensors"),
///     Path::new(&format!("../../blobs/{blob}")),
/// )?;
/// assert_eq!(digest.to_string(), blob);
/// # Ok::<(), vram_provenance::Error>(())
/// ```
///
/// # Errors
/// [`Error::Cache`] where the link doesn't lead to `blobs/` beside `snapshots/`, or the blob's name is not a SHA-256.
pub fn digest_of_link(link: &Path, target: &Path) -> Result<Digest> {
    let refused = |why| {
        Err(Error::Cache {
            path: shown(&link.to_string_lossy()),
            why,
        })
    };
    let Some((folder, name)) = target
        .parent()
        .zip(target.file_name().and_then(OsStr::to_str))
    else {
        return refused("is a link to a folder, or to a name that is no digest");
    };
    if folder.file_name() != Some(OsStr::new("blobs")) {
        return refused("is no link into a cache's blobs/: its digest is not known from there");
    }
    // A relative target goes up to the folder of this very repository; an absolute one names it.
    if target.is_relative() && !leads_to_blobs(target) {
        return refused("is a link that doesn't go straight up to a cache's blobs/");
    }
    if name.len() == 40 && is_lower_hex(name) {
        return refused(
            "is stored under git's SHA-1, which is no digest to rely on: only files that are stored under a SHA-256, large \
             ones usually, can be expected from the cache",
        );
    }
    if name.len() != 64 || !is_lower_hex(name) {
        return refused("is stored under a name that is not a SHA-256 in lower-case hexadecimal");
    }
    match name.parse() {
        Ok(digest) => Ok(digest),
        Err(_) => refused("is stored under a name that is not a SHA-256"),
    }
}

/// `../` one or more times, then `blobs/NAME`, and nothing else.
fn leads_to_blobs(target: &Path) -> bool {
    let parts: Vec<_> = target.components().collect();
    let [up @ .., blobs, Component::Normal(_)] = parts.as_slice() else {
        return false;
    };
    let straight = up.iter().all(|part| *part == Component::ParentDir);
    straight && !up.is_empty() && *blobs == Component::Normal(OsStr::new("blobs"))
}

fn is_lower_hex(name: &str) -> bool {
    name.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(target: &str) -> String {
        let link = Path::new("models--a--b/snapshots/0123/model.safetensors");
        let refused = digest_of_link(link, Path::new(target));
        refused.unwrap_err().to_string()
    }

    #[test]
    fn links_of_folders_within_a_snapshot_and_absolute_ones_are_read() {
        let hex = "ab".repeat(32);
        let digest = |target: &str| digest_of_link(Path::new("link"), Path::new(target)).unwrap();

        for target in [
            format!("../../blobs/{hex}"),
            format!("../../../blobs/{hex}"),
            format!("/cache/models--a--b/blobs/{hex}"),
        ] {
            assert_eq!(digest(&target).to_string(), hex, "{target}");
        }
    }

    #[test]
    fn gits_names_and_other_names_are_no_digests() {
        assert!(refusal(&format!("../../blobs/{}", "ab".repeat(20))).contains("git's SHA-1"));
        for name in [
            "AB".repeat(32),
            "ab".repeat(31),
            "xy".repeat(32),
            format!("{}.incomplete", "ab".repeat(32)),
        ] {
            assert!(
                refusal(&format!("../../blobs/{name}")).contains("not a SHA-256"),
                "{name}"
            );
        }
    }

    #[test]
    fn links_elsewhere_are_refused() {
        let hex = "ab".repeat(32);
        for target in [
            hex.clone(),
            format!("blobs/{hex}"),
            format!("../elsewhere/{hex}"),
            format!("../../other/../blobs/{hex}"),
            format!("../x/blobs/{hex}"),
            "..".to_owned(),
        ] {
            assert!(!refusal(&target).is_empty(), "{target}");
        }
    }
}
