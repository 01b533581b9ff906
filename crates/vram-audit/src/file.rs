//! The files that a trail is kept in: created closed to others, locked, appended to, continued.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use vram_seal::VerifyingKey;

use crate::lines::Source;
use crate::scribe::Start;
use crate::{Ending, Error, Options, Result, Store, Summary, Verdict, Verifier};

/// Read and write for the owner, nothing for others.
const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// How a file is opened in any case: never through a symbolic link, never waiting for a pipe.
const FLAGS: OFlags = OFlags::RDWR
    .union(OFlags::APPEND)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// Digits of a later file's number.
const DIGITS: usize = 6;

/// The directory and the names of a trail's files.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    dir: OwnedFd,
    /// The first file's name.
    name: String,
    /// How often the names in it were written to disk.
    #[cfg(test)]
    syncs: std::sync::atomic::AtomicU32,
}

/// A trail's newest file, open, and the lock that keeps other writers away.
#[derive(Debug)]
pub(crate) struct Files {
    folder: Folder,
    file: File,
    _lock: File,
}

/// Opens or creates the trail at `path`, for one writer alone.
pub(crate) fn open(path: &Path, key: &VerifyingKey, options: &Options) -> Result<(Files, Start)> {
    let folder = Folder::for_writing(path)?;
    let lock_name = format!("{}.lock", folder.name);
    let lock = folder.open_or_create(&lock_name)?;
    folder.lock(&lock, &lock_name)?;
    let (file, start) = match folder.newest()? {
        None => (folder.create(0)?, Start::Fresh { cut_bytes: 0 }),
        Some(number) => folder.resume(number, key, options)?,
    };
    let files = Files {
        folder,
        file,
        _lock: lock,
    };
    Ok((files, start))
}

