//! The keys of a worker: the present one, and those that it replaced.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Error, Result, SealKey, SealKeyId, SealRecord, SealedRecord, VerifiedSeal};

/// The key that seals are made with, and those before it, each accepted until a stated time.
///
/// Sealing uses the present key. Verifying picks the key that the record names: the present one at any time, an earlier
/// one until its time is over. After that its record is refused with [`Error::KeyExpired`], and that of a key that was
/// never held with [`Error::KeyUnknown`]; neither says that anything was tampered with.
///
/// Times are since 1970-01-01 00:00:00 UTC, by a clock that the caller reads. It may go backwards: the latest time that
/// was ever given counts, so an earlier key whose time is over does not come back. A clock that jumps ahead ends the
/// time of earlier keys early.
///
/// ```
/// use std::time::Duration;
/// use vram_seal::{Error, SealKey, SealKeys};
/// # use vram_seal::{DeviceId, ExpectedFrom, Freezing, SealRecord, VerityDigest};
/// # let record = SealRecord {
/// #     shard_id: "a".parse()?, size: 1, content: None, verity: VerityDigest::of(b"a"),
/// #     device: DeviceId { uuid: [7; 16], simulated: true }, sealed_at_unix_nanos: 0, freezing: Freezing::Mmu,
/// #     position: None, model: None, nonce: [9; 16],
/// #     key_id: SealKey::from_bytes(&[1; 32])?.id(), expected_from: ExpectedFrom::None,
/// # };
///
/// let seconds = Duration::from_secs;
/// let mut keys = SealKeys::new(SealKey::from_bytes(&[1; 32])?);
/// let sealed = keys.seal(record)?;
///
/// keys.rotate(SealKey::from_bytes(&[2; 32])?, seconds(2_000), seconds(1_000))?;
/// keys.verify(&sealed, seconds(2_000))?;
/// assert!(matches!(keys.verify(&sealed, seconds(2_001)), Err(Error::KeyExpired { .. })));
/// # Ok::<(), Error>(())
/// ```
pub struct SealKeys {
    current: SealKey,
    former: Vec<Former>,
    /// The latest time that was ever given, in nanoseconds.
    latest: AtomicU64,
}

/// A key that was replaced, or that was the present one of an earlier process.
struct Former {
    id: SealKeyId,
    until: Duration,
    /// Nothing once its time is over: then it is wiped, and only known to have been.
    key: Option<SealKey>,
}

impl SealKeys {
    /// How many earlier keys are held at most.
    pub const MAX_PREVIOUS: usize = 16;

    /// This key alone.
    #[must_use]
    pub const fn new(current: SealKey) -> Self {
        Self {
            current,
            former: Vec::new(),
            latest: AtomicU64::new(0),
        }
    }

    /// The name of the present key.
    #[must_use]
    pub const fn current_id(&self) -> SealKeyId {
        self.current.id()
    }

    /// The present key.
    #[must_use]
    pub const fn current(&self) -> &SealKey {
        &self.current
    }

    /// The names of the earlier keys that are still held, and until when each is accepted.
    pub fn previous(&self) -> impl Iterator<Item = (SealKeyId, Duration)> {
        let held = self.former.iter().filter(|former| former.key.is_some());
        held.map(|former| (former.id, former.until))
    }

    /// Accepts what an earlier key sealed, up to and at this time. `now` is the time at which this is asked.
    ///
    /// # Errors
    /// [`Error::KeyRepeated`] for a key that is held already or was, [`Error::TooManyKeys`] beyond
    /// [`MAX_PREVIOUS`](Self::MAX_PREVIOUS), [`Error::KeyExpired`] if its time is over.
    pub fn accept_previous(&mut self, key: SealKey, until: Duration, now: Duration) -> Result<()> {
        self.retire(now);
        self.require_new(key.id())?;
        self.require_room()?;
        if self.latest(now) > until {
            return Err(Error::KeyExpired {
                id: key.id(),
                until,
            });
        }
        self.former.push(Former {
            id: key.id(),
            until,
            key: Some(key),
        });
        Ok(())
    }

    /// Seals with another key from now on, and accepts what the present one sealed up to and at this time. A time that
    /// is over already accepts nothing of it.
    ///
    /// Gives the name of the key that was replaced.
    ///
    /// # Errors
    /// [`Error::KeyRepeated`] for a key that is held already or was, [`Error::TooManyKeys`] beyond
    /// [`MAX_PREVIOUS`](Self::MAX_PREVIOUS). Nothing has changed then.
    pub fn rotate(
        &mut self,
        new: SealKey,
        accept_present_until: Duration,
        now: Duration,
    ) -> Result<SealKeyId> {
        self.retire(now);
        self.require_new(new.id())?;
        self.require_room()?;
        let replaced = std::mem::replace(&mut self.current, new);
        let id = replaced.id();
        self.former.push(Former {
            id,
            until: accept_present_until,
            key: Some(replaced),
        });
        self.retire(now);
        Ok(id)
    }

