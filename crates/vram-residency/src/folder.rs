//! A folder of model files, as a set of shards.

mod contents;
mod difference;
mod signed;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use vram_alloc::Bytes;
use vram_seal::{ModelRef, SetPosition, ShardId};

use self::contents::MAX_ENTRIES;
use crate::expectation::Expectation;
use crate::hashing::HostHashing;
use crate::manager::{Manager, lock};
use crate::model::FormatHint;
use crate::progress::{Progress, Silent};
use crate::request::SealRequest;
use crate::shard::SealedShard;
use crate::source::failed;
use crate::sync::{Mutex, scope, spawn_scoped};
use crate::together::{Sum, Together};
use crate::{Error, Result};

pub use self::difference::FolderDifference;
pub use self::signed::SignedFolder;
pub(crate) use self::signed::{relative_to, require_no_link};

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
    /// The digest that its bytes have to have as they are sealed, if one is expected.
    pub expectation: Option<Expectation>,
}

impl ModelFile {
    fn new(path: PathBuf, size: u64, expectation: Option<Expectation>) -> Result<Self> {
        Ok(Self {
            id: shard_id(&path)?,
            size: Bytes(size),
            expectation,
            path,
        })
    }

    /// To seal it, with what is expected of it.
    fn request<'a>(&self) -> SealRequest<'a> {
        let request = SealRequest::file(self.id.clone(), &self.path);
        match &self.expectation {
            Some(expectation) => request.expect(expectation.clone()),
            None => request,
        }
    }
}

impl ModelFolder {
    /// Finds the `*.safetensors` and `*.gguf` files of a folder, not of the folders within.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it can't be listed, [`Error::FolderTooLarge`] if it has more entries than
    /// [`Manifest::MAX_ENTRIES`](vram_provenance::Manifest::MAX_ENTRIES), [`Error::NoModels`] if it holds no model,
    /// [`Error::Duplicate`] if two names give one id.
    pub fn open(folder: &Path) -> Result<Self> {
        let listing = |source| failed(folder, "listing it", source);
        let mut files = Vec::new();
        for (number, entry) in (1..).zip(std::fs::read_dir(folder).map_err(listing)?) {
            contents::require_at_most(folder, number, "entries", MAX_ENTRIES)?;
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
            files.push(ModelFile::new(path, found.len(), None)?);
        }
        Self::of(folder, files)
    }

    /// These files of a folder.
    fn of(folder: &Path, mut files: Vec<ModelFile>) -> Result<Self> {
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

    /// Expects something of every file: what `expect` gives for each.
    ///
    /// ```no_run
    /// # use std::path::Path;
    /// use vram_residency::{Expectation, ModelFolder};
    ///
    /// let folder = Path::new("models--a--b/snapshots/0123abc");
    /// let folder = ModelFolder::open(folder)?.expecting(|file| Expectation::cached(&file.path))?;
    /// # Ok::<(), vram_residency::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first that `expect` gives.
    pub fn expecting(mut self, expect: impl Fn(&ModelFile) -> Result<Expectation>) -> Result<Self> {
        for file in &mut self.files {
            file.expectation = Some(expect(file)?);
        }
        Ok(self)
    }

    /// The files, in order.
    #[must_use]
    pub fn files(&self) -> &[ModelFile] {
        &self.files
    }
}

impl Manager {
    /// Seals every model file of a folder as a shard of one set: all of them, or none. Several files
    /// are sealed at a time; the shards are in the files' order.
    ///
    /// # Errors
    ///
    /// As [`seal`](Self::seal), for the first file of those that failed; the others are given up then,
    /// and what was sealed is wiped and given back. That all of them fit is checked before the first
    /// is read.
    pub fn seal_folder(
        &self,
        folder: &ModelFolder,
        model: Option<&ModelRef>,
    ) -> Result<Vec<SealedShard>> {
        self.seal_folder_with(folder, model, &Silent)
    }

    /// As [`seal_folder`](Self::seal_folder), telling how far all files together have come.
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
        self.seal_folder_hashing(folder, model, HostHashing::default(), progress)
    }

