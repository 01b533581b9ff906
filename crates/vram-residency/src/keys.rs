//! The keys that a manager seals with: what they are made of, and replacing them.

mod credential;
mod file;
mod refusal;
mod source;

use std::fmt;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vram_seal::{
    DeviceId, Protection, SealKey, SealKeyId, SealKeys, SealRecord, SealedRecord, Token,
    VerifiedSeal, WorkerId,
};

pub use self::refusal::SecretRefusal;
pub use self::source::{SecretForm, SecretSource};
use crate::clock::unix_nanos;
use crate::event::{Event, PreviousKey};
use crate::manager::Manager;
use crate::shard::SealedShard;
use crate::{Error, Result};

/// What a seal key is made of.
///
/// It can't be printed, cloned or serialized.
#[non_exhaustive]
pub enum Secret {
    /// A token, from which the key of one worker for one device is derived (HKDF-SHA256).
    Token {
        /// The token.
        token: Token,
        /// The worker.
        worker: WorkerId,
    },
    /// The key itself, for whatever device.
    Key(SealKey),
}

impl Secret {
    /// A token, and the worker that it is for.
    #[must_use]
    pub const fn token(token: Token, worker: WorkerId) -> Self {
        Self::Token { token, worker }
    }

    /// The key for this device.
    pub(crate) fn key_for(self, device: &DeviceId) -> Result<SealKey> {
        match self {
            Self::Token { token, worker } => Ok(SealKey::derive(&token, &worker, device)?),
            Self::Key(key) => Ok(key),
        }
    }
}

impl From<SealKey> for Secret {
    fn from(key: SealKey) -> Self {
        Self::Key(key)
    }
}

/// Says which kind it is, nothing of it.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token { worker, .. } => write!(f, "Secret(token of {})", worker.as_str()),
            Self::Key(key) => write!(f, "Secret(key {})", key.id()),
        }
    }
}

/// A secret whose seals are still accepted, and until when.
pub(crate) struct Previous {
    pub(crate) secret: Secret,
    pub(crate) until: SystemTime,
}

/// The keys that a manager starts with.
pub(crate) fn keys_for(
    present: Secret,
    previous: Vec<Previous>,
    device: &DeviceId,
    now: Duration,
) -> Result<SealKeys> {
    let mut keys = SealKeys::new(present.key_for(device)?);
    for Previous { secret, until } in previous {
        // What was to be accepted until before 1970 is accepted no more.
        let until = until.duration_since(UNIX_EPOCH).unwrap_or_default();
        keys.accept_previous(secret.key_for(device)?, until, now)?;
    }
    Ok(keys)
}

/// What observers are told of the keys that a manager starts with.
pub(crate) fn ready(keys: &SealKeys) -> Event<'static> {
    let previous = keys.previous().map(|(id, until)| PreviousKey {
        key_id: id.to_string(),
        until_unix_nanos: until_nanos(until),
    });
    Event::ManagerReady {
        key_id: keys.current_id().to_string(),
        previous_keys: previous.collect(),
    }
}

/// A time as events have it: what is after 2554 is as good as for ever.
fn until_nanos(until: Duration) -> u64 {
    unix_nanos(until).unwrap_or(u64::MAX)
}

impl Manager {
    /// The name of the key that shards are sealed with now.
    #[must_use]
    pub fn key_id(&self) -> SealKeyId {
        self.read_keys(|keys| keys.current_id())
    }

    /// What protects the present key in memory.
    #[must_use]
    pub fn key_protection(&self) -> Protection {
        self.read_keys(|keys| keys.current().protection())
    }

    /// The names of the keys that were replaced and are still accepted, and until when, since
    /// 1970-01-01 00:00:00 UTC.
    #[must_use]
    pub fn previous_keys(&self) -> Vec<(SealKeyId, Duration)> {
        self.read_keys(|keys| keys.previous().collect())
    }

