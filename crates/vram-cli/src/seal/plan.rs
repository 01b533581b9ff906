//! What is to be sealed, found before a device is touched.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::NamedTempFile;
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
        // Each path is looked at once, and everything goes by what was found there.
        let found: Vec<_> = options.paths.iter().map(|path| Kind::at(path)).collect();
        Self::of(options, found)
    }

    /// As [`new`](Self::new), with what lies at each path.
    fn of(options: &Options, found: Vec<anyhow::Result<Kind>>) -> anyhow::Result<Self> {
        require_sense(options, &found)?;
        let found: Vec<Kind> = found.into_iter().collect::<anyhow::Result<_>>()?;
        let plan = Self::found(options, &found)?;
        plan.require_all_compared(options)?;
        Ok(plan)
    }

    fn found(options: &Options, found: &[Kind]) -> anyhow::Result<Self> {
        if let Some(signature) = options.signature.verify()? {
            return Self::signed(options, found, signature);
        }
        let source = options.source.open()?;
        let work = if options.paths.is_empty() {
            vec![sample(options)?]
        } else {
            let paths = options.paths.iter().zip(found);
            let work = paths.map(|(path, kind)| look(path, *kind, options, source.as_ref()));
            work.collect::<anyhow::Result<_>>()?
        };
        Ok(Self { work, signed: None })
    }

    /// The one model that was signed.
    fn signed(options: &Options, found: &[Kind], signature: Verified) -> anyhow::Result<Self> {
        let ([path], [kind]) = (options.paths.as_slice(), found) else {
            return Err(misused(
                "--model-signature is of one model: give its folder, or the file that was signed alone",
            ));
        };
        let (mut checked, mut uncovered) = (Vec::new(), Vec::new());
        let follow = options.signature.follow_links;
        let work = if *kind == Kind::Folder {
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
            let expectation = Expectation::signed_alone(&signature.manifest, path, follow)?;
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

    /// Nothing is expected that the work, as it is planned, won't compare: a file its digests, a folder its root.
    fn require_all_compared(&self, options: &Options) -> anyhow::Result<()> {
        let (file, folder) = match self.work.as_slice() {
            [Work::File { .. } | Work::Sample { .. }] => (true, false),
            [Work::Folder { .. }] => (false, true),
            _ => (false, false),
        };
        let of_file = !options.expected().is_empty() || options.id.is_some();
        if of_file && !file {
            return Err(misused(
                "what is expected of a single file would be compared with nothing; give one file",
            ));
        }
        options.set.require_sense(folder, file)
    }
}

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Anything but a folder: whether it can be sealed is seen when it is opened.
    File,
    Folder,
}

impl Kind {
    fn at(path: &Path) -> anyhow::Result<Self> {
        let found = std::fs::metadata(path).with_context(|| path.display().to_string())?;
        Ok(if found.is_dir() {
            Self::Folder
        } else {
            Self::File
        })
    }
}

/// What is said of one file can't be said of several.
fn require_sense(options: &Options, found: &[anyhow::Result<Kind>]) -> anyhow::Result<()> {
    let folder = matches!(found, [Ok(Kind::Folder)]);
    let single = !folder && found.len() <= 1;
    if options.id.is_some() && !single {
        return Err(misused("--id names a single file's shard; give one file"));
    }
    options.set.require_sense(folder, single)?;
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

fn look(
    path: &Path,
    kind: Kind,
    options: &Options,
    source: Option<&Source>,
) -> anyhow::Result<Work> {
    if kind == Kind::Folder {
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Parsed {
        #[command(flatten)]
        options: Options,
    }

    fn options(option: &str, path: &Path) -> Options {
        let arguments = [
            "seal".as_ref(),
            "--simulated".as_ref(),
            option.as_ref(),
            path.as_os_str(),
        ];
        Parsed::try_parse_from(arguments).unwrap().options
    }

    /// A folder with a model file, and all that is only ever said of a single file.
    fn folder() -> (tempfile::TempDir, [String; 4]) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("m.gguf"), b"GGUF").unwrap();
        let hex = "ab".repeat(32);
        let said = [
            format!("--expect=sha256:{hex}"),
            format!("--expect-verity={hex}"),
            "--id=shard".to_owned(),
            "--position=1/2".to_owned(),
        ];
        (folder, said)
    }

    #[test]
    fn a_file_that_becomes_a_folder_once_it_was_looked_at_is_sealed_as_a_file_or_not_at_all() {
        let (folder, said) = folder();
        for option in &said {
            let options = options(option, folder.path());

            // As it was found, before it was exchanged for a folder.
            let plan = Plan::of(&options, vec![Ok(Kind::File)]).unwrap();

            assert!(
                matches!(plan.work.as_slice(), [Work::File { .. }]),
                "{option}"
            );
            assert!(Plan::new(&options).is_err(), "{option}");
        }
    }

    #[test]
    fn a_folder_that_becomes_a_file_once_it_was_looked_at_is_no_set() {
        let (folder, _) = folder();
        let root = format!("--expect-set-root={}", "ab".repeat(32));
        let file = folder.path().join("m.gguf");

        let exchanged = Plan::of(&options(&root, &file), vec![Ok(Kind::Folder)]);

        assert!(exchanged.is_err());
        assert!(Plan::new(&options(&root, &file)).is_err());
        assert!(Plan::new(&options(&root, folder.path())).is_ok());
    }

    #[test]
    fn what_is_expected_and_would_not_be_compared_is_refused_whatever_was_planned() {
        let (folder, said) = folder();
        let models = ModelFolder::open(folder.path()).unwrap();
        let plan = Plan {
            work: vec![Work::Folder {
                path: folder.path().to_owned(),
                folder: models,
            }],
            signed: None,
        };
        for option in &said {
            let options = options(option, folder.path());
            assert!(plan.require_all_compared(&options).is_err(), "{option}");
        }
        let path = folder.path().join("m.gguf");
        let plan = Plan {
            work: vec![Work::File {
                id: "shard".parse().unwrap(),
                path: path.clone(),
                expectation: None,
            }],
            signed: None,
        };
        let root = format!("--expect-set-root={}", "ab".repeat(32));
        assert!(plan.require_all_compared(&options(&root, &path)).is_err());
        for option in &said {
            plan.require_all_compared(&options(option, &path)).unwrap();
        }
    }
}
