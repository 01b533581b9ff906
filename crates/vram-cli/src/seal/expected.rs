//! Digests that the bytes must have, as the command line gives them or says where they are.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use vram_provenance::checksums::{self, Checksums};
use vram_residency::{Error, Expectation, SealRequest};

pub(super) use super::digest::Expected;
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

impl Expected {
    /// The request, with this demand.
    pub(super) fn demanded_of<'a>(&self, request: SealRequest<'a>) -> SealRequest<'a> {
        match *self {
            Self::Content(digest) => request.expect_content(digest),
            Self::Verity(digest) => request.expect_verity(digest),
        }
    }
}
