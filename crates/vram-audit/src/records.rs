//! Reads records one by one, to show them.

use crate::lines::{End, Lines, Source};
use crate::{Error, Fault, Record, Result, Why};

/// The records of files, in their order. Nothing about them is verified but their form: for records that are,
/// see [`Verifier::verify_each`](crate::Verifier::verify_each).
#[derive(Debug)]
pub struct Records<'a> {
    lines: Lines<'a>,
    seq: u64,
    over: bool,
}

impl<'a> Records<'a> {
    /// Of these files, given in their order. A torn last line is left out.
    #[must_use]
    pub fn new(sources: impl IntoIterator<Item = Source<'a>>) -> Self {
        Self {
            lines: Lines::new(sources.into_iter().collect()),
            seq: 0,
            over: false,
        }
    }

    fn read(&mut self) -> Result<Option<Record>> {
        let Some(item) = self.lines.next()? else {
            return Ok(None);
        };
        let parsed = match item.end {
            End::File if self.lines.is_last_file() => return Ok(None),
            End::File => Err(Why::Truncated {
                detail: "the file ends within a line, and another follows".to_owned(),
            }),
            End::TooLong => Err(Why::TooLong),
            End::Newline => Record::parse(&item.bytes).map_err(Why::from),
        };
        match parsed {
            Ok(record) => {
                self.seq = record.seq.saturating_add(1);
                Ok(Some(record))
            }
            Err(why) => Err(Error::NotIntact {
                path: item.place.file.clone(),
                fault: Box::new(Fault {
                    file: item.place.file,
                    line: item.place.line,
                    seq: self.seq,
                    why,
                }),
            }),
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let read = self.read().transpose();
        self.over = !matches!(read, Some(Ok(_)));
        read
    }
}
