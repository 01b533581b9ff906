//! The evidence, and the files that its shards must be.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use vram_residency::{ModelFolder, shard_id};
use vram_seal::dsse::Envelope;
use vram_seal::evidence::{Challenge, ExpectedShard};
use vram_seal::{HashPlan, Salt, ShardDigests, ShardId, hash_reader};

use crate::exit::Misused;
use crate::progress::Display;

/// A file whose shard's id is given: `ID=FILE`.
#[derive(Clone, Debug)]
pub(super) struct Named {
    id: ShardId,
    path: PathBuf,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, path) = text.split_once('=').ok_or("give ID=FILE")?;
        Ok(Self {
            id: id.parse().map_err(|error| format!("{error}"))?,
            path: path.into(),
        })
    }
}

/// The file that each shard must be.
#[derive(Debug, Default)]
pub(super) struct Shards(BTreeMap<ShardId, PathBuf>);

impl Shards {
    /// Looks at every path, so that a mistake in the last shows before the first is hashed.
    pub(super) fn find(model: &[PathBuf], named: &[Named]) -> anyhow::Result<Self> {
        let mut shards = Self::default();
        for path in model {
            let found = std::fs::metadata(path).with_context(|| path.display().to_string())?;
            if found.is_dir() {
                for file in ModelFolder::open(path)?.files() {
                    shards.add(file.id.clone(), &file.path)?;
                }
            } else {
                let id = shard_id(path).with_context(|| {
                    let path = path.display();
                    format!("{path} gives no shard id; name its shard with --shard ID={path}")
                })?;
                shards.add(id, path)?;
            }
        }
        for Named { id, path } in named {
            shards.add(id.clone(), path)?;
        }
        Ok(shards)
    }

    fn add(&mut self, id: ShardId, path: &Path) -> anyhow::Result<()> {
        let found = std::fs::metadata(path).with_context(|| path.display().to_string())?;
        anyhow::ensure!(found.is_file(), "{} is no regular file", path.display());
        if let Some(first) = self.0.get(&id) {
            let (first, second) = (first.display(), path.display());
            let what =
                format!("{first} and {second} would both be shard {id}; use --shard ID=FILE");
            return Err(Misused(what).into());
        }
        self.0.insert(id, path.to_owned());
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What each shard must be: its file's size and digests, and the answer to the challenge.
    pub(super) fn hash(
        &self,
        challenge: Option<&Challenge>,
        display: &Display,
    ) -> anyhow::Result<BTreeMap<ShardId, ExpectedShard>> {
        let hash = |(id, path): (&ShardId, &PathBuf)| {
            display.doing(id.as_str(), "hash");
            let expected = expected(path, challenge);
            let expected = expected.with_context(|| path.display().to_string())?;
            Ok((id.clone(), expected))
        };
        self.0.iter().map(hash).collect()
    }
}

fn expected(path: &Path, challenge: Option<&Challenge>) -> anyhow::Result<ExpectedShard> {
    let mut file = File::open(path)?;
    let plain = hash_reader(&mut file, HashPlan::BOTH, &Salt::none())?;
    let answer = |challenge: &Challenge| -> anyhow::Result<ShardDigests> {
        file.rewind()?;
        Ok(hash_reader(&mut file, HashPlan::VERITY, &challenge.salt())?)
    };
    let answer = challenge.map(answer).transpose()?;
    Ok(ExpectedShard::of_digests(&plain, answer.as_ref()))
}

/// The evidence's bytes; of a file that is longer than evidence can be one more than that, which is refused as too
/// long.
pub(super) fn evidence(name: &OsStr) -> anyhow::Result<Vec<u8>> {
    let read = |from: &mut dyn Read| -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let longest = u64::try_from(Envelope::MAX_LEN).unwrap_or(u64::MAX);
        from.take(longest.saturating_add(1))
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = if name == "-" {
        read(&mut io::stdin().lock())
    } else {
        File::open(name).and_then(|mut file| read(&mut file))
    };
    bytes.with_context(|| format!("the evidence {} can't be read", name.display()))
}
