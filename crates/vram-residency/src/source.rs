//! Where a shard's bytes come from: memory, a reader, or a file.

use std::fs::{File, Metadata};
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use vram_seal::ShardId;

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
    Bytes { rest: &'a [u8] },
    Reader { reader: &'a mut (dyn Read + Send) },
    File(Box<OpenFile>),
}

/// A file that must stay as it is until it is sealed.
pub(crate) struct OpenFile {
    path: PathBuf,
    file: File,
    before: Metadata,
    header: Option<HeaderBytes>,
}

/// The header's hash when it was parsed, and the hash of the same bytes as they are uploaded: the
/// tensor table describes what was sealed, or nothing is.
struct HeaderBytes {
    parsed: [u8; 32],
    uploaded: Context,
    left: u64,
}

impl<'a> Source<'a> {
    /// Opens the source and finds its length.
    pub(crate) fn open(self) -> Result<(Opened<'a>, u64)> {
        match self {
            Self::Bytes(bytes) => Ok((
                Opened::Bytes { rest: bytes },
                u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            )),
            Self::Reader { reader, len } => Ok((Opened::Reader { reader }, len)),
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
            Self::Bytes { .. } | Self::Reader { .. } => Ok(None),
        }
    }

    /// Fills the buffer from the source, or as much as is left of it.
    fn read_some(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Bytes { rest } => rest.read(buffer),
            Self::Reader { reader } => reader.read(buffer),
            Self::File(file) => file.file.read(buffer),
        }
    }

    /// Fills the whole buffer, which starts at `offset` of a shard of `size` bytes.
    pub(crate) fn fill(
        &mut self,
        shard: &ShardId,
        offset: u64,
        size: u64,
        buffer: &mut [u8],
    ) -> Result<()> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let read = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            match self.read_some(rest) {
                Ok(0) => {
                    return Err(Error::Changed {
                        shard: shard.clone(),
                        read,
                        size,
                    });
                }
                // A reader that claims more than it was given room for is not believed.
                Ok(count) if count <= rest.len() => filled = filled.saturating_add(count),
                Ok(_) => {
                    let source =
                        std::io::Error::other("the reader claims more bytes than asked for");
                    return Err(Error::Read {
                        shard: shard.clone(),
                        read,
                        size,
                        source,
                    });
                }
                Err(source) if source.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Read {
                        shard: shard.clone(),
                        read,
                        size,
                        source,
                    });
                }
            }
        }
        if let Self::File(file) = self
            && let Some(header) = &mut file.header
        {
            header.take_in(buffer);
        }
        Ok(())
    }

    /// After the last byte: nothing more may follow, and a file must be as it was.
    pub(crate) fn finish(mut self, shard: &ShardId, size: u64) -> Result<()> {
        let changed = |read| Error::Changed {
            shard: shard.clone(),
            read,
            size,
        };
        let more = loop {
            match self.read_some(&mut [0]) {
                Err(source) if source.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Read {
                        shard: shard.clone(),
                        read: size,
                        size,
                        source,
                    });
                }
                Ok(more) => break more,
            }
        };
        if more > 0 {
            return Err(changed(size.saturating_add(1)));
        }
        match self {
            Self::File(file) => {
                if file.ended_unchanged()? {
                    Ok(())
                } else {
                    Err(changed(size))
                }
            }
            Self::Bytes { .. } | Self::Reader { .. } => Ok(()),
        }
    }
}

impl OpenFile {
    fn open(path: PathBuf) -> Result<Self> {
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
        })
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
        if !header.tensors().is_empty() && parsed > 0 {
            self.header = Some(HeaderBytes {
                parsed: self.hash_start(parsed)?,
                uploaded: Context::new(&SHA256),
                left: parsed,
            });
        }
        self.rewind()?;
        Ok(header)
    }

    fn hash_start(&mut self, len: u64) -> Result<[u8; 32]> {
        self.rewind()?;
        let mut context = Context::new(&SHA256);
        let mut reader = (&self.file).take(len);
        let mut buffer = vec![0; 1 << 16];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(to_array(context)),
                Ok(count) => context.update(buffer.get(..count).unwrap_or_default()),
                Err(source) if source.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(failed(&self.path, "reading its header", source)),
            }
        }
    }

    fn rewind(&mut self) -> Result<()> {
        let sought = self.file.seek(SeekFrom::Start(0));
        sought
            .map(drop)
            .map_err(|source| failed(&self.path, "going back to its start", source))
    }

    /// Whether the file is the one that was opened, unmodified, and its header the one parsed.
    fn ended_unchanged(self) -> Result<bool> {
        let after = self
            .file
            .metadata()
            .map_err(|source| failed(&self.path, "looking at it", source))?;
        let header_held = self.header.is_none_or(HeaderBytes::held);
        Ok(header_held && fingerprint(&self.before) == fingerprint(&after))
    }
}

impl HeaderBytes {
    fn take_in(&mut self, bytes: &[u8]) {
        let want = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        self.uploaded.update(bytes.get(..want).unwrap_or_default());
        self.left = self
            .left
            .saturating_sub(u64::try_from(want).unwrap_or(u64::MAX));
    }

    fn held(self) -> bool {
        self.left == 0 && to_array(self.uploaded) == self.parsed
    }
}

fn to_array(context: Context) -> [u8; 32] {
    let mut array = [0; 32];
    let digest = context.finish();
    for (byte, value) in array.iter_mut().zip(digest.as_ref()) {
        *byte = *value;
    }
    array
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

/// What a write to a file changes: its size and its time.
#[cfg(not(unix))]
fn fingerprint(metadata: &Metadata) -> impl PartialEq + use<> {
    (metadata.len(), metadata.modified().ok())
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