impl Folder {
    fn open(path: &Path) -> Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Error::Unsafe {
            path: path.to_owned(),
            reason: "it has no file name in UTF-8: give one".to_owned(),
        })?;
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new("."));
        let io = |source: Errno| Error::io("opening the directory", parent, source);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = fs::open(parent, flags, Mode::empty()).map_err(io)?;
        Ok(Self {
            path: parent.to_owned(),
            dir,
            name: name.to_owned(),
            #[cfg(test)]
            syncs: std::sync::atomic::AtomicU32::new(0),
        })
    }

    /// As [`open`](Self::open), but only if nobody else can replace what is in the directory. That is asked of
    /// a writer's alone: whoever reads relies on signatures, wherever the files were copied to.
    fn for_writing(path: &Path) -> Result<Self> {
        let folder = Self::open(path)?;
        let stat = fs::fstat(&folder.dir);
        let stat = stat.map_err(|source| Error::io("asking the mode of", &folder.path, source))?;
        let mode = Mode::from_raw_mode(stat.st_mode);
        // Where a directory is sticky others can't rename or remove what isn't theirs.
        if mode.intersects(Mode::WGRP | Mode::WOTH) && !mode.contains(Mode::SVTX) {
            return Err(Error::Unsafe {
                path: folder.path,
                reason: "group or others may write to this directory, and so replace the trail: \
                         chmod go-w, or use another"
                    .to_owned(),
            });
        }
        Ok(folder)
    }

    /// Has the names of the files that were created written to disk.
    fn sync(&self) -> Result<()> {
        #[cfg(test)]
        self.syncs
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        fs::fsync(&self.dir)
            .map_err(|source| Error::io("writing through to disk", &self.path, source))
    }

    fn name_of(&self, number: u32) -> String {
        match number {
            0 => self.name.clone(),
            number => format!("{}.{number:0DIGITS$}", self.name),
        }
    }

    fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The highest number of a file that is there.
    fn newest(&self) -> Result<Option<u32>> {
        let io = |source: Errno| Error::io("listing", &self.path, source);
        let mut newest = None;
        for entry in Dir::read_from(&self.dir).map_err(io)? {
            let entry = entry.map_err(io)?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            newest = newest.max(self.number_of(name));
        }
        Ok(newest)
    }

    fn number_of(&self, name: &str) -> Option<u32> {
        let rest = name.strip_prefix(&self.name)?;
        if rest.is_empty() {
            return Some(0);
        }
        let number = rest.strip_prefix('.')?.parse().ok()?;
        (number > 0 && self.name_of(number) == name).then_some(number)
    }

    /// Creates a file that must not be there yet, and has its name written to disk.
    fn create(&self, number: u32) -> Result<File> {
        let name = self.name_of(number);
        let io = |source: Errno| Error::io("creating", self.path_of(&name), source);
        let flags = FLAGS | OFlags::CREATE | OFlags::EXCL;
        let file = File::from(fs::openat(&self.dir, &name, flags, MODE).map_err(io)?);
        self.lock(&file, &name)?;
        self.sync()?;
        Ok(file)
    }

    fn open_or_create(&self, name: &str) -> Result<File> {
        match self.open_existing(name) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let io = |source: Errno| Error::io("creating", self.path_of(name), source);
                // Another writer may create it at this moment: the lock decides.
                let flags = FLAGS | OFlags::CREATE;
                fs::openat(&self.dir, name, flags, MODE).map_err(io)?;
                self.open_existing(name)
            }
            opened => opened,
        }
    }

    fn open_existing(&self, name: &str) -> Result<File> {
        let path = self.path_of(name);
        let refused = |reason: &str| Error::Unsafe {
            path: path.clone(),
            reason: reason.to_owned(),
        };
        let io = |source: Errno| match source {
            Errno::LOOP => refused("it is a symbolic link: give the file itself"),
            source => Error::io("opening", &path, source),
        };
        // A directory can't be opened for writing, so ask what it is before that.
        let stat = fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(io)?;
        safe(&stat).map_err(refused)?;
        let file = fs::openat(&self.dir, name, FLAGS, Mode::empty()).map_err(io)?;
        // What was opened, and not what had its name a moment ago.
        safe(&fs::fstat(&file).map_err(io)?).map_err(refused)?;
        Ok(File::from(file))
    }

    fn lock(&self, file: &File, name: &str) -> Result<()> {
        let path = self.path_of(name);
        fs::flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|source| match source {
            Errno::WOULDBLOCK => Error::Locked { path },
            source => Error::io("locking", path, source),
        })
    }

    /// Verifies a trail's newest file, cuts off a torn line, and says where the chain goes on.
    fn resume(&self, number: u32, key: &VerifyingKey, options: &Options) -> Result<(File, Start)> {
        let name = self.name_of(number);
        let file = self.open_existing(&name)?;
        self.lock(&file, &name)?;
        // Whoever created it may have been killed before its name was written to disk: what is acknowledged
        // from now on must not vanish with it.
        self.sync()?;
        let size = file
            .metadata()
            .map_err(|source| Error::io("asking the size of", self.path_of(&name), source))?
            .len();
        let found = self.verify(number, &file, key, options)?;
        let (complete, cut_bytes) = match found {
            Found::Trail(ref summary) => match summary.ending {
                Ending::Torn { bytes } | Ending::Zeroed { bytes } => {
                    (summary.complete_bytes, bytes)
                }
                _ => (size, 0),
            },
            Found::Nothing => (0, size),
        };
        let start = match (found, number.checked_sub(1)) {
            (Found::Nothing, None) => Start::Fresh { cut_bytes },
            // Killed after the file was created: the one before it ends the chain.
            (Found::Nothing, Some(before)) => {
                let before_name = self.name_of(before);
                let before_file = self.open_existing(&before_name)?;
                match self.verify(before, &before_file, key, options)? {
                    Found::Trail(summary) if summary.ending == Ending::Rotated => {
                        self.named(&summary, &before_name, options)?;
                        existing(&summary, before, 0, cut_bytes, Some(true))
                    }
                    _ => None,
                }
                .ok_or_else(|| Error::Unsafe {
                    path: self.path_of(&name),
                    reason: format!(
                        "it holds no record, and {before_name} does not lead to it: move it away"
                    ),
                })?
            }
            (Found::Trail(summary), _) => {
                self.named(&summary, &name, options)?;
                let next_file = (summary.ending == Ending::Rotated).then_some(false);
                existing(&summary, number, complete, cut_bytes, next_file).ok_or(Error::Closed)?
            }
        };
        if cut_bytes > 0 {
            let io =
                |source: Errno| Error::io("cutting a torn line off", self.path_of(&name), source);
            fs::ftruncate(&file, complete).map_err(io)?;
            fs::fdatasync(&file).map_err(io)?;
        }
        Ok((file, start))
    }

    /// Refuses a trail of another name.
    fn named(&self, summary: &Summary, name: &str, options: &Options) -> Result<()> {
        if summary.trail.as_deref() == Some(&options.name) {
            return Ok(());
        }
        Err(Error::OtherTrail {
            path: self.path_of(name),
            found: summary.trail.clone().unwrap_or_default(),
            expected: options.name.clone(),
        })
    }

    fn verify(
        &self,
        number: u32,
        file: &File,
        key: &VerifyingKey,
        options: &Options,
    ) -> Result<Found> {
        let path = self.path_of(&self.name_of(number));
        let bytes = file
            .try_clone()
            .map_err(|source| Error::io("reading", &path, source))?;
        let mut verifier = Verifier::new(options.former_keys.iter().chain([key]).cloned());
        if number > 0 {
            verifier = verifier.from_continuation();
        }
        match verifier.verify([Source::reader(&path, bytes)])? {
            Verdict::Intact(summary) => Ok(Found::Trail(Box::new(summary))),
            Verdict::Broken { fault, .. } if fault.why == crate::Why::Empty => Ok(Found::Nothing),
            Verdict::Broken { fault, .. } => Err(Error::NotIntact { path, fault }),
        }
    }
}

