//! Reading a source chunk by chunk, by as many threads as the source lets.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use vram_seal::ShardId;

use crate::source::{OpenFile, Opened, uninterrupted};
use crate::sync::Mutex;
use crate::{Error, Result};

/// A source cut into chunks, which are given out in order.
///
/// Files and bytes in memory are read in several places at once; a reader by one thread at a time.
pub(crate) struct Chunks<'a> {
    shard: ShardId,
    from: Place<'a>,
    size: u64,
    chunk_len: u64,
    /// The next chunk to be given out.
    next: AtomicU64,
}

enum Place<'a> {
    Bytes(&'a [u8]),
    Reader(Mutex<&'a mut (dyn Read + Send)>),
    File(Box<OpenFile>),
}

/// One chunk: all of the length but the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    /// Its place among the chunks, from 0.
    pub(crate) index: u64,
    /// Where it starts.
    pub(crate) offset: u64,
    /// How many bytes it has.
    pub(crate) len: usize,
}

impl<'a> Chunks<'a> {
    /// Cuts a source of `size` bytes.
    pub(crate) fn new(shard: ShardId, from: Opened<'a>, size: u64, chunk_len: usize) -> Self {
        let from = match from {
            Opened::Bytes(bytes) => Place::Bytes(bytes),
            Opened::Reader(reader) => Place::Reader(Mutex::new(reader)),
            Opened::File(file) => Place::File(file),
        };
        Self {
            shard,
            from,
            size,
            chunk_len: wide(chunk_len),
            next: AtomicU64::new(0),
        }
    }

    /// How many chunks there are.
    pub(crate) const fn count(&self) -> u64 {
        self.size.div_ceil(self.chunk_len)
    }