    /// Wipes every earlier key whose time is over, and gives their names and until when each was accepted. Their names
    /// are remembered.
    pub fn retire(&mut self, now: Duration) -> Vec<(SealKeyId, Duration)> {
        let now = self.latest(now);
        let over = self.former.iter_mut().filter(|former| now > former.until);
        let wiped = over.filter_map(|former| {
            former.key.take()?;
            Some((former.id, former.until))
        });
        wiped.collect()
    }

    /// Signs a record with the present key, after putting its name into it.
    ///
    /// # Errors
    /// [`Error::Secret`] in a process that was forked from the one that has the keys.
    pub fn seal(&self, record: SealRecord) -> Result<SealedRecord> {
        SealedRecord::seal(&self.current, record)
    }

    /// Checks a tag with the key that its record names, as [`verify`](fn@crate::verify) does.
    ///
    /// # Errors
    /// [`Error::KeyUnknown`] and [`Error::KeyExpired`] where there is no such key, or not any more;
    /// [`Error::TagMismatch`] when record or tag is not what was sealed.
    pub fn verify<'r>(&self, sealed: &'r SealedRecord, now: Duration) -> Result<VerifiedSeal<'r>> {
        sealed.verify(self.key_of(sealed.record.key_id, now)?)
    }

    /// The key of this name, if it is accepted now.
    fn key_of(&self, id: SealKeyId, now: Duration) -> Result<&SealKey> {
        let now = self.latest(now);
        if id == self.current.id() {
            return Ok(&self.current);
        }
        let former = self.former.iter().find(|former| former.id == id);
        let former = former.ok_or(Error::KeyUnknown { id })?;
        match &former.key {
            Some(key) if now <= former.until => Ok(key),
            _ => Err(Error::KeyExpired {
                id,
                until: former.until,
            }),
        }
    }

    /// This time, or the latest that was given before.
    fn latest(&self, now: Duration) -> Duration {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let before = self.latest.fetch_max(nanos, Ordering::Relaxed);
        Duration::from_nanos(nanos.max(before))
    }

    fn require_new(&self, id: SealKeyId) -> Result<()> {
        let is_known = id == self.current.id() || self.former.iter().any(|former| former.id == id);
        if is_known {
            return Err(Error::KeyRepeated { id });
        }
        Ok(())
    }

    fn require_room(&self) -> Result<()> {
        if self.previous().count() < Self::MAX_PREVIOUS {
            return Ok(());
        }
        Err(Error::TooManyKeys {
            limit: Self::MAX_PREVIOUS,
        })
    }
}