enum Found {
    Trail(Box<Summary>),
    /// No complete record.
    Nothing,
}

fn existing(
    summary: &Summary,
    file: u32,
    bytes: u64,
    cut_bytes: u64,
    next_file: Option<bool>,
) -> Option<Start> {
    Some(Start::Existing {
        id: summary.id?,
        head: summary.head?,
        file,
        bytes,
        was_closed: summary.ending == Ending::Closed,
        cut_bytes,
        next_file,
    })
}

/// Whether a file is one that nobody else can write to or read.
fn safe(stat: &Stat) -> Result<(), &'static str> {
    let kind = FileType::from_raw_mode(stat.st_mode);
    let mode = Mode::from_raw_mode(stat.st_mode);
    if kind == FileType::Symlink {
        Err("it is a symbolic link: give the file itself")
    } else if kind != FileType::RegularFile {
        Err("it is not a regular file: give another path")
    } else if stat.st_uid != rustix::process::geteuid().as_raw() {
        Err("it belongs to another user: give another path")
    } else if mode.intersects(Mode::RWXG | Mode::RWXO) {
        Err("group or others have access to it: chmod 600")
    } else if stat.st_nlink != 1 {
        Err("it has another name as well (a hard link): remove that")
    } else {
        Ok(())
    }
}

impl Store for Files {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(fs::fdatasync(&self.file)?)
    }

    fn next_file(&mut self, number: u32) -> io::Result<()> {
        self.file = self.folder.create(number).map_err(io::Error::other)?;
        Ok(())
    }
}

/// The files of the trail at `path`, in their order: the first, and those with a number.
///
/// For reading them: nothing is asked of the directory or the files but that they are there.
///
/// # Errors
/// [`Error::Io`] if the directory can't be read.
pub fn files_of(path: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let folder = Folder::open(path.as_ref())?;
    let newest = folder.newest()?;
    let mut files = Vec::new();
    for number in 0..=newest.unwrap_or(0) {
        let path = folder.path_of(&folder.name_of(number));
        // A file that is missing between others shows when they are verified.
        if newest.is_some() && path.symlink_metadata().is_ok() {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use vram_seal::{SignatureAlgorithm, SigningKey};

    use super::*;

    #[test]
    fn a_file_that_was_found_has_its_name_written_to_disk_like_one_that_was_created() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let key = SigningKey::generate(SignatureAlgorithm::Ed25519).unwrap();
        let options = Options::new("tests").unwrap();
        let syncs = || {
            let (files, _start) = open(&path, key.verifying_key(), &options).unwrap();
            files.folder.syncs.load(Ordering::Relaxed)
        };
        let created = syncs();
        assert!(path.exists());
        // Its writer was killed right after: whether the name is on disk is unknown.
        let found = syncs();
        assert_eq!((created, found), (1, 1));
    }
}
