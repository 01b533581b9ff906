//! A folder of model files, as a set of shards.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use vram_alloc::Bytes;
use vram_seal::{ModelRef, SetPosition, ShardId};

use crate::manager::Manager;
use crate::model::FormatHint;
use crate::progress::{Progress, Silent};
use crate::request::SealRequest;
use crate::shard::SealedShard;
use crate::source::failed;
use crate::{Error, Result};

/// The model files of a folder, found and named, in the order of their names: each becomes a shard,
/// and knows its position in the set.
#[derive(Clone, Debug)]
pub struct ModelFolder {
    files: Vec<ModelFile>,
}

/// A model file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its id as a shard, made from its name.
    pub id: ShardId,
    /// Its size when the folder was looked at.
    pub size: Bytes,
}

impl ModelFolder {
    /// Finds the `*.safetensors` and `*.gguf` files of a folder, not of the folders within.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it can't be listed, [`Error::NoModels`] if it holds none,
    /// [`Error::Duplicate`] if two names give one id.
    pub fn open(folder: &Path) -> Result<Self> {
        let listing = |source| failed(folder, "listing it", source);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(listing)? {
            let path = entry.map_err(listing)?.path();
            if FormatHint::from_path(&path) == FormatHint::Unknown {
                continue;
            }
            // Follows links: download caches keep files elsewhere and link to them.
            let found = std::fs::metadata(&path);
            let found = found.map_err(|source| failed(&path, "looking at it", source))?;
            if found.is_dir() {
                continue;
            }
            files.push(ModelFile {
                id: shard_id(&path)?,
                size: Bytes(found.len()),
                path,
            });
        }
        if files.is_empty() {
            return Err(Error::NoModels {
                path: folder.to_owned(),
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut ids = std::collections::BTreeSet::new();
        if let Some(twice) = files.iter().find(|file| !ids.insert(&file.id)) {
            return Err(Error::Duplicate {
                shard: twice.id.clone(),
            });
        }
        Ok(Self { files })
    }

    /// The files, in order.
    #[must_use]
    pub fn files(&self) -> &[ModelFile] {
        &self.files
    }
}

impl Manager {
    /// Seals every model file of a folder as a shard of one set: all of them, or none.
    ///
    /// # Errors
    ///
    /// As [`seal`](Self::seal), for the first file that can't be sealed; those sealed before it are
    /// wiped and given back. That all of them fit is checked before the first is read.
    pub fn seal_folder(
        &self,
        folder: &ModelFolder,
        model: Option<&ModelRef>,
    ) -> Result<Vec<SealedShard>> {
        self.seal_folder_with(folder, model, &Silent)
    }

    /// As [`seal_folder`](Self::seal_folder), telling how far each file has come.
    ///
    /// # Errors
    ///
    /// As [`seal_folder`](Self::seal_folder).
    pub fn seal_folder_with(
        &self,
        folder: &ModelFolder,
        model: Option<&ModelRef>,
        progress: &dyn Progress,
    ) -> Result<Vec<SealedShard>> {
        self.require_running()?;
        let sizes = folder.files.iter().map(|file| file.size.0);
        for file in &folder.files {
            self.require_size(&file.id, file.size.0)?;
        }
        self.settings().allocator.check_all(sizes)?;
        let total = u32::try_from(folder.files.len()).unwrap_or(u32::MAX);
        (0..)
            .zip(&folder.files)
            .map(|(index, file)| {
                let mut request = SealRequest::file(file.id.clone(), &file.path)
                    .position(SetPosition::new(index, total)?)
                    .progress(progress);
                request.model = model.cloned();
                self.seal(request)
            })
            .collect()
    }
}

/// A shard id from a file's name: what an id can't hold becomes `_`.
///
/// # Errors
///
/// [`Error::Seal`] for a name that gives no valid id, by its length for one.
pub fn shard_id(path: &Path) -> Result<ShardId> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
    let name: String = name
        .chars()
        .map(|letter| if allowed(letter) { letter } else { '_' })
        .collect();
    Ok(name.trim_start_matches('.').replace("..", "._").parse()?)
}
