//! Digests that the bytes must have, as the command line gives them or says where they are.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use vram_provenance::checksums::{self, Checksums};
use vram_residency::{Error, Expectation, SealRequest};
use vram_seal::{Digest, VerityDigest};

use super::signature::read;

/// Where the digests of files are to be taken from.
#[derive(Debug, Args)]
pub(super) struct SourceOptions {
    /// Seal each file only if it has the digest that this file lists for it, as sha256sum writes it. Names count from the
    /// list's own folder; of files elsewhere, the name alone counts, if no name in the list has a slash.
    #[arg(long, value_name = "FILE")]
    pub(super) checksums: Option<PathBuf>,
    /// Seal each file only if it has the digest that is known of it here already.
    #[arg(long, value_enum, value_name = "SOURCE")]
    pub(super) expect_from: Option<Known>,
}

/// What knows files' digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Known {
    /// The names of a download cache, where snapshots/ links to blobs/SHA256: guards against damage, not against whoever can
    /// write there
    Cache,
    /// The kernel, of files with fs-verity: with --hashing trusted the host hashes nothing
    Kernel,
}

/// A source of digests, opened.
pub(super) enum Source {
    List { path: PathBuf, checksums: Checksums },
    Known(Known),
}

impl SourceOptions {
    /// The source, if one was named; the two exclude each other, which was seen to.
    pub(super) fn open(&self) -> anyhow::Result<Option<Source>> {
        if let Some(path) = &self.checksums {
            let list = read(path, checksums::MAX_LEN)?;
            let checksums = Checksums::parse(&list).map_err(|source| Error::Provenance {
                path: path.clone(),
                source,
            })?;
            let path = path.clone();
            return Ok(Some(Source::List { path, checksums }));
        }
        Ok(self.expect_from.map(Source::Known))
    }
}

impl Source {
    /// What it says of a file.
    pub(super) fn expectation(&self, file: &Path) -> Result<Expectation, Error> {
        match self {
            Self::List { path, checksums } => Expectation::listed(checksums, path, file),
            Self::Known(Known::Cache) => Expectation::cached(file),
            Self::Known(Known::Kernel) => Expectation::of_kernel(file),
        }
    }
}

/// `sha256:HEX` or `fsverity:HEX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Content(Digest),
    Verity(VerityDigest),
}

impl Expected {
    /// The request, with this demand.
    pub(super) fn demanded_of<'a>(&self, request: SealRequest<'a>) -> SealRequest<'a> {
        match *self {
            Self::Content(digest) => request.expect_content(digest),
            Self::Verity(digest) => request.expect_verity(digest),
        }
    }

    /// Whether it is a content digest.
    pub(super) const fn is_content(&self) -> bool {
        matches!(self, Self::Content(_))
    }

    /// Whether both are of one kind.
    pub(super) const fn is_like(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::Content(_), Self::Content(_)) | (Self::Verity(_), Self::Verity(_))
        )
    }
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sha256", hex)) => hex.parse().map(Self::Content).map_err(said),
            Some(("fsverity", hex)) => hex.parse().map(Self::Verity).map_err(said),
            _ => Err("give sha256:HEX or fsverity:HEX".to_owned()),
        }
    }
}

fn said(error: vram_seal::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_and_told_apart() {
        let hex = "ab".repeat(32);

        let content: Expected = format!("sha256:{hex}").parse().unwrap();
        let verity: Expected = format!("fsverity:{hex}").parse().unwrap();

        assert_eq!(content, Expected::Content(hex.parse().unwrap()));
        assert_eq!(verity, Expected::Verity(hex.parse().unwrap()));
        assert!(content.is_like(&content) && !content.is_like(&verity));
    }

    #[test]
    fn anything_else_is_refused_with_what_is_wrong() {
        let refused = |text: &str| text.parse::<Expected>().unwrap_err();

        assert!(refused(&"ab".repeat(32)).contains("sha256:HEX"));
        assert!(refused("md5:00").contains("sha256:HEX"));
        assert!(refused("sha256:00").contains("has 2 characters"));
        assert!(refused(&format!("fsverity:{}", "xy".repeat(32))).contains("'x'"));
    }
}
