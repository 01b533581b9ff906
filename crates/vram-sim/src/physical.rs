//! Physical memory: what a device's address space is mapped to.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SeekFrom, ftruncate, memfd_create, seek};
use rustix::io::{Errno, pread, pwrite};

use crate::error::{SimError, os};
use crate::extents::Extents;

/// Bytes looked through at once when searching.
const WINDOW: u64 = 4 << 20;

/// The page size that searching counts in.
const COUNTED_PAGE: u64 = 4096;

/// One memory: a file without a name, sparse until written.
///
/// Releasing clears nothing, as on the chip: whoever allocates next finds the old bytes.
#[derive(Debug)]
pub(crate) struct Physical {
    file: OwnedFd,
    size: u64,
    page: u64,
    pages: Extents,
}

/// Some pages of a memory, in the order of the allocation's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Byte ranges of the file.
    pieces: Vec<Range<u64>>,
    /// Bytes in all of them.
    size: u64,
}

impl Block {
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn pieces(&self) -> &[Range<u64>] {
        &self.pieces
    }

    /// Splits `len` bytes at `offset` into (place in the file, length) pieces.
    fn places(&self, offset: u64, len: u64) -> Vec<(u64, u64)> {
        let mut skip = offset;
        let mut missing = len;
        let mut places = Vec::new();
        for piece in &self.pieces {
            let size = piece.end.saturating_sub(piece.start);
            if skip >= size {
                skip = skip.saturating_sub(size);
                continue;
            }
            let count = missing.min(size.saturating_sub(skip));
            if count > 0 {
                places.push((piece.start.saturating_add(skip), count));
            }
            missing = missing.saturating_sub(count);
            skip = 0;
        }
        places
    }
}

