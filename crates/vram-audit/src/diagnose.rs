//! Which record is the first that is not what was written, and why, where the chain does not hold.

use crate::lines::{End, Item};
use crate::record::{Checkpoint, Line};
use crate::verify::Walk;
use crate::{Fault, Kind, Reason, RecordHash, Result, Why};

/// What is asked of a line further on.
struct Next {
    seq: u64,
    prev: RecordHash,
}

impl Walk<'_, '_> {
    /// A line whose number, or whose link to the record before it, is not the expected one.
    pub(crate) fn diagnose(
        &mut self,
        item: &Item,
        line: &Line<'_>,
        hash: RecordHash,
    ) -> Result<Fault> {
        let (seq, prev) = self.expected();
        let edited = |detail: &str| Why::Edited {
            detail: detail.to_owned(),
        };
        let here = |why| Ok(self.fault(&item.place, why));
        if line.seq == seq {
            return self.broken_link(item, line, hash);
        }
        if line.prev == prev {
            return here(edited("its sequence number is another"));
        }
        if self.previous.is_none() && line.kind == Kind::Genesis {
            return here(edited("a trail's first record with another beginning"));
        }
        let Some(previous) = self.previous.clone() else {
            return self.jump(item, line, hash);
        };
        if line.seq > seq {
            return self.jump(item, line, hash);
        }
        let claims_same_place = line.seq == previous.head.seq && line.prev == previous.prev;
        if claims_same_place && hash != previous.head.hash {
            let next = self.peek()?;
            // Two lines claim one place: the record is the one that the next is linked to.
            return Ok(match next {
                Some(next) if next.prev == hash => Fault {
                    seq: previous.head.seq,
                    ..self.fault(&previous.place, Why::Inserted)
                },
                _ => self.fault(&item.place, Why::Inserted),
            });
        }
        here(Why::Repeated { found: line.seq })
    }

    /// The right number, but another record before it: was that one edited, or this?
    fn broken_link(&mut self, item: &Item, line: &Line<'_>, hash: RecordHash) -> Result<Fault> {
        let (seq, prev) = self.expected();
        let is_signed = line.kind == Kind::Checkpoint
            && line.body::<Checkpoint>().is_ok_and(|checkpoint| {
                self.verifier
                    .key(checkpoint.key)
                    .is_some_and(|key| self.is_signed(&item.bytes, key))
            });
        let next = self.peek()?;
        if next
            .as_ref()
            .is_some_and(|next| next.seq == seq && next.prev == prev)
        {
            return Ok(self.fault(&item.place, Why::Inserted));
        }
        let is_vouched_for = is_signed || next.is_some_and(|next| next.prev == hash);
        match &self.previous {
            // A checkpoint that was verified is what its writer wrote.
            Some(previous) if is_vouched_for && previous.reason.is_none() => Ok(Fault {
                seq: previous.head.seq,
                ..self.fault(
                    &previous.place,
                    Why::Edited {
                        detail: "the record after it was linked to another".to_owned(),
                    },
                )
            }),
            _ => {
                let detail = "it is linked to another record than the one before it".to_owned();
                Ok(self.fault(&item.place, Why::Edited { detail }))
            }
        }
    }

    /// A number that is too high: does the expected record come later, and does this line?
    fn jump(&mut self, item: &Item, line: &Line<'_>, hash: RecordHash) -> Result<Fault> {
        let (seq, prev) = self.expected();
        let found = line.seq;
        let (mut comes_later, mut comes_again) = (false, false);
        while !(comes_later && comes_again) {
            let Some(later) = self.lines.next()?.filter(|later| later.end == End::Newline) else {
                break;
            };
            comes_again |= RecordHash::of(&later.bytes) == hash;
            comes_later |=
                Line::parse(&later.bytes).is_ok_and(|later| (later.seq, later.prev) == (seq, prev));
        }
        let why = match (comes_later, comes_again) {
            (true, true) => Why::Repeated { found },
            (true, false) => Why::Reordered { found },
            (false, _) => self.missing(item, found),
        };
        Ok(self.fault(&item.place, why))
    }

    /// Records are missing: within a file, or at the end of the one before.
    fn missing(&self, item: &Item, found: u64) -> Why {
        match &self.previous {
            Some(previous) if item.place.line == 1 && previous.reason != Some(Reason::Rotated) => {
                Why::Truncated {
                    detail: format!(
                        "{} ends before record {found}, with which the next file begins",
                        previous.place.file.display()
                    ),
                }
            }
            _ => Why::Removed { found },
        }
    }

    fn peek(&mut self) -> Result<Option<Next>> {
        let Some(item) = self.lines.next()?.filter(|item| item.end == End::Newline) else {
            return Ok(None);
        };
        Ok(Line::parse(&item.bytes).ok().map(|line| Next {
            seq: line.seq,
            prev: line.prev,
        }))
    }
}
