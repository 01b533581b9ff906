//! What was signed: the files of a model, each with its digest.

use std::{collections::BTreeMap, num::NonZeroU64};

use vram_seal::Digest;

use crate::{PieceDigests, shown::shown};

/// How a manifest gives a file's digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// One digest for each file. The format calls it `files`.
    WholeFiles,
    /// One digest for each piece of a file. The format calls it `shards`. Empty files have no piece and are not in such
    /// a manifest.
    Pieces {
        /// Bytes in each piece but a file's last.
        size: NonZeroU64,
    },
}

/// The digests of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileDigest {
    /// SHA-256 of all of it.
    Whole(Digest),
    /// SHA-256 of each of its pieces.
    Pieces(PieceDigests),
}

/// The files of a model, as a signer lists them.
///
/// Paths are relative to the model's folder, their parts separated by `/`. A model that is a single file has one entry,
/// [`Manifest::SINGLE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub(crate) model: String,
    pub(crate) layout: Layout,
    pub(crate) follows_links: bool,
    pub(crate) ignored: Vec<String>,
    pub(crate) files: BTreeMap<String, FileDigest>,
}

impl Manifest {
    /// The greatest number of entries, which are files or pieces of them.
    pub const MAX_ENTRIES: usize = 200_000;
    /// The greatest number of ignored paths.
    pub const MAX_IGNORED: usize = 4096;
    /// The greatest length of a path, in bytes.
    pub const MAX_PATH_LEN: usize = 4096;
    /// The path of the one entry of a model that is a single file.
    pub const SINGLE: &'static str = ".";

    /// The name that the signer gave the model: that of its folder, usually. It says nothing about the content.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// How the digests are given.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether the signer followed symbolic links to files. If not, there was none.
    #[must_use]
    pub const fn follows_links(&self) -> bool {
        self.follows_links
    }

    /// The paths that the signer left out, with everything under them.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Whether the signer left this path out, by itself or with a folder that it lies in.
    #[must_use]
    pub fn is_ignored(&self, path: &str) -> bool {
        is_under_any(&self.ignored, path)
    }

    /// The files by path, in the order of their paths' bytes.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&str, &FileDigest)> {
        self.files.iter().map(|(path, digest)| (&**path, digest))
    }

    /// The digest of one file, if the signer listed it.
    #[must_use]
    pub fn digest_of(&self, path: &str) -> Option<&FileDigest> {
        self.files.get(path)
    }

    /// The digest of a model that is a single file, if it is one.
    #[must_use]
    pub fn single(&self) -> Option<&FileDigest> {
        self.digest_of(Self::SINGLE)
    }
}

/// Whether `path` is one of `roots`, or lies under one, by its parts.
pub(crate) fn is_under_any(roots: &[String], path: &str) -> bool {
    roots.iter().any(|root| {
        root == Manifest::SINGLE
            || path
                .strip_prefix(root.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// What a bundle claims, before its signature was verified: to be shown, not to be believed.
#[derive(Clone, Debug)]
pub struct UnverifiedManifest(pub(crate) Manifest);

impl UnverifiedManifest {
    /// The model's name as the bundle gives it, fit to be shown.
    #[must_use]
    pub fn model(&self) -> String {
        shown(self.0.model())
    }

    /// How many files it lists.
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.0.files.len()
    }
}