    /// Bytes in all of them.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Whether each has been given out.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.next.load(Ordering::Relaxed) >= self.count()
    }

    /// Reads the next chunk into the front of `buffer`, unless there is none, or `halted` says that
    /// none is wanted any more.
    pub(crate) fn read_next(
        &self,
        buffer: &mut [u8],
        halted: impl Fn() -> bool,
    ) -> Option<(Chunk, Result<()>)> {
        match &self.from {
            Place::Bytes(bytes) => {
                let chunk = self.give_out()?;
                let read = |offset, room: &mut [u8]| {
                    let start = usize::try_from(offset).unwrap_or(usize::MAX);
                    bytes.get(start..).unwrap_or_default().read(room)
                };
                Some((chunk, self.fill(&chunk, buffer, read)))
            }
            Place::Reader(reader) => {
                // A reader that panicked is not asked again.
                let mut reader = reader.lock().ok()?;
                if halted() {
                    return None;
                }
                let chunk = self.give_out()?;
                let read = |_, room: &mut [u8]| reader.read(room);
                Some((chunk, self.fill(&chunk, buffer, read)))
            }
            Place::File(file) => {
                let chunk = self.give_out()?;
                let read = |offset, room: &mut [u8]| file.read_at(room, offset);
                let filled = self.fill(&chunk, buffer, read).and_then(|()| {
                    let bytes = buffer.get(..chunk.len).unwrap_or_default();
                    if file.header_holds(chunk.offset, bytes) {
                        Ok(())
                    } else {
                        Err(self.changed(self.size))
                    }
                });
                Some((chunk, filled))
            }
        }
    }

    /// After the last chunk: nothing more may follow, and a file must be as it was.
    pub(crate) fn finish(self) -> Result<()> {
        let mut beyond = [0];
        let more = match &self.from {
            Place::Bytes(_) => 0,
            Place::Reader(reader) => {
                let mut reader = crate::manager::lock(reader);
                self.uninterrupted(self.size, || reader.read(&mut beyond))?
            }
            Place::File(file) => {
                self.uninterrupted(self.size, || file.read_at(&mut beyond, self.size))?
            }
        };
        if more > 0 {
            return Err(self.changed(self.size.saturating_add(1)));
        }
        match &self.from {
            Place::File(file) if !file.is_unchanged()? => Err(self.changed(self.size)),
            _ => Ok(()),
        }
    }

    fn give_out(&self) -> Option<Chunk> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let offset = index.checked_mul(self.chunk_len)?;
        let left = self.size.checked_sub(offset).filter(|left| *left > 0)?;
        let len = usize::try_from(left.min(self.chunk_len)).ok()?;
        Some(Chunk { index, offset, len })
    }

    /// Fills the chunk's part of the buffer.
    fn fill(
        &self,
        chunk: &Chunk,
        buffer: &mut [u8],
        mut read: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
    ) -> Result<()> {
        let room = buffer.get_mut(..chunk.len).unwrap_or_default();
        let mut filled = 0;
        while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = chunk.offset.saturating_add(wide(filled));
            let count = self.uninterrupted(at, || read(at, rest))?;
            if count == 0 {
                return Err(self.changed(at));
            }
            // A reader that claims more than it was given room for is not believed.
            if count > rest.len() {
                let source = io::Error::other("the reader claims more bytes than asked for");
                return Err(self.failed(at, source));
            }
            filled = filled.saturating_add(count);
        }
        Ok(())
    }

    fn uninterrupted(&self, at: u64, read: impl FnMut() -> io::Result<usize>) -> Result<usize> {
        uninterrupted(read).map_err(|source| self.failed(at, source))
    }

    fn failed(&self, read: u64, source: io::Error) -> Error {
        Error::Read {
            shard: self.shard.clone(),
            read,
            size: self.size,
            source,
        }
    }

    /// The error of a source that has other bytes than it was to have.
    pub(crate) fn changed(&self, read: u64) -> Error {
        Error::Changed {
            shard: self.shard.clone(),
            read,
            size: self.size,
        }
    }
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    /// A SafeTensors file with one tensor of so many bytes.
    fn model(data: usize) -> Vec<u8> {
        let header =
            format!(r#"{{"w":{{"dtype":"U8","shape":[{data}],"data_offsets":[0,{data}]}}}}"#);
        let mut file = wide(header.len()).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.extend(vec![7; data]);
        file
    }

    /// The chunks of a file that is overwritten with `then` after its header was parsed.
    fn chunks_of(path: &std::path::Path, first: &[u8], then: &[u8]) -> Chunks<'static> {
        std::fs::write(path, first).unwrap();
        let (mut opened, size) = Source::File { path: path.into() }.open().unwrap();
        opened.header().unwrap();
        std::fs::write(path, then).unwrap();
        Chunks::new("m".parse().unwrap(), opened, size, 524_288)
    }

    #[test]
    fn a_header_that_is_not_the_one_parsed_is_found_as_its_chunk_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        let bytes = model(1_000_000);
        let mut changed = bytes.clone();
        // The tensor's name: as good a header, and another one.
        changed[10] = b'v';
        let mut buffer = vec![0; 524_288];

        let same = chunks_of(&path, &bytes, &bytes);
        assert!(same.read_next(&mut buffer, || false).unwrap().1.is_ok());
        assert!(same.read_next(&mut buffer, || false).unwrap().1.is_ok());
        assert!(same.is_exhausted());
        assert!(same.read_next(&mut buffer, || false).is_none());

        let other = chunks_of(&path, &bytes, &changed);
        let (chunk, read) = other.read_next(&mut buffer, || false).unwrap();
        assert_eq!((chunk.index, chunk.offset, chunk.len), (0, 0, 524_288));
        assert!(matches!(read, Err(Error::Changed { .. })), "{read:?}");
    }

    #[test]
    fn a_read_that_a_signal_interrupts_is_made_again() {
        struct Interrupted(bool);
        impl Read for Interrupted {
            fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
                self.0 = !self.0;
                if self.0 {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                room.fill(7);
                Ok(room.len())
            }
        }
        let mut reader = Interrupted(false);
        let from = Opened::Reader(&mut reader);
        let chunks = Chunks::new("m".parse().unwrap(), from, 10, 4096);
        let mut buffer = [0; 10];

        let (_, read) = chunks.read_next(&mut buffer, || false).unwrap();

        read.unwrap();
        assert_eq!(buffer, [7; 10]);
    }

    #[test]
    fn a_reader_is_not_read_for_a_crew_that_is_halted() {
        struct Unreadable;
        impl Read for Unreadable {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("nobody waits for this byte")
            }
        }
        let mut unreadable = Unreadable;
        let from = Opened::Reader(&mut unreadable);
        let chunks = Chunks::new("m".parse().unwrap(), from, 10, 524_288);

        assert!(chunks.read_next(&mut [0; 10], || true).is_none());
    }

    #[test]
    fn after_the_last_whole_chunk_there_is_none() {
        let bytes = [7; 8192];
        let mut reader = &bytes[..];
        let from = Opened::Reader(&mut reader);
        let chunks = Chunks::new("m".parse().unwrap(), from, 8192, 4096);
        let mut buffer = [0; 4096];

        for index in 0..2 {
            let (chunk, read) = chunks.read_next(&mut buffer, || false).unwrap();
            read.unwrap();
            assert_eq!((chunk.index, chunk.len), (index, 4096));
        }
        assert!(chunks.read_next(&mut buffer, || false).is_none());
        chunks.finish().unwrap();
    }
}