    /// Seals with another key from now on.
    ///
    /// Shards that were sealed before still verify for this long, and are refused after it with
    /// [`Error::KeyExpired`], which is no alarm and doesn't stop the manager: seal them again before. No time at all
    /// ends the key at once, for one that was lost to somebody else. The earlier key is wiped at the first re-check,
    /// verification or rotation after its time, which observers hear of as [`Event::KeyRetired`].
    ///
    /// Gives the name of the new key. Observers hear of [`Event::KeyRotated`] before this returns, or of
    /// [`Event::KeyRotationRefused`].
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`]; [`Error::Seal`] for a key that was used before, or with more than
    /// [`SealKeys::MAX_PREVIOUS`] keys that are still accepted; [`Error::ClockSetBack`]. The key is the same as before
    /// then. If an observer can't keep the event the manager stops, with the new key.
    pub fn rotate(&self, secret: Secret, accept_previous_for: Duration) -> Result<SealKeyId> {
        let replaced = self.replace_key(secret, accept_previous_for);
        let (key_id, rotated, retired) = replaced.inspect_err(|error| {
            let reason = error.to_string();
            self.tell_anyway(&Event::KeyRotationRefused { reason });
        })?;
        self.tell(&rotated)?;
        retired.map(|()| key_id)
    }

    /// Gives the new key's name, what is to be told, and whether it could be told of keys whose time was over.
    fn replace_key(
        &self,
        secret: Secret,
        accept_previous_for: Duration,
    ) -> Result<(SealKeyId, Event<'static>, Result<()>)> {
        self.require_running()?;
        let key = secret.key_for(&self.device_id())?;
        let key_id = key.id();
        let now = self.now()?;
        let until = now.saturating_add(accept_previous_for);
        // At the very time of the rotation the key that it ends would count otherwise.
        let until = if accept_previous_for.is_zero() {
            Duration::ZERO
        } else {
            until
        };
        let (retired, replaced) =
            self.write_keys(|keys| (keys.retire(now), keys.rotate(key, until, now)));
        let retired = self.tell_retired(retired);
        let rotated = Event::KeyRotated {
            key_id: key_id.to_string(),
            previous_key_id: replaced?.to_string(),
            previous_until_unix_nanos: until_nanos(until),
        };
        Ok((key_id, rotated, retired))
    }

    /// Signs a record with the present key.
    pub(crate) fn sign(&self, record: SealRecord) -> Result<SealedRecord> {
        Ok(self.read_keys(|keys| keys.seal(record))?)
    }

    /// Refuses a record that isn't signed with a key of the manager's that is accepted now, or not the shard's own.
    pub(crate) fn require_signed<'r>(
        &self,
        shard: &SealedShard,
        sealed: &'r SealedRecord,
    ) -> Result<VerifiedSeal<'r>> {
        let is_own = sealed == shard.sealed_record();
        let id = || shard.id().clone();
        let broken = |source| Error::SealBroken {
            shard: id(),
            source,
        };
        let wrong = || Error::WrongRecord {
            shard: id(),
            presented: sealed.record.shard_id.clone(),
        };
        let is_of_shard = sealed.record == shard.sealed_record().record;
        match self.verified(sealed)? {
            Ok(seal) if is_of_shard => Ok(seal),
            Ok(_) => Err(wrong()),
            // The seal that this shard has always had: it is the key that is not there, not the seal that is broken.
            Err(vram_seal::Error::KeyExpired { id: key, until }) if is_own => {
                Err(Error::KeyExpired {
                    shard: id(),
                    key,
                    until,
                })
            }
            Err(vram_seal::Error::KeyUnknown { id: key }) if is_own => {
                Err(Error::KeyUnknown { shard: id(), key })
            }
            // With no key to check with, a record of another shard is known by not being this one's.
            Err(vram_seal::Error::KeyExpired { .. }) if !is_of_shard => Err(wrong()),
            Err(vram_seal::Error::KeyExpired { .. }) => Err(broken(vram_seal::Error::TagMismatch)),
            Err(source @ vram_seal::Error::Secret(_)) => Err(source.into()),
            Err(source) => Err(broken(source)),
        }
    }

    /// Checks a record's tag, and wipes the earlier keys whose time is over. The time is needed for those alone.
    fn verified<'r>(
        &self,
        sealed: &'r SealedRecord,
    ) -> Result<vram_seal::Result<VerifiedSeal<'r>>> {
        let present = self.read_keys(|keys| {
            let is_present = sealed.record.key_id == keys.current_id();
            is_present.then(|| sealed.verify(keys.current()))
        });
        let verified = match present {
            Some(verified) => verified,
            None => {
                let now = self.now()?;
                self.read_keys(|keys| keys.verify(sealed, now))
            }
        };
        self.retire_keys()?;
        Ok(verified)
    }

    /// Wipes the keys whose time is over, if the time is known. Without earlier keys it is not asked for.
    pub(crate) fn retire_keys(&self) -> Result<()> {
        if self.read_keys(|keys| keys.previous().next().is_none()) {
            return Ok(());
        }
        match self.now() {
            Ok(now) => self.tell_retired(self.write_keys(|keys| keys.retire(now))),
            Err(_) => Ok(()),
        }
    }

    fn tell_retired(&self, retired: Vec<(SealKeyId, Duration)>) -> Result<()> {
        let tell = |(id, until): (SealKeyId, Duration)| {
            self.tell(&Event::KeyRetired {
                key_id: id.to_string(),
                until_unix_nanos: until_nanos(until),
            })
        };
        // Each is told of, whatever becomes of another.
        retired.into_iter().map(tell).fold(Ok(()), Result::and)
    }

    fn read_keys<T>(&self, read: impl FnOnce(&SealKeys) -> T) -> T {
        // What the lock protects is whole at every moment at which a panic could strike.
        let keys = self.settings().keys.read();
        read(&keys.unwrap_or_else(PoisonError::into_inner))
    }

    fn write_keys<T>(&self, write: impl FnOnce(&mut SealKeys) -> T) -> T {
        let keys = self.settings().keys.write();
        write(&mut keys.unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_what_it_is_the_secret_of() {
        let token = Token::new(&[0x5a; 32]).unwrap();
        let key = SealKey::from_bytes(&[0x5a; 32]).unwrap();
        let id = key.id();

        let token = Secret::token(token, "worker-0".parse().unwrap());
        assert_eq!(format!("{token:?}"), "Secret(token of worker-0)");
        assert_eq!(
            format!("{:?}", Secret::from(key)),
            format!("Secret(key {id})")
        );
    }
}
