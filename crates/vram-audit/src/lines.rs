//! Reads the lines of several files, one after the other, within a bounded memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::record::MAX_LINE_BYTES;
use crate::{Error, Result};

/// The most zeros that are read past at a file's end, beyond the length of a line: 1 GiB.
const MAX_ZEROS: u64 = 1 << 30;

/// A file of a trail: its name, and its bytes when they are asked for.
pub struct Source<'a> {
    name: PathBuf,
    bytes: Bytes<'a>,
}

enum Bytes<'a> {
    File,
    Reader(Box<dyn Read + 'a>),
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Source({})", self.name.display())
    }
}

impl<'a> Source<'a> {
    /// A file, opened when the ones before it have been read.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            name: path.into(),
            bytes: Bytes::File,
        }
    }

    /// Bytes from somewhere else, under the name that reports give them.
    #[must_use]
    pub fn reader(name: impl Into<PathBuf>, reader: impl Read + 'a) -> Self {
        Self {
            name: name.into(),
            bytes: Bytes::Reader(Box::new(reader)),
        }
    }

    fn open(self) -> Result<(PathBuf, Box<dyn BufRead + 'a>)> {
        let reader: Box<dyn BufRead> = match self.bytes {
            Bytes::Reader(reader) => Box::new(BufReader::new(reader)),
            Bytes::File => Box::new(BufReader::with_capacity(64 << 10, regular(&self.name)?)),
        };
        Ok((self.name, reader))
    }
}

/// Opens a regular file: a pipe could hold its reader up for ever.
fn regular(path: &Path) -> Result<File> {
    let io = |source| Error::io("reading", path, source);
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(Error::Unsafe {
            path: path.to_owned(),
            reason: "it is not a regular file: give the files of a trail".to_owned(),
        });
    }
    File::open(path).map_err(io)
}

/// Where a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) line: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Newline,
    File,
    TooLong,
}

#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) place: Place,
    pub(crate) bytes: Vec<u8>,
    /// NUL bytes after those, up to the end of the file; nothing with another end.
    pub(crate) zeros: u64,
    pub(crate) end: End,
}

pub(crate) struct Lines<'a> {
    sources: std::vec::IntoIter<Source<'a>>,
    current: Option<(PathBuf, Box<dyn BufRead + 'a>)>,
    line: u64,
    /// Bytes of complete lines in the present file.
    pub(crate) complete: u64,
    pub(crate) files: u64,
}

impl std::fmt::Debug for Lines<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Lines(line {})", self.line)
    }
}

impl<'a> Lines<'a> {
    pub(crate) fn new(sources: Vec<Source<'a>>) -> Self {
        Self {
            sources: sources.into_iter(),
            current: None,
            line: 0,
            complete: 0,
            files: 0,
        }
    }

    /// The next line. A file that has none, or no newline at its end, gives what it has, perhaps nothing,
    /// with [`End::File`]. After a line that is too long nothing more is to be asked for.
    pub(crate) fn next(&mut self) -> Result<Option<Item>> {
        loop {
            if self.current.is_none() {
                let Some(source) = self.sources.next() else {
                    return Ok(None);
                };
                self.current = Some(source.open()?);
                (self.line, self.complete) = (0, 0);
                self.files = self.files.saturating_add(1);
            }
            let Some((file, reader)) = &mut self.current else {
                continue;
            };
            let (bytes, zeros, end) = read(reader.as_mut())
                .map_err(|source| Error::io("reading", file.clone(), source))?;
            let nothing = bytes.is_empty() && zeros == 0;
            let whole_file_read = end == End::File && nothing && self.line > 0;
            self.line = self.line.saturating_add(1);
            let place = Place {
                file: file.clone(),
                line: self.line,
            };
            match end {
                End::Newline => {
                    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    self.complete = self.complete.saturating_add(len).saturating_add(1);
                }
                End::File => self.current = None,
                End::TooLong => {}
            }
            if !whole_file_read {
                return Ok(Some(Item {
                    place,
                    bytes,
                    zeros,
                    end,
                }));
            }
        }
    }

    pub(crate) fn is_last_file(&self) -> bool {
        self.sources.len() == 0
    }
}

/// A line, how many zeros stand between it and the end of the file, and how it ends.
fn read(reader: &mut (dyn BufRead + '_)) -> io::Result<(Vec<u8>, u64, End)> {
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
    reader.take(limit).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok((line, 0, End::Newline));
    }
    let text = line.iter().rposition(|byte| *byte != 0);
    let text = text.map_or(0, |last| last.saturating_add(1));
    let zeros = u64::try_from(line.len().saturating_sub(text)).unwrap_or(u64::MAX);
    if line.len() < MAX_LINE_BYTES {
        line.truncate(text);
        return Ok((line, zeros, End::File));
    }
    // A line that is too long, unless it ends in zeros, and they in the file.
    match zeros_to_end(reader)? {
        Some(further) if zeros > 0 => {
            line.truncate(text);
            Ok((line, zeros.saturating_add(further), End::File))
        }
        _ => Ok((line, 0, End::TooLong)),
    }
}

/// How many zeros are left, if nothing else is and they are not too many.
fn zeros_to_end(reader: &mut (dyn BufRead + '_)) -> io::Result<Option<u64>> {
    let mut zeros = 0_u64;
    loop {
        let found = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            found => found?,
        };
        if found.is_empty() {
            return Ok(Some(zeros));
        }
        let len = found.len();
        zeros = zeros.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        if found.iter().any(|byte| *byte != 0) || zeros > MAX_ZEROS {
            return Ok(None);
        }
        reader.consume(len);
    }
}
