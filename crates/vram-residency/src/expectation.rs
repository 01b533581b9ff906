//! What somebody stands for: the digest that a file has to have, and where it came from.

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;

use vram_provenance::{
    FileDigest, Manifest, PieceDigests, SignedManifest, cache, checksums::Checksums,
};
use vram_seal::{Digest, ExpectedFrom, VerityDigest};
use vram_sys::KernelMeasurement;

use crate::folder::{relative_to, require_no_link};
use crate::source::failed;
use crate::{Error, Result};

/// The digest that a shard's bytes have to have, and where it came from; the seal says so.
///
/// Each way of making one is a source. None of them reads the file: its bytes are compared as they are sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    pub(crate) digest: ExpectedDigest,
    pub(crate) from: ExpectedFrom,
}

/// A digest of one of the kinds that can be expected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpectedDigest {
    /// SHA-256 of the content.
    Content(Digest),
    /// SHA-256 of each piece of the content.
    Pieces(PieceDigests),
    /// The fs-verity digest.
    Verity(VerityDigest),
}

impl Expectation {
    /// What a manifest lists under a path.
    ///
    /// # Errors
    ///
    /// [`Error::NothingExpected`] where it lists no such path.
    pub fn signed(signed: &SignedManifest, listed: &str, path: &Path) -> Result<Self> {
        let digest = match signed.manifest().digest_of(listed) {
            Some(FileDigest::Whole(digest)) => ExpectedDigest::Content(*digest),
            Some(FileDigest::Pieces(pieces)) => ExpectedDigest::Pieces(pieces.clone()),
            _ => {
                return Err(nothing(
                    path,
                    "the signature doesn't cover it; have it signed with the model, or leave it out",
                ));
            }
        };
        Ok(Self {
            digest,
            from: ExpectedFrom::ModelSignature,
        })
    }

    /// What the manifest of a model that is a single file says of it. As the signer did, a symbolic link is refused unless
    /// the signer followed links, or `follow_links` is set.
    ///
    /// # Errors
    ///
    /// [`Error::NothingExpected`] where the manifest is of a folder, [`Error::NotAsSigned`] for a link, [`Error::File`] if
    /// the path can't be looked at.
    pub fn signed_alone(signed: &SignedManifest, path: &Path, follow_links: bool) -> Result<Self> {
        require_no_link(path, follow_links || signed.manifest().follows_links())?;
        Self::signed(signed, Manifest::SINGLE, path)
    }

    /// What a checksum file, which lies at `list`, says of a file. Its names count from its own folder, as `sha256sum
    /// --check` has it there: by the path as it is given, links and all, or else by where that leads. Of a file that doesn't
    /// lie in that folder, the name alone counts, and only of a list in which no name has a `/`.
    ///
    /// # Errors
    ///
    /// [`Error::NothingExpected`] where it doesn't list the file, [`Error::File`] where it can't be told whether the file lies
    /// in the folder.
    pub fn listed(checksums: &Checksums, list: &Path, path: &Path) -> Result<Self> {
        let folder = match list.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let within = relative_to(folder, path)?;
        let name = match &within {
            Some(within) => Some(within.as_os_str()),
            None if checksums.names_are_bare() => path.file_name(),
            None => None,
        };
        let digest = name.and_then(|name| checksums.get(name)).ok_or_else(|| {
            nothing(
                path,
                "the checksum file doesn't list it; names there count from the checksum file's folder, and of files \
                 elsewhere the name alone counts, if no name there has a `/`",
            )
        })?;
        Ok(Self {
            digest: ExpectedDigest::Content(digest),
            from: ExpectedFrom::ChecksumFile,
        })
    }

    /// What the name of a file's blob says, in a cache that names them by their SHA-256
    /// ([`cache`](vram_provenance::cache)).
    ///
    /// # Errors
    ///
    /// [`Error::NothingExpected`] for a file that is no link, [`Error::Provenance`] for a link to something other than such
    /// a blob, [`Error::File`] if it can't be looked at.
    pub fn cached(path: &Path) -> Result<Self> {
        let looking = |source| failed(path, "looking at it", source);
        let found = std::fs::symlink_metadata(path).map_err(looking)?;
        if !found.is_symlink() {
            return Err(nothing(
                path,
                "it is no link into a cache; give a file of a cache's snapshots/, or expect its digest otherwise",
            ));
        }
        let target = std::fs::read_link(path).map_err(looking)?;
        let digest = cache::digest_of_link(path, &target).map_err(|source| Error::Provenance {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            digest: ExpectedDigest::Content(digest),
            from: ExpectedFrom::ContentAddressedCache,
        })
    }

