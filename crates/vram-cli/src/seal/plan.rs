//! What is to be sealed, found before a device is touched.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::NamedTempFile;
use vram_residency::{ModelFolder, shard_id};
use vram_seal::ShardId;

use super::{Expected, Hashing, Options, sample};
use crate::exit::Misused;

/// Everything that one run seals, in order.
pub(super) struct Plan {
    pub(super) work: Vec<Work>,
}

/// One thing to seal.
pub(super) enum Work {
    File { id: ShardId, path: PathBuf },
    Folder { path: PathBuf, folder: ModelFolder },
    Sample { id: ShardId, file: NamedTempFile },
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
    pub(super) fn new(options: &Options) -> anyhow::Result<Self> {
        require_sense(options)?;
        let work = if options.paths.is_empty() {
            vec![sample(options)?]
        } else {
            let work = options.paths.iter().map(|path| look(path, options));
            work.collect::<anyhow::Result<_>>()?
        };
        Ok(Self { work })
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
    let mut rest = expected.as_slice();
    while let [first, others @ ..] = rest {
        if others.iter().any(|other| first.is_like(other)) {
            return Err(misused(
                "--expect may be given once for each kind of digest",
            ));
        }
        rest = others;
    }
    require_computed(options.hashing, &expected)
}

/// A digest that is expected must be one that is computed, and what is trusted must be given.
fn require_computed(hashing: Hashing, expected: &[Expected]) -> anyhow::Result<()> {
    let content = expected.iter().any(Expected::is_content);
    match hashing {
        Hashing::Verity | Hashing::Trusted if content => Err(misused(
            "a SHA-256 is computed by --hashing both alone; expect the verity digest instead",
        )),
        Hashing::Trusted if expected.is_empty() => Err(misused(
            "--hashing trusted needs the digest to trust; give one file and --expect-verity, as \
             `fsverity digest` prints it",
        )),
        Hashing::Both | Hashing::Verity | Hashing::Trusted => Ok(()),
    }
}

fn misused(what: &str) -> anyhow::Error {
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

fn look(path: &Path, options: &Options) -> anyhow::Result<Work> {
    let found = std::fs::metadata(path).with_context(|| path.display().to_string())?;
    if found.is_dir() {
        let (path, folder) = (path.to_owned(), ModelFolder::open(path)?);
        return Ok(Work::Folder { path, folder });
    }
    let id = match &options.id {
        Some(id) => id.clone(),
        None => shard_id(path).with_context(|| {
            format!("{} gives no shard id; choose one with --id", path.display())
        })?,
    };
    Ok(Work::File {
        id,
        path: path.to_owned(),
    })
}
