//! Files to seal: made quickly, of bytes that look random, and gone however the command ends.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::Context as _;
use tempfile::TempDir;

/// Bytes that a thread writes at a time.
const PIECE: u64 = 4 << 20;

/// Where files go: the folder asked for; or memory, where Linux has a file system in it with room for
/// them; or the folder for temporary files.
pub(super) fn folder(asked: Option<&Path>, memory_len: u64) -> PathBuf {
    if let Some(folder) = asked {
        return folder.to_owned();
    }
    let memory = Path::new("/dev/shm");
    let roomy = super::host::free_space(memory).is_some_and(|free| free / 2 > memory_len);
    if cfg!(target_os = "linux") && roomy {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// A file of bytes that look random, in the page cache.
///
/// On Linux it has no name: each process that inherits it reaches it through itself, and it goes with
/// them.
#[derive(Debug)]
pub(super) struct TestFile {
    file: File,
    path: PathBuf,
    /// Where it has a name.
    _named: Option<tempfile::TempPath>,
}

impl TestFile {
    /// A file that starts with `head` and goes on with noise, `len` bytes in all.
    pub(super) fn make(folder: &Path, seed: u64, head: &[u8], len: u64) -> anyhow::Result<Self> {
        let made = Self::create(folder).and_then(|made| {
            made.file.set_len(len)?;
            fill(&made.file, seed, len)?;
            write_at(&made.file, head, 0)?;
            warm(&made.file, len)?;
            Ok(made)
        });
        made.with_context(|| {
            format!(
                "a file of {len} bytes can't be made in {}",
                folder.display()
            )
        })
    }

    #[cfg(target_os = "linux")]
    fn create(folder: &Path) -> io::Result<Self> {
        use std::os::fd::AsRawFd as _;
        let file = tempfile::tempfile_in(folder)?;
        // Children can't look into this process, which can't be dumped: they inherit what they read.
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        Ok(Self {
            file,
            path,
            _named: None,
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn create(folder: &Path) -> io::Result<Self> {
        let (file, named) = tempfile::NamedTempFile::new_in(folder)?.into_parts();
        Ok(Self {
            file,
            path: named.to_path_buf(),
            _named: Some(named),
        })
    }

    /// A path that it can be opened by as long as this value lives, by children of this process too.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Model files in a folder of their own, each `SafeTensors` with one tensor of noise.
#[derive(Debug)]
pub(super) struct TestSet {
    folder: TempDir,
    _files: Vec<TestFile>,
}

impl TestSet {
    pub(super) fn make(within: &Path, files: u64, len: u64) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("vram-bench-")
            .tempdir_in(within)
            .with_context(|| within.display().to_string())?;
        let head = header(len);
        let files = (0..files).map(|index| {
            let file = TestFile::make(within, index.saturating_add(1), &head, len)?;
            let name = folder.path().join(format!("part-{index:02}.safetensors"));
            link(file.path(), &name).with_context(|| name.display().to_string())?;
            Ok(file)
        });
        let files = files.collect::<anyhow::Result<_>>()?;
        Ok(Self {
            folder,
            _files: files,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

#[cfg(unix)]
fn link(file: &Path, name: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(file, name)
}

#[cfg(not(unix))]
fn link(file: &Path, name: &Path) -> io::Result<()> {
    std::fs::hard_link(file, name)
}

/// The `SafeTensors` header of a file of `len` bytes with one tensor.
fn header(len: u64) -> Vec<u8> {
    // Wide enough for any length, and padded with blanks, so that it is as long as it says.
    const HEADER: u64 = 128;
    let data = len.saturating_sub(HEADER).saturating_sub(8);
    let text =
        format!(r#"{{"weight":{{"dtype":"U8","shape":[{data}],"data_offsets":[0,{data}]}}}}"#);
    let mut bytes = HEADER.to_le_bytes().to_vec();
    bytes.extend_from_slice(format!("{text:128}").as_bytes());
    bytes
}

/// Writes noise over the whole file, on all cores.
fn fill(file: &File, seed: u64, len: u64) -> io::Result<()> {
    on_all_cores(len, |offset, piece| {
        noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ offset, piece);
        write_at(file, piece, offset)
    })
}

/// Reads the whole file, so that it is in the page cache.
fn warm(file: &File, len: u64) -> io::Result<()> {
    on_all_cores(len, |offset, piece| read_at(file, piece, offset))
}

/// Gives each piece of `len` bytes to one of as many threads as there are cores.
fn on_all_cores(
    len: u64,
    work: impl Fn(u64, &mut [u8]) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let next = AtomicU64::new(0);
    let pieces = || {
        let mut buffer = vec![0; usize::try_from(PIECE.min(len)).unwrap_or(0)];
        loop {
            let offset = next.fetch_add(PIECE, Ordering::Relaxed);
            if offset >= len {
                return Ok(());
            }
            let left = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
            let count = left.min(buffer.len());
            work(offset, buffer.get_mut(..count).unwrap_or_default())?;
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..super::host::cores())
            .map(|_| scope.spawn(pieces))
            .collect();
        workers.into_iter().try_for_each(|worker| {
            let ended = worker.join();
            ended.unwrap_or_else(|_| Err(io::Error::other("a thread that makes files failed")))
        })
    })
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        bytes = bytes.get(written..).unwrap_or_default();
        offset = offset.saturating_add(u64::try_from(written).unwrap_or(0));
    }
    Ok(())
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = bytes.get_mut(read..).unwrap_or_default();
        offset = offset.saturating_add(u64::try_from(read).unwrap_or(0));
    }
    Ok(())
}

/// Fills a buffer with what Vigna's splitmix generator gives for the seed.
pub(super) fn noise(seed: u64, buffer: &mut [u8]) {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    };
    let (words, rest) = buffer.as_chunks_mut::<8>();
    for word in words {
        *word = next();
    }
    for (byte, random) in rest.iter_mut().zip(next()) {
        *byte = random;
    }
}

#[cfg(test)]
mod tests {
    use vram_residency::ModelFolder;

    use super::*;

    fn len_of(bytes: &[u8]) -> u64 {
        u64::try_from(bytes.len()).unwrap()
    }

    #[test]
    fn a_file_is_as_long_as_asked_the_same_each_time_and_no_zeros() {
        let folder = tempfile::tempdir().unwrap();
        let len = 2 * PIECE + 4099;
        let read = |seed| {
            let file = TestFile::make(folder.path(), seed, b"head", len).unwrap();
            std::fs::read(file.path()).unwrap()
        };

        let bytes = read(1);

        assert_eq!(len_of(&bytes), len);
        assert!(bytes.starts_with(b"head"));
        assert!(bytes == read(1) && bytes != read(2));
        let mut pages: Vec<_> = bytes.chunks(4096).collect();
        pages.sort_unstable();
        pages.dedup();
        assert_eq!(
            pages.len(),
            bytes.len().div_ceil(4096),
            "no page is twice there"
        );
    }

    #[test]
    fn a_set_is_a_folder_of_models_and_leaves_nothing() {
        let within = tempfile::tempdir().unwrap();
        let set = TestSet::make(within.path(), 3, 5000).unwrap();

        let found = ModelFolder::open(set.folder()).unwrap();

        assert_eq!(found.files().len(), 3);
        for file in found.files() {
            let bytes = std::fs::read(&file.path).unwrap();
            assert_eq!(bytes.len(), 5000);
            let model = vram_residency::model::ModelHeader::read(
                &mut io::Cursor::new(&bytes),
                5000,
                vram_residency::model::FormatHint::SafeTensors,
            );
            assert_eq!(model.unwrap().tensors().len(), 1);
        }
        drop(set);
        assert_eq!(within.path().read_dir().unwrap().count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_has_no_name_to_be_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = TestFile::make(folder.path(), 1, b"", 5000).unwrap();

        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        assert_eq!(std::fs::metadata(file.path()).unwrap().len(), 5000);
    }

    #[test]
    fn the_folder_asked_for_is_the_one_used() {
        let asked = Path::new("somewhere");

        assert_eq!(folder(Some(asked), 0), asked);
        assert_ne!(folder(None, u64::MAX), Path::new("/dev/shm"));
    }
}
