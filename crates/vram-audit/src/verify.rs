//! Verification: walks the chain once, from its beginning.

use vram_seal::{KeyId, VerifyingKey};

use crate::lines::{End, Item, Lines, Place, Source};
use crate::record::{
    Checkpoint, Continued, Gap, Genesis, Line, NoRecord, Opened, beginning, depth_within,
};
use crate::{
    Ending, Fault, Head, Kind, MAX_DEPTH, Reason, Record, RecordHash, Result, Summary, TrailId,
    Verdict, Why, signature,
};

/// Verifies trails against keys that are known to be their writers'.
///
/// It reads each file once, keeps one or two lines in memory, and takes no line longer than
/// [`MAX_LINE_BYTES`](crate::MAX_LINE_BYTES).
#[derive(Clone, Debug)]
pub struct Verifier {
    pub(crate) keys: Vec<VerifyingKey>,
    expected_head: Option<Head>,
    expected_trail: Option<TrailId>,
    from_continuation: bool,
}

impl Verifier {
    /// With these keys; a checkpoint signed with any other is a fault.
    ///
    /// A trail names its own key. That says nothing: get the key from its writer, on another way.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            expected_head: None,
            expected_trail: None,
            from_continuation: false,
        }
    }

    /// Expects this record in the trail: one that was its [`head`](crate::Trail::head) and kept
    /// elsewhere. An end that was cut off before it is then found. One that lies before the files that are
    /// given is a fault as well: see [`from_continuation`](Self::from_continuation).
    #[must_use]
    pub const fn expect_head(mut self, head: Head) -> Self {
        self.expected_head = Some(head);
        self
    }

    /// Expects the trail with this identity.
    #[must_use]
    pub const fn expect_trail(mut self, id: TrailId) -> Self {
        self.expected_trail = Some(id);
        self
    }

    /// Accepts a trail that begins with a later file, because the ones before were archived. A head that is
    /// expected must then be one of the records that are there.
    #[must_use]
    pub const fn from_continuation(mut self) -> Self {
        self.from_continuation = true;
        self
    }

    /// The key of this name, if it was given.
    pub(crate) fn key(&self, id: KeyId) -> Option<&VerifyingKey> {
        self.keys.iter().find(|key| key.id() == id)
    }

    /// Verifies a trail's files, given in their order.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) and [`Error::Unsafe`](crate::Error::Unsafe) if one can't be read: nothing was found out then.
    pub fn verify<'a>(&self, sources: impl IntoIterator<Item = Source<'a>>) -> Result<Verdict> {
        self.walk(sources, None)
    }

    /// Verifies as [`verify`](Self::verify) does, and hands out each record that is in its place, from the
    /// same bytes, read once: what is handed out can't be other than what was verified.
    ///
    /// The verdict comes last, so keep what is handed out to yourself until then; of a broken trail it is
    /// what stands before the fault. Records after [`Summary::signed_through`] no signature vouches for.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_each<'a>(
        &self,
        sources: impl IntoIterator<Item = Source<'a>>,
        mut each: impl FnMut(Record),
    ) -> Result<Verdict> {
        self.walk(sources, Some(&mut each))
    }

    fn walk<'v, 'a>(
        &'v self,
        sources: impl IntoIterator<Item = Source<'a>>,
        each: Option<&'v mut dyn FnMut(Record)>,
    ) -> Result<Verdict> {
        let mut walk = Walk {
            verifier: self,
            each,
            lines: Lines::new(sources.into_iter().collect()),
            previous: None,
            summary: Summary::default(),
        };
        let fault = walk.run()?;
        let mut summary = walk.summary;
        summary.files = walk.lines.files;
        Ok(match fault {
            None => Verdict::Intact(summary),
            Some(fault) => Verdict::Broken {
                fault: Box::new(fault),
                before: summary,
            },
        })
    }

    /// Verifies files by their paths, in their order.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_files<P: AsRef<std::path::Path>>(&self, paths: &[P]) -> Result<Verdict> {
        self.verify(paths.iter().map(|path| Source::file(path.as_ref())))
    }
}

pub(crate) struct Walk<'v, 'a> {
    pub(crate) verifier: &'v Verifier,
    /// Who is handed the records that are in their places.
    each: Option<&'v mut dyn FnMut(Record)>,
    pub(crate) lines: Lines<'a>,
    pub(crate) previous: Option<Previous>,
    pub(crate) summary: Summary,
}

/// The last record that was in its place.
#[derive(Clone)]
pub(crate) struct Previous {
    pub(crate) place: Place,
    pub(crate) head: Head,
    pub(crate) prev: RecordHash,
    pub(crate) reason: Option<Reason>,
}

