//! Where a shard's bytes come from: memory, a reader, or a file, looked at before it is read.

use std::fs::{File, Metadata};
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use vram_seal::Digest;
use vram_seal::verity::GROUP_SIZE;

use crate::model::{FormatHint, ModelHeader};
use crate::{Error, Result};

/// Bytes to be sealed, and how many there are.
pub(crate) enum Source<'a> {
    Bytes(&'a [u8]),
    Reader {
        reader: &'a mut (dyn Read + Send),
        len: u64,
    },
    File {
        path: PathBuf,
    },
}

/// A source opened, its length known, nothing read of its content yet.
pub(crate) enum Opened<'a> {
    Bytes(&'a [u8]),
    Reader(&'a mut (dyn Read + Send)),
    File(Box<OpenFile>),
}

/// A file that must stay as it is until it is sealed. It is read in any order.
pub(crate) struct OpenFile {
    path: PathBuf,
    file: File,
    before: Metadata,
    header: Option<HeaderBytes>,
    /// Held from seeking to reading, where there is no call for both.
    #[cfg(not(unix))]
    seeking: crate::sync::Mutex<()>,
}

/// The header's hashes when it was parsed, one for each group of 512 KiB that it reaches into. The
/// same bytes must have them as they are uploaded: the tensor table describes what was sealed, or
/// nothing is.
struct HeaderBytes {
    len: u64,
    groups: Vec<[u8; 32]>,
}

impl<'a> Source<'a> {
    /// Opens the source and finds its length.
    pub(crate) fn open(self) -> Result<(Opened<'a>, u64)> {
        match self {
            Self::Bytes(bytes) => Ok((
                Opened::Bytes(bytes),
                u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            )),
            Self::Reader { reader, len } => Ok((Opened::Reader(reader), len)),
            Self::File { path } => {
                let file = OpenFile::open(path)?;
                let len = file.before.len();
                Ok((Opened::File(Box::new(file)), len))
            }
        }
    }
}

impl Opened<'_> {
    /// Reads the model header, where the source can have one.
    pub(crate) fn header(&mut self) -> Result<Option<ModelHeader>> {
        match self {
            Self::File(file) => file.read_header().map(Some),
            Self::Bytes(_) | Self::Reader(_) => Ok(None),
        }
    }
}

impl OpenFile {
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let kind =
            std::fs::metadata(&path).map_err(|source| failed(&path, "looking at it", source))?;
        require_regular(&path, &kind)?;
        let file = File::open(&path).map_err(|source| failed(&path, "opening it", source))?;
        let before = file
            .metadata()
            .map_err(|source| failed(&path, "looking at it", source))?;
        require_regular(&path, &before)?;
        Ok(Self {
            path,
            file,
            before,
            header: None,
            #[cfg(not(unix))]
            seeking: crate::sync::Mutex::default(),
        })
    }

    /// Its size when it was opened, in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.before.len()
    }

    /// Reads all of it from the start, so many bytes at a time.
    pub(crate) fn read_all(&self, at_a_time: usize, mut take: impl FnMut(&[u8])) -> Result<()> {
        let failed = |source| failed(&self.path, "reading it", source);
        let mut buffer = vec![0; at_a_time];
        let mut offset = 0_u64;
        loop {
            let read = uninterrupted(|| self.read_at(&mut buffer, offset)).map_err(failed)?;
            if read == 0 {
                return Ok(());
            }
            take(buffer.get(..read).unwrap_or_default());
            offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        }
    }

    fn read_header(&mut self) -> Result<ModelHeader> {
        let len = self.before.len();
        let hint = FormatHint::from_path(&self.path);
        let header =
            ModelHeader::read(&mut BufReader::new(&self.file), len, hint).map_err(|source| {
                Error::Model {
                    path: self.path.clone(),
                    source,
                }
            })?;
        let parsed = header.data().start;
        if !header.tensors().is_empty() {
            self.header = Some(HeaderBytes {
                len: parsed,
                groups: self.hash_start(parsed)?,
            });
        }
        Ok(header)
    }

    /// The hashes of the first `len` bytes, group by group.
    fn hash_start(&mut self, len: u64) -> Result<Vec<[u8; 32]>> {
        let failed = |source| failed(&self.path, "reading its header", source);
        (&self.file).seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut reader = (&self.file).take(len);
        let mut group = Vec::new();
        let mut hashes = Vec::new();
        loop {
            group.clear();
            let room = u64::try_from(GROUP_SIZE).unwrap_or(u64::MAX);
            let read = reader.by_ref().take(room).read_to_end(&mut group);
            if read.map_err(failed)? == 0 {
                return Ok(hashes);
            }
            hashes.push(sha256(&group));
        }
    }

    /// Reads from a place in the file, however many threads do.
    #[cfg(unix)]
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, offset)
    }

    /// Whether these bytes, which start with a group, are those that were parsed, as far as the header
    /// reaches into them.
    pub(crate) fn header_holds(&self, offset: u64, bytes: &[u8]) -> bool {
        self.header
            .as_ref()
            .is_none_or(|header| header.holds(offset, bytes))
    }

    /// Whether the file is the one that was opened, unmodified.
    pub(crate) fn is_unchanged(&self) -> Result<bool> {
        let after = self
            .file
            .metadata()
            .map_err(|source| failed(&self.path, "looking at it", source))?;
        Ok(fingerprint(&self.before) == fingerprint(&after))
    }
}