/// The names of the keys, nothing of what they are.
impl fmt::Debug for SealKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SealKeys")
            .field("current", &self.current_id())
            .field("previous", &self.previous().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    const NOW: Duration = Duration::from_secs(1_000);

    fn key(byte: u8) -> SealKey {
        SealKey::from_bytes(&[byte; 32]).unwrap()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Keys of which 1 was replaced by 2 and is accepted up to 2000, and a record that 1 sealed.
    fn rotated() -> (SealKeys, SealedRecord) {
        let mut keys = SealKeys::new(key(1));
        let sealed = keys.seal(sample::full()).unwrap();
        let replaced = keys.rotate(key(2), seconds(2_000), NOW).unwrap();
        assert_eq!(replaced, key(1).id());
        (keys, sealed)
    }

    fn is_expired(verified: Result<VerifiedSeal<'_>>) -> bool {
        matches!(verified, Err(Error::KeyExpired { id, until })
            if id == key(1).id() && until == seconds(2_000))
    }

    #[test]
    fn the_present_key_seals_and_is_accepted_at_any_time() {
        let (keys, _) = rotated();
        let sealed = keys.seal(sample::full()).unwrap();
        assert_eq!(sealed.record.key_id, key(2).id());
        for now in [Duration::ZERO, NOW, Duration::MAX] {
            keys.verify(&sealed, now).unwrap();
        }
        sealed.verify(&key(2)).unwrap();
    }

    /// Covers: XK-2.
    #[test]
    fn what_the_earlier_key_sealed_is_accepted_until_its_time_and_not_after() {
        let (keys, sealed) = rotated();
        keys.verify(&sealed, NOW).unwrap();
        keys.verify(&sealed, seconds(2_000)).unwrap();
        assert!(is_expired(
            keys.verify(&sealed, seconds(2_000) + Duration::from_nanos(1))
        ));
    }

    /// Covers: XK-2.
    #[test]
    fn a_clock_that_is_set_back_brings_no_key_back() {
        let (keys, sealed) = rotated();
        keys.verify(&sealed, NOW).unwrap();
        assert!(is_expired(keys.verify(&sealed, seconds(2_001))));
        assert!(is_expired(keys.verify(&sealed, NOW)));
    }

    #[test]
    fn an_earlier_key_does_not_seal_and_its_tag_counts_for_its_own_name_only() {
        let (keys, sealed) = rotated();
        // Its tag under another accepted name, and another's tag under its name.
        let mut renamed = sealed.clone();
        renamed.record.key_id = key(2).id();
        let error = keys.verify(&renamed, NOW).unwrap_err();
        assert!(matches!(error, Error::TagMismatch) && error.is_fatal());

        let mut changed = sealed;
        changed.record.size += 1;
        let error = keys.verify(&changed, NOW).unwrap_err();
        assert!(matches!(error, Error::TagMismatch));
    }

    #[test]
    fn a_key_that_was_never_held_is_unknown_and_no_alarm() {
        let (keys, _) = rotated();
        let stranger = SealKeys::new(key(9)).seal(sample::full()).unwrap();
        let error = keys.verify(&stranger, NOW).unwrap_err();
        assert!(matches!(error, Error::KeyUnknown { id } if id == key(9).id()));
        assert!(!error.is_fatal() && !error.is_retriable());
    }

    #[test]
    fn a_key_of_an_earlier_process_is_accepted_until_its_time() {
        let sealed = SealKeys::new(key(1)).seal(sample::full()).unwrap();
        let mut keys = SealKeys::new(key(2));
        keys.accept_previous(key(1), seconds(2_000), NOW).unwrap();
        assert_eq!(
            keys.previous().collect::<Vec<_>>(),
            [(key(1).id(), seconds(2_000))]
        );
        keys.verify(&sealed, seconds(2_000)).unwrap();
        assert!(is_expired(keys.verify(&sealed, seconds(2_001))));

        let late = keys.accept_previous(key(3), seconds(2_000), seconds(2_001));
        assert!(matches!(late, Err(Error::KeyExpired { .. })));
        // Its time is the last moment at which it is accepted.
        let now = seconds(2_001);
        keys.accept_previous(key(3), now, now).unwrap();
    }

    #[test]
    fn a_key_is_taken_once() {
        let (mut keys, _) = rotated();
        for repeated in [1, 2] {
            let refused = keys.rotate(key(repeated), seconds(2_000), NOW);
            assert!(
                matches!(refused, Err(Error::KeyRepeated { .. })),
                "{repeated}"
            );
            let refused = keys.accept_previous(key(repeated), seconds(2_000), NOW);
            assert!(
                matches!(refused, Err(Error::KeyRepeated { .. })),
                "{repeated}"
            );
        }
        // Not after its time either, and not with zeros at its end, which HMAC pads with.
        keys.retire(seconds(2_001));
        let padded = SealKey::from_bytes(&[[1; 32], [0; 32]].concat()).unwrap();
        let refused = keys.rotate(padded, seconds(3_000), seconds(2_001));
        assert!(matches!(refused, Err(Error::KeyRepeated { .. })));
        assert_eq!(keys.current_id(), key(2).id());
    }

    #[test]
    fn earlier_keys_are_few_and_gone_after_their_time() {
        let mut keys = SealKeys::new(key(0));
        for byte in 1..=16 {
            keys.rotate(key(byte), seconds(2_000), NOW).unwrap();
        }
        assert_eq!(keys.previous().count(), SealKeys::MAX_PREVIOUS);
        let refused = keys.rotate(key(17), seconds(2_000), NOW);
        assert!(matches!(refused, Err(Error::TooManyKeys { limit: 16 })));
        assert_eq!(keys.current_id(), key(16).id());

        keys.rotate(key(17), seconds(3_000), seconds(2_001))
            .unwrap();
        assert_eq!(
            keys.previous().collect::<Vec<_>>(),
            [(key(16).id(), seconds(3_000))]
        );
    }

    /// Covers: XK-2.
    #[test]
    fn a_rotation_that_accepts_nothing_more_wipes_the_key_at_once() {
        let mut keys = SealKeys::new(key(1));
        let sealed = keys.seal(sample::full()).unwrap();
        keys.rotate(key(2), Duration::ZERO, NOW).unwrap();
        assert_eq!(keys.previous().count(), 0);
        let error = keys.verify(&sealed, NOW).unwrap_err();
        assert!(matches!(error, Error::KeyExpired { .. }) && !error.is_fatal());
        assert!(
            error.to_string().contains("1970-01-01T00:00:00Z"),
            "{error}"
        );
    }

    #[test]
    fn keys_print_their_names_alone() {
        let (keys, _) = rotated();
        let shown = format!("{keys:?}");
        assert!(shown.contains(&key(1).id().to_string()), "{shown}");
        assert!(!shown.contains("0101"), "{shown}");
    }

    #[test]
    fn a_key_is_kept_for_the_whole_of_its_last_moment() {
        let (mut keys, sealed) = rotated();

        assert!(keys.retire(seconds(2_000)).is_empty());
        keys.verify(&sealed, seconds(2_000)).unwrap();
        let over = keys.retire(seconds(2_000) + Duration::from_nanos(1));

        assert_eq!(over, [(key(1).id(), seconds(2_000))]);
    }
}