    /// What the kernel keeps of a file with fs-verity: bytes read from it have this digest, or can't be read. So the host
    /// need not hash them again ([`HostHashing::Trusted`](crate::HostHashing::Trusted)). It says nothing about where the
    /// file came from.
    ///
    /// # Errors
    ///
    /// [`Error::NothingExpected`] for a file without fs-verity, or with another algorithm than SHA-256, a salt, or blocks
    /// other than 4096 bytes; [`Error::File`] if it can't be asked. Where the kernel doesn't say how it measured (before
    /// Linux 5.12, and on btrfs), a digest with a salt or of other blocks looks like any other, and the seal is refused
    /// once the device has measured something else.
    pub fn of_kernel(path: &Path) -> Result<Self> {
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let found =
            std::fs::metadata(path).map_err(|source| failed(path, "looking at it", source))?;
        if !found.is_file() {
            return Err(nothing(path, "it is not a regular file"));
        }
        let file = File::open(path).map_err(|source| failed(path, "opening it", source))?;
        let measured = vram_sys::measure_verity(&file)
            .map_err(|source| failed(path, "asking the kernel for its fs-verity digest", source))?;
        match measured {
            Some(KernelMeasurement::Sha256(digest)) => Ok(Self {
                digest: ExpectedDigest::Verity(VerityDigest::from_bytes(digest)),
                from: ExpectedFrom::Kernel,
            }),
            Some(KernelMeasurement::OtherTree {
                log2_block_size,
                salt_len,
            }) => Err(nothing(path, other_tree(log2_block_size, salt_len))),
            Some(KernelMeasurement::Other(algorithm)) => Err(nothing(
                path,
                format!(
                    "its fs-verity digest is of {}, and the device measures SHA-256; {COPY_ANEW} \
                     --hash-alg sha256`",
                    match algorithm {
                        2 => "SHA-512".to_owned(),
                        other => format!("the hash algorithm {other}"),
                    }
                ),
            )),
            Some(_) => Err(nothing(
                path,
                "its fs-verity digest is of a kind that is not known here",
            )),
            None => Err(nothing(
                path,
                "fs-verity is not enabled on it, or not there in its file system; see `fsverity enable`",
            )),
        }
    }

    /// The digest.
    #[must_use]
    pub const fn digest(&self) -> &ExpectedDigest {
        &self.digest
    }

    /// Where it came from.
    #[must_use]
    pub const fn from(&self) -> ExpectedFrom {
        self.from
    }
}

/// fs-verity can't be taken back from a file, nor enabled anew.
const COPY_ANEW: &str = "copy the file, and enable fs-verity on the copy with `fsverity enable";

/// Why the digest of a tree that isn't measured here is none to expect.
fn other_tree(log2_block_size: u8, salt_len: u8) -> String {
    let size = 1_u64
        .checked_shl(log2_block_size.into())
        .map_or_else(|| format!("2^{log2_block_size}"), |size| size.to_string());
    let salt = match salt_len {
        0 => "no salt".to_owned(),
        1 => "a salt of 1 byte".to_owned(),
        len => format!("a salt of {len} bytes"),
    };
    format!(
        "its fs-verity digest is of blocks of {size} bytes and {salt}, and the device measures blocks of 4096 bytes \
         without a salt; {COPY_ANEW}`"
    )
}

fn nothing(path: &Path, why: impl Into<Cow<'static, str>>) -> Error {
    Error::NothingExpected {
        path: path.to_owned(),
        why: why.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_that_is_not_measured_here_is_described() {
        let salted = other_tree(12, 5);
        let smaller = other_tree(10, 0);

        assert!(
            salted.contains("blocks of 4096 bytes and a salt of 5 bytes, and"),
            "{salted}"
        );
        assert!(
            smaller.contains("blocks of 1024 bytes and no salt, and"),
            "{smaller}"
        );
        assert!(salted.ends_with("on the copy with `fsverity enable`"));
        assert!(other_tree(200, 1).contains("2^200 bytes and a salt of 1 byte,"));
    }

    #[test]
    fn an_expectation_says_where_it_came_from() {
        let digest = Digest::of(b"weights");
        let list = format!("{digest}  model.safetensors\n");
        let checksums = Checksums::parse(list.as_bytes()).unwrap();

        let listed = Expectation::listed(
            &checksums,
            Path::new("SHA256SUMS"),
            Path::new("model.safetensors"),
        );

        assert_eq!(listed.unwrap().from(), ExpectedFrom::ChecksumFile);
    }
}