impl HeaderBytes {
    fn holds(&self, offset: u64, bytes: &[u8]) -> bool {
        let left = self.len.saturating_sub(offset);
        let within = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let header = bytes.get(..within).unwrap_or_default();
        let group = u64::try_from(GROUP_SIZE).unwrap_or(u64::MAX);
        let first = offset.checked_div(group).unwrap_or(0);
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        header.chunks(GROUP_SIZE).enumerate().all(|(at, group)| {
            let parsed = self.groups.get(first.saturating_add(at));
            parsed == Some(&sha256(group))
        })
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    *Digest::of(bytes).as_bytes()
}

/// What a write to a file changes: its size, and the time that no caller can set back.
#[cfg(unix)]
fn fingerprint(metadata: &Metadata) -> impl PartialEq + use<> {
    use std::os::unix::fs::MetadataExt as _;
    (
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    )
}

#[cfg(not(unix))]
use self::elsewhere::fingerprint;

/// What other systems than Unix have in its place.
#[cfg(not(unix))]
mod elsewhere {
    use super::*;

    impl OpenFile {
        /// Reads from a place in the file, one thread at a time.
        pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
            let _alone = crate::manager::lock(&self.seeking);
            (&self.file).seek(SeekFrom::Start(offset))?;
            (&self.file).read(buffer)
        }
    }

    /// What a write to a file changes: its size and its time.
    pub(super) fn fingerprint(metadata: &Metadata) -> impl PartialEq + use<> {
        (metadata.len(), metadata.modified().ok())
    }
}

/// Reads again what a signal interrupted.
pub(crate) fn uninterrupted(
    mut read: impl FnMut() -> std::io::Result<usize>,
) -> std::io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}

fn require_regular(path: &Path, metadata: &Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let found = if metadata.is_dir() {
        "a folder"
    } else {
        "not a regular file"
    };
    Err(Error::NotAFile {
        path: path.to_owned(),
        found,
    })
}

pub(crate) fn failed(path: &Path, doing: &'static str, source: std::io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        doing,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model whose header is so long that it reaches into a second group.
    fn long_header() -> Vec<u8> {
        let header = r#"{"w":{"dtype":"U8","shape":[600000],"data_offsets":[0,600000]}}"#;
        let mut file = 700_000_u64.to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.resize(700_008, b' ');
        file.resize(1_300_008, 7);
        file
    }

    #[test]
    fn a_header_is_held_to_what_was_parsed_group_by_group() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let bytes = long_header();
        std::fs::write(&path, &bytes).unwrap();
        let mut file = OpenFile::open(path).unwrap();
        file.read_header().unwrap();

        let groups = |bytes: &[u8]| -> Vec<bool> {
            let offsets = (0..).step_by(GROUP_SIZE);
            let pieces = offsets.zip(bytes.chunks(GROUP_SIZE));
            pieces
                .map(|(offset, piece)| file.header_holds(offset, piece))
                .collect()
        };
        assert_eq!(groups(&bytes), [true; 3]);
        assert!(file.header_holds(0, &bytes), "in one piece");
        for (at, expected) in [
            (0, [false, true, true]),
            (GROUP_SIZE - 1, [false, true, true]),
            (GROUP_SIZE, [true, false, true]),
            (700_007, [true, false, true]),
            // What follows the header is the digests' to judge.
            (700_008, [true, true, true]),
            (1_300_000, [true, true, true]),
        ] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(groups(&changed), expected, "byte {at}");
            let held = file.header_holds(0, &changed);
            assert_eq!(held, expected == [true; 3], "byte {at}, in one piece");
        }
    }

    #[test]
    fn bytes_without_a_table_have_no_header_to_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.bin");
        std::fs::write(&path, b"bytes").unwrap();
        let mut file = OpenFile::open(path).unwrap();
        file.read_header().unwrap();

        assert!(file.header_holds(0, b"other"));
    }
}