impl Physical {
    /// `size` bytes, handed out in pages of `page` bytes.
    pub(crate) fn new(name: &str, size: u64, page: u64) -> Result<Self, SimError> {
        let file = memfd_create(name, MemfdFlags::CLOEXEC)
            .map_err(os("make a file of anonymous memory"))?;
        ftruncate(&file, size).map_err(os("size a file of anonymous memory"))?;
        let pages = Extents::new(0..size.checked_div(page).unwrap_or_default());
        Ok(Self {
            file,
            size,
            page,
            pages,
        })
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that no live allocation holds.
    pub(crate) fn free(&self) -> u64 {
        self.pages.free().saturating_mul(self.page)
    }

    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Takes enough pages for `bytes`, or `None` when they aren't there.
    pub(crate) fn allocate(&mut self, bytes: u64) -> Option<Block> {
        let count = bytes.div_ceil(self.page);
        let pieces = self
            .pages
            .take(count)?
            .into_iter()
            .map(|units| self.bytes_of(&units));
        Some(Block {
            pieces: pieces.collect(),
            size: count.checked_mul(self.page)?,
        })
    }

    /// Gives the pages back as they are.
    pub(crate) fn release(&mut self, block: &Block) {
        for piece in &block.pieces {
            let unit = |byte: u64| byte.checked_div(self.page).unwrap_or_default();
            self.pages.give(unit(piece.start)..unit(piece.end));
        }
    }

    fn bytes_of(&self, units: &Range<u64>) -> Range<u64> {
        units.start.saturating_mul(self.page)..units.end.saturating_mul(self.page)
    }

    /// Reads past every protection.
    pub(crate) fn read(&self, block: &Block, offset: u64, to: &mut [u8]) -> io::Result<()> {
        let mut rest = to;
        for (place, len) in block.places(offset, rest.len() as u64) {
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_mut(len);
            self.read_at(place, now)?;
            rest = later;
        }
        Ok(())
    }

    /// Writes past every protection.
    pub(crate) fn write(&self, block: &Block, offset: u64, from: &[u8]) -> io::Result<()> {
        let mut rest = from;
        for (place, len) in block.places(offset, rest.len() as u64) {
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
            let (mut now, later) = rest.split_at(len);
            let mut place = place;
            while !now.is_empty() {
                let count = pwrite(&self.file, now, place)?;
                now = now.get(count..).unwrap_or_default();
                place = place.saturating_add(count as u64);
            }
            rest = later;
        }
        Ok(())
    }

    fn read_at(&self, place: u64, to: &mut [u8]) -> io::Result<()> {
        let mut rest = to;
        let mut place = place;
        while !rest.is_empty() {
            let count = pread(&self.file, &mut *rest, place)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            rest = rest.get_mut(count..).unwrap_or_default();
            place = place.saturating_add(count as u64);
        }
        Ok(())
    }

    /// The 4096-byte pages in which `needle` begins, whether or not anybody holds them.
    pub(crate) fn pages_containing(&self, needle: &[u8]) -> io::Result<usize> {
        let Some((first, tail)) = needle.split_first() else {
            return Ok(0);
        };
        let overlap = tail.len() as u64;
        let mut found = 0_usize;
        let mut last_page = None;
        let mut at = 0;
        while let Some(written) = self.next_written(at)? {
            at = written.start;
            while at < written.end {
                // A match may begin in the window's last byte and end behind it.
                let until = written.end.min(at.saturating_add(WINDOW));
                let read_to = self.size.min(until.saturating_add(overlap));
                let len = usize::try_from(read_to.saturating_sub(at)).unwrap_or_default();
                let mut window = vec![0; len];
                self.read_at(at, &mut window)?;
                let starts = usize::try_from(until.saturating_sub(at)).unwrap_or_default();
                for (index, _) in window
                    .iter()
                    .take(starts)
                    .enumerate()
                    .filter(|&(_, byte)| byte == first)
                {
                    let rest = window.get(index..).unwrap_or_default();
                    let page = at.saturating_add(index as u64).checked_div(COUNTED_PAGE);
                    if rest.starts_with(needle) && page != last_page {
                        last_page = page;
                        found = found.saturating_add(1);
                    }
                }
                at = until;
            }
        }
        Ok(found)
    }

    /// The next stretch from `at` on that has ever been written.
    fn next_written(&self, at: u64) -> io::Result<Option<Range<u64>>> {
        let start = match seek(&self.file, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let end = seek(&self.file, SeekFrom::Hole(start))?;
        Ok((start < end).then_some(start..end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 2 << 20;

    #[test]
    fn released_bytes_are_what_the_next_owner_finds() {
        let mut memory = Physical::new("test", 4 * PAGE, PAGE).unwrap();
        let block = memory.allocate(PAGE).unwrap();
        memory.write(&block, 100, b"left behind").unwrap();
        memory.release(&block);

        let next = memory.allocate(1).unwrap();
        let mut bytes = [0; 11];
        memory.read(&next, 100, &mut bytes).unwrap();

        assert_eq!(&bytes, b"left behind");
    }

    #[test]
    fn a_scattered_block_reads_as_one() {
        let mut memory = Physical::new("test", 4 * PAGE, PAGE).unwrap();
        let blocks: Vec<Block> = (0..4).map(|_| memory.allocate(PAGE).unwrap()).collect();
        memory.release(&blocks[0]);
        memory.release(&blocks[2]);

        let scattered = memory.allocate(2 * PAGE).unwrap();
        assert_eq!(scattered.pieces(), [0..PAGE, 2 * PAGE..3 * PAGE]);
        memory.write(&scattered, PAGE - 2, b"across").unwrap();

        let mut bytes = [0; 6];
        memory.read(&scattered, PAGE - 2, &mut bytes).unwrap();
        assert_eq!(&bytes, b"across");
        let mut end = [0; 2];
        memory.read(&blocks[0], PAGE - 2, &mut end).unwrap();
        assert_eq!(&end, b"ac");
    }

    #[test]
    fn more_than_there_is_is_refused_and_takes_nothing() {
        let mut memory = Physical::new("test", 4 * PAGE, PAGE).unwrap();
        assert_eq!(memory.allocate(4 * PAGE + 1), None);
        assert_eq!(memory.free(), 4 * PAGE);
    }

    #[test]
    fn searching_finds_matches_across_window_and_page_borders() {
        let mut memory = Physical::new("test", 16 * PAGE, PAGE).unwrap();
        let block = memory.allocate(16 * PAGE).unwrap();
        memory.write(&block, WINDOW - 3, b"needle").unwrap();
        memory.write(&block, 9 * PAGE + 4093, b"needle").unwrap();
        memory.write(&block, 16 * PAGE - 6, b"needle").unwrap();
        memory.write(&block, 5 * PAGE, b"needleneedle").unwrap();

        assert_eq!(memory.pages_containing(b"needle").unwrap(), 4);
        assert_eq!(memory.pages_containing(b"absent").unwrap(), 0);
        assert_eq!(memory.pages_containing(b"").unwrap(), 0);
    }
}