impl Walk<'_, '_> {
    /// The sequence number and the previous hash that the next record must have.
    pub(crate) fn expected(&self) -> (u64, RecordHash) {
        match &self.previous {
            None => (0, RecordHash::NONE),
            Some(previous) => (previous.head.seq.saturating_add(1), previous.head.hash),
        }
    }

    pub(crate) fn fault(&self, place: &Place, why: Why) -> Fault {
        Fault {
            file: place.file.clone(),
            line: place.line,
            seq: self.expected().0,
            why,
        }
    }

    fn run(&mut self) -> Result<Option<Fault>> {
        let mut last_place = Place {
            file: std::path::PathBuf::new(),
            line: 1,
        };
        let (mut torn, mut zeros) = (0, 0);
        while let Some(item) = self.lines.next()? {
            last_place = item.place.clone();
            match item.end {
                End::TooLong => return Ok(Some(self.fault(&item.place, Why::TooLong))),
                End::File => match self.unfinished(&item) {
                    Ok(bytes) => (torn, zeros) = (bytes, item.zeros),
                    Err(why) => return Ok(Some(self.fault(&item.place, why))),
                },
                End::Newline => {
                    if let Some(fault) = self.record(&item)? {
                        return Ok(Some(fault));
                    }
                }
            }
            self.summary.complete_bytes = self.lines.complete;
        }
        self.summary.ending = match self.previous.as_ref().map(|previous| previous.reason) {
            _ if zeros > 0 => Ending::Zeroed {
                bytes: torn.saturating_add(zeros),
            },
            _ if torn > 0 => Ending::Torn { bytes: torn },
            Some(Some(Reason::Closed)) => Ending::Closed,
            Some(Some(Reason::Overrun)) => Ending::Overrun,
            Some(Some(Reason::Rotated)) => Ending::Rotated,
            _ => Ending::Open,
        };
        Ok(self.missing_end(&last_place))
    }

    fn missing_end(&self, place: &Place) -> Option<Fault> {
        if self.previous.is_none() {
            return Some(self.fault(place, Why::Empty));
        }
        let expected = self.verifier.expected_head?;
        (expected.seq >= self.expected().0).then(|| {
            let detail = format!("record {} was there, and is not any more", expected.seq);
            self.fault(place, Why::Truncated { detail })
        })
    }

    /// A line with no newline: torn by a crash, if it can be the beginning of the next record. After a loss
    /// of power zeros may follow it, or stand in place of all of it: the file grew, its blocks were not written.
    fn unfinished(&self, item: &Item) -> Result<u64, Why> {
        if !self.lines.is_last_file() {
            let detail = "the file ends within a line, and another follows".to_owned();
            return Err(Why::Truncated { detail });
        }
        let edited = |detail: &str| Why::Edited {
            detail: detail.to_owned(),
        };
        let (seq, prev) = self.expected();
        let (beginning, found) = (beginning(seq, prev), item.bytes.as_slice());
        let alike = beginning
            .bytes()
            .zip(found)
            .all(|(one, other)| one == *other);
        // Where a trail begins with a continuation, what its first line would have said is unknown.
        let is_unknown = self.previous.is_none() && self.verifier.from_continuation;
        if !alike && !is_unknown {
            return Err(edited(
                "a last line without newline that can't begin the next record",
            ));
        }
        depth_within(found, MAX_DEPTH.saturating_add(1)).map_err(edited)?;
        // A number may be torn after its sign, its point or its exponent's letter: a digit mends that.
        let mended = [found, b"0"].concat();
        let only_zeros = found.is_empty();
        if !only_zeros && !is_torn_json(found) && !is_torn_json(&mended) {
            return Err(edited(
                "a last line without newline that no record begins with",
            ));
        }
        Ok(u64::try_from(found.len()).unwrap_or(u64::MAX))
    }

    fn record(&mut self, item: &Item) -> Result<Option<Fault>> {
        let line = match Line::parse(&item.bytes) {
            Ok(line) => line,
            Err(why) => return Ok(Some(self.fault(&item.place, why.into()))),
        };
        let hash = RecordHash::of(&item.bytes);
        let begins = self.previous.is_none()
            && self.verifier.from_continuation
            && line.kind == Kind::Continued
            && line.seq > 0;
        if !begins && (line.seq, line.prev) != self.expected() {
            return self.diagnose(item, &line, hash).map(Some);
        }
        if begins {
            if let Some(expected) = self.verifier.expected_head
                && expected.seq < line.seq
            {
                // It can't be compared with anything that is here, and silence would vouch for it.
                let mut fault = self.fault(&item.place, Why::Removed { found: line.seq });
                fault.seq = expected.seq;
                return Ok(Some(fault));
            }
            self.summary.first_seq = line.seq;
        }
        if let Err(why) = self
            .admit(item, &line, hash)
            .and_then(|()| self.hand_out(item))
        {
            let mut fault = self.fault(&item.place, why);
            fault.seq = line.seq;
            return Ok(Some(fault));
        }
        Ok(None)
    }

