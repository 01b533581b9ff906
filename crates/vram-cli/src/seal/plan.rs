//! What is to be sealed, found before a device is touched.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::NamedTempFile;
use vram_provenance::Manifest;
use vram_residency::{Expectation, ModelFolder, shard_id};
use vram_seal::ShardId;

use super::expected::{Known, Source};
use super::signature::Verified;
use super::{Expected, Hashing, Options, sample};
use crate::exit::Misused;

/// Everything that one run seals, in order.
pub(crate) struct Plan {
    pub(super) work: Vec<Work>,
    /// The signature that it is as signed by.
    pub(super) signed: Option<Signed>,
}

/// A model that is as it was signed, but for the bytes that sealing compares.
pub(super) struct Signed {
    pub(super) signature: Verified,
    /// Files that were compared already.
    pub(super) checked: Vec<String>,
    /// What lies there and nobody stands for.
    pub(super) uncovered: Vec<String>,
}

/// One thing to seal.
pub(super) enum Work {
    File {
        id: ShardId,
        path: PathBuf,
        expectation: Option<Expectation>,
    },
    Folder {
        path: PathBuf,
        folder: ModelFolder,
    },
    Sample {
        id: ShardId,
        file: NamedTempFile,
    },
}

impl Work {
    /// The folder that is sealed as a set, if it is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder { path, .. } => Some(path),
            Self::File { .. } | Self::Sample { .. } => None,
        }
    }
}

impl Plan {
    /// Looks at every path, so that a mistake in the last shows before the first is sealed.
    pub(crate) fn new(options: &Options) -> anyhow::Result<Self> {
        require_sense(options)?;
        if let Some(signature) = options.signature.verify()? {
            return Self::signed(options, signature);
        }
        let source = options.source.open()?;
        let work = if options.paths.is_empty() {
            vec![sample(options)?]
        } else {
            let paths = options.paths.iter();
            let work = paths.map(|path| look(path, options, source.as_ref()));
            work.collect::<anyhow::Result<_>>()?
        };
        Ok(Self { work, signed: None })
    }

    /// The one model that was signed.
    fn signed(options: &Options, signature: Verified) -> anyhow::Result<Self> {
        let [path] = options.paths.as_slice() else {
            return Err(misused(
                "--model-signature is of one model: give its folder, or the file that was signed alone",
            ));
        };
        let found = std::fs::metadata(path).with_context(|| path.display().to_string())?;
        let (mut checked, mut uncovered) = (Vec::new(), Vec::new());
        let work = if found.is_dir() {
            let follow = options.signature.follow_links;
            let opened =
                ModelFolder::open_signed(path, &signature.manifest, &signature.path, follow)?;
            checked.extend_from_slice(opened.checked());
            uncovered.extend_from_slice(opened.uncovered());
            Work::Folder {
                path: path.clone(),
                folder: opened.folder().clone(),
            }
        } else {
            if signature.manifest.manifest().single().is_none() {
                return Err(misused(
                    "the signature is of a folder, not of this file alone: give the folder",
                ));
            }
            let expectation = Expectation::signed(&signature.manifest, Manifest::SINGLE, path)?;
            file(path, options, Some(expectation))?
        };
        let signed = Signed {
            signature,
            checked,
            uncovered,
        };
        Ok(Self {
            work: vec![work],
            signed: Some(signed),
        })
    }
}

/// What is said of one file can't be said of several.
fn require_sense(options: &Options) -> anyhow::Result<()> {
    let single = match options.paths.as_slice() {
        [] => true,
        [path] => !path.is_dir(),
        _ => false,
    };
    if options.id.is_some() && !single {
        return Err(misused("--id names a single file's shard; give one file"));
    }
    options.set.require_sense(&options.paths)?;
    let expected = options.expected();
    if !expected.is_empty() && !single {
        return Err(misused("--expect is about a single file; give one file"));
    }
    require_one_source(options)?;
    let mut rest = expected.as_slice();
    while let [first, others @ ..] = rest {
        if others.iter().any(|other| first.is_like(other)) {
            return Err(misused(
                "--expect may be given once for each kind of digest",
            ));
        }
        rest = others;
    }
    require_computed(options, &expected)
}

/// Two sources might say different things of one file.
fn require_one_source(options: &Options) -> anyhow::Result<()> {
    let given = [
        !options.expected().is_empty(),
        options.signature.is_given(),
        options.source.checksums.is_some(),
        options.source.expect_from.is_some(),
    ];
    let sources = given.into_iter().filter(|given| *given).count();
    if sources > 1 {
        return Err(misused(
            "choose one source of expected digests: --expect, --model-signature, --checksums or --expect-from",
        ));
    }
    if sources == 1 && options.expected().is_empty() && options.paths.is_empty() {
        return Err(misused(
            "there is nothing known of the sample that is made: give files or a folder",
        ));
    }
    Ok(())
}

/// A digest that is expected must be one that is computed, and what is trusted must be given.
fn require_computed(options: &Options, expected: &[Expected]) -> anyhow::Result<()> {
    let kernel = options.source.expect_from == Some(Known::Kernel);
    let content = expected.iter().any(Expected::is_content)
        || options.signature.is_given()
        || options.source.checksums.is_some()
        || options.source.expect_from == Some(Known::Cache);
    match options.hashing {
        Hashing::Verity | Hashing::Trusted if content => Err(misused(
            "a SHA-256 is computed by --hashing both alone; expect the verity digest instead",
        )),
        Hashing::Trusted if expected.is_empty() && !kernel => Err(misused(
            "--hashing trusted needs the digest to trust; give one file and --expect-verity, as \
             `fsverity digest` prints it, or --expect-from kernel",
        )),
        Hashing::Both | Hashing::Verity | Hashing::Trusted => Ok(()),
    }
}

pub(super) fn misused(what: &str) -> anyhow::Error {
    Misused(what.to_owned()).into()
}

fn sample(options: &Options) -> anyhow::Result<Work> {
    let id = match &options.id {
        Some(id) => id.clone(),
        None => sample::ID.parse()?,
    };
    let file =
        sample::make().context("the sample can't be made in the folder for temporary files")?;
    Ok(Work::Sample { id, file })
}

fn look(path: &Path, options: &Options, source: Option<&Source>) -> anyhow::Result<Work> {
    let found = std::fs::metadata(path).with_context(|| path.display().to_string())?;
    if found.is_dir() {
        let folder = ModelFolder::open(path)?;
        let folder = match source {
            Some(source) => folder.expecting(|file| source.expectation(&file.path))?,
            None => folder,
        };
        let path = path.to_owned();
        return Ok(Work::Folder { path, folder });
    }
    let expectation = source.map(|source| source.expectation(path)).transpose()?;
    file(path, options, expectation)
}

fn file(path: &Path, options: &Options, expectation: Option<Expectation>) -> anyhow::Result<Work> {
    let id = match &options.id {
        Some(id) => id.clone(),
        None => shard_id(path).with_context(|| {
            format!("{} gives no shard id; choose one with --id", path.display())
        })?,
    };
    Ok(Work::File {
        id,
        path: path.to_owned(),
        expectation,
    })
}