    /// As [`seal_folder_with`](Self::seal_folder_with), choosing what the host computes.
    ///
    /// # Errors
    ///
    /// As [`seal_folder`](Self::seal_folder); [`Error::Hashing`] where a file's expectation can't be told by hashing so:
    /// [`Trusted`](HostHashing::Trusted) takes verity digests, a content digest takes
    /// [`ContentAndVerity`](HostHashing::ContentAndVerity).
    pub fn seal_folder_hashing(
        &self,
        folder: &ModelFolder,
        model: Option<&ModelRef>,
        hashing: HostHashing,
        progress: &dyn Progress,
    ) -> Result<Vec<SealedShard>> {
        self.require_running()?;
        let sizes = || folder.files.iter().map(|file| file.size.0);
        for file in &folder.files {
            file.request().hashing(hashing).require_sense()?;
            self.require_limits(&file.id, file.size.0)?;
        }
        let checked = self.settings().allocator.check_all(sizes());
        checked.map_err(|error| self.explain(error))?;
        let set = Set {
            manager: self,
            folder,
            model,
            hashing,
            sum: Sum::new(progress, sizes().fold(0, u64::saturating_add)),
            together: Together::of(abreast(folder.files.len())),
            next: AtomicUsize::new(0),
            sealed: Mutex::default(),
        };
        set.seal()
    }
}

/// How many of so many files are sealed at a time.
fn abreast(files: usize) -> NonZeroUsize {
    let cores = available_parallelism().unwrap_or(NonZeroUsize::MIN);
    NonZeroUsize::new(files).map_or(cores, |files| files.min(cores))
}

/// A folder being sealed: all of it, or nothing.
struct Set<'a> {
    manager: &'a Manager,
    folder: &'a ModelFolder,
    model: Option<&'a ModelRef>,
    hashing: HostHashing,
    sum: Sum<'a>,
    together: Together,
    /// The next file to be sealed.
    next: AtomicUsize,
    /// What came of each file that was begun.
    sealed: Mutex<BTreeMap<usize, Result<SealedShard>>>,
}

impl Set<'_> {
    fn seal(self) -> Result<Vec<SealedShard>> {
        scope(|scope| {
            let others = 1..self.together.seals().get();
            let spawn = |_| spawn_scoped(scope, "vram-seal", || self.work());
            // A thread that the system doesn't give is done without.
            let threads: Vec<_> = others.flat_map(spawn).collect();
            self.work();
            for thread in threads {
                if let Err(panic) = thread.join() {
                    resume_unwind(panic);
                }
            }
        });
        let sealed = self.sealed.into_inner();
        let sealed = sealed.unwrap_or_else(PoisonError::into_inner).into_values();
        let (good, bad): (Vec<_>, Vec<_>) = sealed.partition(Result::is_ok);
        // The first that failed, not one that was given up because of it.
        let given_up = |error: &Error| matches!(error, Error::Cancelled { .. });
        let mut errors: Vec<Error> = bad.into_iter().filter_map(Result::err).collect();
        errors.sort_by_key(given_up);
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        self.sum.finish();
        Ok(good.into_iter().flatten().collect())
    }

    /// Seals one file after the other until there are none left, or one failed.
    fn work(&self) {
        let mut alarm = Alarm {
            together: &self.together,
            armed: true,
        };
        while !self.together.is_cancelled() {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = self.folder.files.get(index) else {
                break;
            };
            let sealed = self.seal_file(index, file);
            if sealed.is_err() {
                self.together.cancel();
            }
            lock(&self.sealed).insert(index, sealed);
        }
        alarm.armed = false;
    }

    fn seal_file(&self, index: usize, file: &ModelFile) -> Result<SealedShard> {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let position = SetPosition::new(number(index), number(self.folder.files.len()))?;
        let part = self.sum.part();
        let mut request = file
            .request()
            .position(position)
            .hashing(self.hashing)
            .progress(&part);
        request.model = self.model.cloned();
        self.manager.seal_beside(request, &self.together)
    }
}

/// Gives the other files up if its thread panics.
struct Alarm<'a> {
    together: &'a Together,
    armed: bool,
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.together.cancel();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_are_sealed_at_a_time_as_there_are_cores_for() {
        let cores = available_parallelism().unwrap();
        assert_eq!(abreast(1).get(), 1);
        assert_eq!(abreast(usize::MAX), cores);
        assert_eq!(abreast(0), cores);
    }

    #[test]
    fn a_thread_that_panics_gives_the_other_files_up() {
        let cancelled = |armed| {
            let together = Together::alone();
            drop(Alarm {
                together: &together,
                armed,
            });
            together.is_cancelled()
        };

        assert!(cancelled(true));
        assert!(!cancelled(false));
    }
}
