//! Reading little-endian fields from a file whose every length may be a lie.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use super::super::error::ModelError;
use super::super::limits::{MAX_GGUF_HEADER, READ_AHEAD};

/// A file's bytes from its start, in order, with the place and the name of what is being read.
///
/// Each read is checked first against the file's length and the header's limit; only then is memory
/// taken and the file touched.
pub(super) struct Source<R> {
    reader: BufReader<R>,
    position: u64,
    file_len: u64,
    section: Section,
}

/// The part of the header that is being read, for messages.
struct Section {
    name: &'static str,
    index: Option<u64>,
}

impl Section {
    fn of(&self, field: &str) -> String {
        match self.index {
            Some(index) => format!("{field} of {} {index}", self.name),
            None => format!("{field} of {}", self.name),
        }
    }
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R, file_len: u64) -> Self {
        let capacity = usize::try_from(READ_AHEAD).unwrap_or(usize::MAX);
        let section = Section {
            name: "the file",
            index: None,
        };
        Self {
            reader: BufReader::with_capacity(capacity, reader),
            position: 0,
            file_len,
            section,
        }
    }

    /// Names what is read from here on.
    pub(super) fn section(&mut self, name: &'static str) {
        self.section = Section { name, index: None };
    }

    /// Names what is read from here on, one of many.
    pub(super) fn section_at(&mut self, name: &'static str, index: u64) {
        self.section = Section {
            name,
            index: Some(index),
        };
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes from here to the file's end.
    pub(super) fn remaining(&self) -> u64 {
        self.file_len.saturating_sub(self.position)
    }

    /// Refuses a count above its limit, or that the rest of the file is too short for.
    pub(super) fn count(
        &self,
        what: &str,
        count: u64,
        limit: u64,
        least_bytes: u64,
    ) -> Result<(), ModelError> {
        if count > limit {
            return Err(ModelError::TooMany {
                what: what.to_owned(),
                count,
                limit,
            });
        }
        self.elements(what, count, least_bytes)
    }

    /// Refuses a count that the rest of the file is too short for.
    pub(super) fn elements(
        &self,
        what: &str,
        count: u64,
        least_bytes: u64,
    ) -> Result<(), ModelError> {
        let needed = u128::from(count).saturating_mul(u128::from(least_bytes));
        let available = self.remaining();
        if needed > u128::from(available) {
            let what = what.to_owned();
            return Err(ModelError::CountBeyondFile {
                what,
                count,
                needed,
                available,
            });
        }
        Ok(())
    }

    pub(super) fn u32(&mut self, field: &str) -> Result<u32, ModelError> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, field: &str) -> Result<u64, ModelError> {
        self.array(field).map(u64::from_le_bytes)
    }

    pub(super) fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N], ModelError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, field)?;
        Ok(bytes)
    }

    /// A text with its length before it.
    pub(super) fn text(&mut self, field: &str, limit: u64) -> Result<String, ModelError> {
        let len = self.u64(field)?;
        self.text_of(field, len, limit)
    }

    /// A text whose length has been read.
    pub(super) fn text_of(
        &mut self,
        field: &str,
        len: u64,
        limit: u64,
    ) -> Result<String, ModelError> {
        if len > limit {
            return Err(ModelError::TooLong {
                what: self.section.of(field),
                len,
                limit,
            });
        }
        self.need(len, field)?;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        let start = self.position;
        self.fill(&mut bytes, field)?;
        String::from_utf8(bytes).map_err(|error| {
            let valid = u64::try_from(error.utf8_error().valid_up_to()).unwrap_or(u64::MAX);
            let offset = start.saturating_add(valid);
            ModelError::TextNotUtf8 {
                field: self.section.of(field),
                offset,
            }
        })
    }

    /// Passes over bytes.
    pub(super) fn skip(&mut self, len: u64, field: &str) -> Result<(), ModelError> {
        self.each(len, field, |_, _| Ok(()))
    }

    /// Passes over bytes that must be zero.
    pub(super) fn zeros(&mut self, field: &str, len: u64) -> Result<(), ModelError> {
        self.each(len, field, |byte, offset| {
            if byte == 0 {
                Ok(())
            } else {
                Err(ModelError::DirtyPadding { offset })
            }
        })
    }

    /// Passes over bytes, showing each with its offset in the file.
    pub(super) fn each(
        &mut self,
        len: u64,
        field: &str,
        mut check: impl FnMut(u8, u64) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        self.need(len, field)?;
        let end = self.position.saturating_add(len);
        while self.position < end {
            let wanted = usize::try_from(end.saturating_sub(self.position)).unwrap_or(usize::MAX);
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(ModelError::Io {
                        doing: "reading",
                        source,
                    });
                }
            };
            let taken = available.get(..wanted).unwrap_or(available);
            if taken.is_empty() {
                return Err(self.shrunk(field, end.saturating_sub(self.position)));
            }
            for (offset, byte) in (self.position..).zip(taken) {
                check(*byte, offset)?;
            }
            let count = taken.len();
            self.reader.consume(count);
            self.advance(count);
        }
        Ok(())
    }

    /// Refuses a field that ends behind the file or the header's limit.
    fn need(&self, len: u64, field: &str) -> Result<(), ModelError> {
        if len > self.remaining() {
            return Err(ModelError::Truncated {
                field: self.section.of(field),
                needed: len,
                at: self.position,
                file_len: self.file_len,
            });
        }
        let header = self.position.saturating_add(len);
        if header > MAX_GGUF_HEADER {
            return Err(ModelError::TooLong {
                what: format!("the header up to {}", self.section.of(field)),
                len: header,
                limit: MAX_GGUF_HEADER,
            });
        }
        Ok(())
    }

    fn fill(&mut self, buffer: &mut [u8], field: &str) -> Result<(), ModelError> {
        let len = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        self.need(len, field)?;
        match self.reader.read_exact(buffer) {
            Ok(()) => {
                self.advance(buffer.len());
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(self.shrunk(field, len)),
            Err(source) => Err(ModelError::Io {
                doing: "reading",
                source,
            }),
        }
    }

    fn advance(&mut self, count: usize) {
        self.position = self
            .position
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// The file ended before the length that it had.
    fn shrunk(&self, field: &str, needed: u64) -> ModelError {
        let field = self.section.of(field);
        ModelError::Truncated {
            field: format!("{field} (the file became shorter while it was read)"),
            needed,
            at: self.position,
            file_len: self.file_len,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// A source of zeros that claims to be so long.
    fn zeros(file_len: u64) -> Source<io::Repeat> {
        Source::new(io::repeat(0), file_len)
    }

    #[test]
    fn a_refusal_names_the_part_that_is_read() {
        let mut source = zeros(3);
        let refused = |source: &mut Source<_>| source.u32("the field").unwrap_err().to_string();
        let first = refused(&mut source);
        assert!(first.contains("the field of the file"), "{first}");
        source.section("the metadata");
        let second = refused(&mut source);
        assert!(second.contains("the field of the metadata"), "{second}");
        source.section_at("tensor", 7);
        let third = refused(&mut source);
        assert!(third.contains("the field of tensor 7"), "{third}");
    }

    #[test]
    fn a_text_of_exactly_the_limit_is_read() {
        let text = |len| zeros(100).text_of("the text", len, 10);
        assert_eq!(text(10).unwrap().len(), 10);
        let refused = text(11).unwrap_err();
        assert!(matches!(
            refused,
            ModelError::TooLong {
                len: 11,
                limit: 10,
                ..
            }
        ));
    }

    #[test]
    fn a_header_may_reach_exactly_its_limit() {
        let source = zeros(u64::MAX);
        source.need(MAX_GGUF_HEADER, "the field").unwrap();
        let refused = source.need(MAX_GGUF_HEADER.saturating_add(1), "the field");
        assert!(matches!(refused, Err(ModelError::TooLong { .. })));
    }

    /// Gives an error first, and zeros after that.
    struct Troubled(Option<ErrorKind>);

    impl Read for Troubled {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.take() {
                Some(kind) => Err(kind.into()),
                None => io::repeat(0).read(buffer),
            }
        }
    }

    #[test]
    fn what_a_signal_interrupts_is_read_again_and_other_trouble_is_told() {
        let source = |kind| Source::new(Troubled(Some(kind)), 100);
        let mut interrupted = source(ErrorKind::Interrupted);
        interrupted.zeros("the padding", 10).unwrap();
        assert_eq!(interrupted.position(), 10);
        let passed = source(ErrorKind::PermissionDenied).skip(10, "the padding");
        assert!(matches!(passed, Err(ModelError::Io { .. })));
        let read = source(ErrorKind::PermissionDenied).u64("the field");
        assert!(matches!(read, Err(ModelError::Io { .. })));
        let ended = source(ErrorKind::UnexpectedEof).u64("the field");
        assert!(matches!(ended, Err(ModelError::Truncated { .. })));
    }
}