    fn hand_out(&mut self, item: &Item) -> Result<(), Why> {
        if let Some(each) = &mut self.each {
            each(Record::parse(&item.bytes)?);
        }
        Ok(())
    }

    /// A record that is linked to the one before it: whether it may stand here, and what it says.
    fn admit(&mut self, item: &Item, line: &Line<'_>, hash: RecordHash) -> Result<(), Why> {
        let edited = |detail: &str| Why::Edited {
            detail: detail.to_owned(),
        };
        let before = self.previous.as_ref().map(|previous| previous.reason);
        let may_stand_here = match (line.kind, before) {
            (Kind::Genesis, before) => before.is_none(),
            (Kind::Continued, Some(reason)) => reason == Some(Reason::Rotated),
            (Kind::Continued, None) => line.seq > 0,
            (_, None) => false,
            (Kind::Opened, Some(reason)) => reason != Some(Reason::Rotated),
            (_, Some(reason)) => !matches!(
                reason,
                Some(Reason::Rotated | Reason::Closed | Reason::Overrun)
            ),
        };
        if !may_stand_here {
            return Err(edited(&format!(
                "a record of kind {} can't stand here",
                line.kind
            )));
        }
        let mut reason = None;
        match line.kind {
            Kind::Genesis => {
                let genesis: Genesis = line.body()?;
                self.named(genesis.trail, genesis.id)?;
            }
            Kind::Continued => {
                let continued: Continued = line.body()?;
                let previous = Head {
                    seq: line.seq.saturating_sub(1),
                    hash: line.prev,
                };
                if continued.previous != previous {
                    return Err(edited("it names another end of the file before"));
                }
                self.named(continued.trail, continued.id)?;
                self.summary.last_file = continued.file;
            }
            Kind::Opened => {
                let opened: Opened = line.body()?;
                let crashed = u64::from(!opened.was_closed);
                self.summary.crashes = self.summary.crashes.saturating_add(crashed);
            }
            Kind::Gap => {
                let gap: Gap = line.body()?;
                self.summary.dropped = self.summary.dropped.saturating_add(gap.dropped);
            }
            Kind::Checkpoint => {
                let checkpoint: Checkpoint = line.body()?;
                let Some(key) = self.verifier.key(checkpoint.key) else {
                    return Err(Why::ForeignKey {
                        key: checkpoint.key,
                    });
                };
                if !self.is_signed(&item.bytes, key) {
                    return Err(Why::Forged {
                        signed_through: self.summary.signed_through,
                    });
                }
                self.summary.signed_through = Some(line.seq);
                reason = Some(checkpoint.reason);
            }
            Kind::Event => {}
        }
        let head = Head {
            seq: line.seq,
            hash,
        };
        if let Some(expected) = self.verifier.expected_head
            && expected.seq == head.seq
            && expected.hash != head.hash
        {
            return Err(edited(
                "another record than the one that was kept elsewhere",
            ));
        }
        self.summary.head = Some(head);
        self.summary.records = self.summary.records.saturating_add(1);
        let critical = u64::from(line.critical);
        self.summary.critical = self.summary.critical.saturating_add(critical);
        self.previous = Some(Previous {
            place: item.place.clone(),
            head,
            prev: line.prev,
            reason,
        });
        Ok(())
    }

    fn named(&mut self, name: String, id: TrailId) -> Result<(), Why> {
        let expected = self.verifier.expected_trail.or(self.summary.id);
        if expected.is_some_and(|expected| expected != id) {
            return Err(Why::OtherTrail { found: id });
        }
        (self.summary.trail, self.summary.id) = (Some(name), Some(id));
        Ok(())
    }

    pub(crate) fn is_signed(&self, line: &[u8], key: &VerifyingKey) -> bool {
        let trail = self.summary.id;
        trail.is_some_and(|trail| signature::holds(key, trail, line))
    }
}

/// Whether this is the beginning of an object in JSON, or all of it.
fn is_torn_json(found: &[u8]) -> bool {
    match serde_json::from_slice::<serde::de::IgnoredAny>(found) {
        Ok(_) => found.ends_with(b"}"),
        Err(error) => error.is_eof(),
    }
}

impl From<NoRecord> for Why {
    fn from(why: NoRecord) -> Self {
        match why {
            NoRecord::Version(found) => Self::UnknownVersion { found },
            NoRecord::Malformed(detail) => Self::Edited { detail },
        }
    }
}
