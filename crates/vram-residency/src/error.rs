//! Everything that can be refused or go wrong, the layers' errors within.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use vram_alloc::Bytes;
use vram_policy::Refusal;
use vram_seal::{SealKeyId, ShardId, VerityDigest};

use crate::folder::FolderDifference;
use crate::hashing::HostHashing;
use crate::keys::SecretRefusal;
use crate::model::ModelError;
use crate::room::NoRoom;
use crate::verification::Difference;

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused or failed.
///
/// Each message says what was refused, the value, the limit and what to do. None holds an address,
/// a key or a weight.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device or its memory.
    #[error(transparent)]
    Memory(#[from] vram_alloc::Error),
    /// An identifier, a key, a record or a tag.
    #[error(transparent)]
    Seal(#[from] vram_seal::Error),
    /// A model file's header.
    #[error("{}: {source}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ModelError,
    },
    /// The device or the region is not what the policy asks for.
    #[error(transparent)]
    Policy(#[from] Refusal),
    /// A simulated device, which was not asked for.
    #[error(
        "device {device} is simulated: what it holds is in host memory. Use a GPU, or allow the \
         simulation by name (ManagerBuilder::allow_simulated)"
    )]
    Simulated {
        /// The simulated device's name.
        device: String,
    },
    /// No key to sign with.
    #[error("there is no key: give the builder a token or a seal key")]
    NoKey,
    /// A secret that is not taken from where it is said to be, or is not what it is said to be.
    #[error("the {what} from {from} can't be used: {reason}")]
    Secret {
        /// Which secret.
        what: &'static str,
        /// Where from.
        from: String,
        /// Why not, and what to do.
        reason: Box<SecretRefusal>,
    },
    /// A shard whose seal was made with a key that was replaced, and whose time is over. Nothing says that the shard
    /// was changed, and nothing says any more that it was not.
    #[error(
        "the key {key} that {shard} was sealed with was replaced, and accepted until {} only. Seal it again",
        date(*until)
    )]
    KeyExpired {
        /// The shard.
        shard: ShardId,
        /// The key's name.
        key: SealKeyId,
        /// Until when it was accepted, since 1970-01-01 00:00:00 UTC.
        until: Duration,
    },
    /// A shard whose seal was made with a key that this manager has never had.
    #[error(
        "{shard} was sealed with the key {key}, which this manager doesn't hold. Verify it with the one that does, or seal it again"
    )]
    KeyUnknown {
        /// The shard.
        shard: ShardId,
        /// The key's name.
        key: SealKeyId,
    },
    /// A shard of no bytes.
    #[error("{shard} has 0 bytes: there is nothing to seal. The smallest shard is 1 byte")]
    Empty {
        /// The shard.
        shard: ShardId,
    },
    /// A shard over the configured maximum.
    #[error(
        "{shard} has {size}, over the maximum of {limit}. Raise max_shard_size, or split the model"
    )]
    TooLarge {
        /// The shard.
        shard: ShardId,
        /// Its size.
        size: Bytes,
        /// The configured maximum.
        limit: Bytes,
    },
    /// A shard, or a set of them, that the device or the budget has too little left for.
    #[error("out of device memory: {0}")]
    NoRoom(Box<NoRoom>),
    /// A shard of this id is sealed already.
    #[error(
        "{shard} is sealed already, or named twice: choose another id, or drop the first shard"
    )]
    Duplicate {
        /// The id.
        shard: ShardId,
    },
    /// A file that can't be read.
    #[error("{}: {doing} failed: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was attempted.
        doing: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// Something other than a regular file.
    #[error("{} is {found}; give a regular file, or a folder of *.safetensors and *.gguf files", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// A folder with more in it than is looked at.
    #[error("{} has more than the limit of {limit} {what}; move what is no part of the model elsewhere", path.display())]
    FolderTooLarge {
        /// The folder.
        path: PathBuf,
        /// What it has too much of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// A folder with nothing to seal.
    #[error("{} holds no *.safetensors or *.gguf file", path.display())]
    NoModels {
        /// The folder.
        path: PathBuf,
    },
    /// A reader that failed.
    #[error("reading {shard} failed after {read} of {size} bytes: {source}")]
    Read {
        /// The shard.
        shard: ShardId,
        /// Bytes read so far.
        read: u64,
        /// Bytes promised.
        size: u64,
        /// The reader's error.
        source: std::io::Error,
    },
    /// Fewer or more bytes than were promised.
    #[error(
        "{shard} changed while it was read: {}. Seal a file that nobody is writing",
        changed(*read, *size)
    )]
    Changed {
        /// The shard.
        shard: ShardId,
        /// Bytes that came; more than promised counts as one more.
        read: u64,
        /// Bytes promised.
        size: u64,
    },
    /// The bytes are not those that were expected.
    #[error(
        "{shard} is not what was expected: its {kind} digest is {found}, expected {expected}. \
         Nothing was sealed; get the right file"
    )]
    Unexpected {
        /// The shard.
        shard: ShardId,
        /// Which digest: content or verity.
        kind: &'static str,
        /// What the bytes have.
        found: String,
        /// What the caller expected.
        expected: String,
    },
    /// The bytes are more or fewer than those that were expected.
    #[error(
        "{shard} is not what was expected: it has {found}, expected {expected}. Nothing was sealed; get the right file"
    )]
    UnexpectedSize {
        /// The shard.
        shard: ShardId,
        /// How many it has.
        found: Bytes,
        /// How many were expected.
        expected: Bytes,
    },
    /// A signature, a manifest, a checksum file or a cache's name.
    #[error("{}: {source}", path.display())]
    Provenance {
        /// The file that it is about.
        path: PathBuf,
        /// What is wrong with it.
        source: vram_provenance::Error,
    },
    /// A folder is not the model that was signed.
    #[error(
        "{} is not the model that was signed: {}. Nothing was sealed; get the whole model as it was published",
        path.display(),
        listed(differences, *more)
    )]
    NotAsSigned {
        /// The folder.
        path: PathBuf,
        /// How they differ.
        differences: Vec<FolderDifference>,
        /// How many differences there are beside those.
        more: usize,
    },
    /// A file that nothing is expected of, where something has to be.
    #[error("{} has no expected digest: {why}", path.display())]
    NothingExpected {
        /// The file.
        path: PathBuf,
        /// Why not, and what to do.
        why: Cow<'static, str>,
    },
    /// The device measures something other than the digest that was trusted.
    #[error(
        "{shard} is not what was trusted: the device measures verity digest {measured}, expected \
         {expected}. Nothing was hashed on the host, so the file, the digest or the way to the device \
         may be wrong. Nothing was sealed; hash on the host to find out which"
    )]
    NotAsTrusted {
        /// The shard.
        shard: ShardId,
        /// What the device measures.
        measured: VerityDigest,
        /// What the caller expected.
        expected: VerityDigest,
    },
    /// Digests are expected that hashing in the way asked for can't give.
    #[error("{shard} can't be sealed with hashing {hashing}: {why}")]
    Hashing {
        /// The shard.
        shard: ShardId,
        /// What was asked for.
        hashing: HostHashing,
        /// Why not, and what to do.
        why: &'static str,
    },
    /// Where an expected digest came from doesn't go with what is expected.
    #[error("{shard} can't be sealed as asked: {why}")]
    Expectation {
        /// The shard.
        shard: ShardId,
        /// Why not, and what to do.
        why: &'static str,
    },
    /// Whoever waits for the seal gave it up, or another shard of the same set could not be sealed.
    #[error(
        "{shard} was given up: its seal is not wanted any more, or another shard of its set could not be \
         sealed"
    )]
    Cancelled {
        /// The shard.
        shard: ShardId,
    },
    /// The device doesn't hold what was sent.
    #[error(
        "{shard} did not arrive whole: the device measures {measured}, the host sent {sent}. Nothing \
         was sealed; suspect the link or the memory, and try another device"
    )]
    UploadCorrupted {
        /// The shard.
        shard: ShardId,
        /// What the device measures.
        measured: VerityDigest,
        /// What the host hashed.
        sent: VerityDigest,
    },
    /// The record is not the one that was sealed.
    #[error("the seal of {shard} is broken: {source}. Its bytes are not to be used")]
    SealBroken {
        /// The shard.
        shard: ShardId,
        /// What the tag says.
        source: vram_seal::Error,
    },
    /// A record that describes another region than the one it was presented with.
    #[error("the record presented for {shard} is of {presented}: not the same seal")]
    WrongRecord {
        /// The shard.
        shard: ShardId,
        /// The shard that the record names.
        presented: ShardId,
    },
    /// The bytes in device memory have changed.
    #[error("{shard} has changed in device memory: {difference}. Its bytes are not to be used")]
    Tampered {
        /// The shard.
        shard: ShardId,
        /// Where.
        difference: Difference,
    },
    /// The device read other bytes in one pass than in another.
    #[error(
        "the device read other bytes in pass {pass} than before: something writes the memory meanwhile, or the \
         device doesn't read it. Nothing is proven; measure memory that nobody writes"
    )]
    UnsteadyRead {
        /// The pass, from 0.
        pass: u8,
    },
    /// A seal that is older than the configured maximum.
    #[error(
        "the seal of {shard} is {} old, over the maximum of {}. Seal it again",
        seconds(*age),
        seconds(*limit)
    )]
    Expired {
        /// The shard.
        shard: ShardId,
        /// Its age.
        age: Duration,
        /// The configured maximum.
        limit: Duration,
    },
    /// A seal from the future.
    #[error(
        "the seal of {shard} is dated {} ahead of the clock, over the tolerated skew of {}: whoever \
         sealed it has another time, or the record is not what it says. Set the clocks right",
        seconds(*ahead),
        seconds(*tolerated)
    )]
    FromTheFuture {
        /// The shard.
        shard: ShardId,
        /// How far ahead.
        ahead: Duration,
        /// The skew that is tolerated.
        tolerated: Duration,
    },
    /// The clock went backwards while the manager lived.
    #[error(
        "the clock was set back: it is {} behind where it has to be by now, over the tolerated skew of \
         {}. No seal's age can be told; set it right, or start anew",
        seconds(*behind),
        seconds(*tolerated)
    )]
    ClockSetBack {
        /// How far it is behind.
        behind: Duration,
        /// The skew that is tolerated.
        tolerated: Duration,
    },
    /// A card in confidential computing that gives no report of its own.
    #[error(
        "confidential computing is on, but the card's own attestation can't be had: {source}. No evidence was \
         made; find out what the management library lacks, and ask again"
    )]
    CardAttestation {
        /// What the management library said.
        source: vram_observe::Error,
    },
    /// The manager has stopped.
    #[error("the manager has stopped ({reason}) and will neither seal nor permit anything more")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// An observer that must keep every event could not keep one. The manager has stopped.
    #[error(
        "{event} could not be recorded, so the manager has stopped: {source}; see to the place where events \
         are kept, and start again"
    )]
    Unrecorded {
        /// The event's name.
        event: &'static str,
        /// What the observer says.
        source: crate::ObserverError,
    },
    /// A shard of another manager.
    #[error("{shard} was not sealed by this manager; verify it with the one that did")]
    Foreign {
        /// The shard.
        shard: ShardId,
    },
    /// A tensor that the shard doesn't have.
    #[error("{shard} has no tensor named {name:?}{}", with_table(*tensors))]
    NoSuchTensor {
        /// The shard.
        shard: ShardId,
        /// The name asked for.
        name: String,
        /// How many tensors it has.
        tensors: usize,
    },
    /// The system gave no random bytes or no time.
    #[error("the system has no {what}: {source}")]
    System {
        /// What is missing.
        what: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Whether the same call may succeed later with nothing repaired in between.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Memory(error) => error.is_retriable(),
            Self::Seal(error) => error.is_retriable(),
            Self::Model { source, .. } => source.is_retriable(),
            Self::Policy(refusal) => refusal.is_retriable(),
            Self::Provenance { source, .. } => source.is_retriable(),
            Self::Changed { .. } | Self::NoRoom(_) => true,
            Self::Simulated { .. }
            | Self::NoKey
            | Self::Secret { .. }
            | Self::KeyExpired { .. }
            | Self::KeyUnknown { .. }
            | Self::Empty { .. }
            | Self::TooLarge { .. }
            | Self::Duplicate { .. }
            | Self::File { .. }
            | Self::NotAFile { .. }
            | Self::NoModels { .. }
            | Self::FolderTooLarge { .. }
            | Self::Read { .. }
            | Self::Unexpected { .. }
            | Self::UnexpectedSize { .. }
            | Self::NotAsSigned { .. }
            | Self::NothingExpected { .. }
            | Self::NotAsTrusted { .. }
            | Self::Hashing { .. }
            | Self::Expectation { .. }
            | Self::Cancelled { .. }
            | Self::UploadCorrupted { .. }
            | Self::SealBroken { .. }
            | Self::WrongRecord { .. }
            | Self::Tampered { .. }
            | Self::UnsteadyRead { .. }
            | Self::Expired { .. }
            | Self::FromTheFuture { .. }
            | Self::CardAttestation { .. }
            | Self::ClockSetBack { .. }
            | Self::Stopped { .. }
            | Self::Unrecorded { .. }
            | Self::Foreign { .. }
            | Self::NoSuchTensor { .. }
            | Self::System { .. } => false,
        }
    }

    /// Whether the manager, or the device, can't be used any further. A manager that meets such an
    /// error has stopped.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Memory(error) => error.is_fatal(),
            Self::Seal(error) => error.is_fatal(),
            Self::Model { source, .. } => source.is_fatal(),
            Self::Policy(refusal) => refusal.is_fatal(),
            Self::UploadCorrupted { .. }
            | Self::SealBroken { .. }
            | Self::WrongRecord { .. }
            | Self::Tampered { .. }
            | Self::FromTheFuture { .. }
            | Self::Stopped { .. }
            | Self::Unrecorded { .. } => true,
            Self::Simulated { .. }
            | Self::NoKey
            | Self::Secret { .. }
            | Self::KeyExpired { .. }
            | Self::KeyUnknown { .. }
            | Self::Provenance { .. }
            | Self::Empty { .. }
            | Self::TooLarge { .. }
            | Self::NoRoom(_)
            | Self::Duplicate { .. }
            | Self::File { .. }
            | Self::NotAFile { .. }
            | Self::NoModels { .. }
            | Self::FolderTooLarge { .. }
            | Self::Read { .. }
            | Self::Changed { .. }
            | Self::Unexpected { .. }
            | Self::UnexpectedSize { .. }
            | Self::NotAsSigned { .. }
            | Self::NothingExpected { .. }
            | Self::NotAsTrusted { .. }
            | Self::Hashing { .. }
            | Self::Expectation { .. }
            | Self::Cancelled { .. }
            | Self::UnsteadyRead { .. }
            | Self::Expired { .. }
            | Self::CardAttestation { .. }
            | Self::ClockSetBack { .. }
            | Self::Foreign { .. }
            | Self::NoSuchTensor { .. }
            | Self::System { .. } => false,
        }
    }

    /// Whether bytes or a record are not what they were: what an auditor must hear of.
    #[must_use]
    pub const fn is_integrity_failure(&self) -> bool {
        if let Self::Provenance { source, .. } = self {
            return source.is_integrity_failure();
        }
        matches!(
            self,
            Self::UploadCorrupted { .. }
                | Self::SealBroken { .. }
                | Self::WrongRecord { .. }
                | Self::Tampered { .. }
                | Self::Unexpected { .. }
                | Self::UnexpectedSize { .. }
                | Self::NotAsSigned { .. }
                | Self::NotAsTrusted { .. }
                | Self::FromTheFuture { .. }
                | Self::Seal(vram_seal::Error::Set(_))
        )
    }

    /// Whether the policy refused.
    #[must_use]
    pub const fn is_policy_refusal(&self) -> bool {
        matches!(self, Self::Policy(_) | Self::Simulated { .. })
    }
}

fn changed(read: u64, size: u64) -> String {
    match read.cmp(&size) {
        std::cmp::Ordering::Less => format!("it ended after {read} of {size} bytes"),
        std::cmp::Ordering::Equal => format!("its {size} bytes are not those it had at first"),
        std::cmp::Ordering::Greater => format!("it grew past {size} bytes"),
    }
}

fn listed(differences: &[FolderDifference], more: usize) -> String {
    let mut listed: Vec<_> = differences.iter().map(ToString::to_string).collect();
    if more > 0 {
        listed.push(format!("and {more} more"));
    }
    listed.join("; ")
}

fn seconds(duration: Duration) -> String {
    format!("{}.{:03} s", duration.as_secs(), duration.subsec_millis())
}

fn date(since_1970: Duration) -> String {
    let timestamp = jiff::SignedDuration::try_from(since_1970)
        .ok()
        .and_then(|since| jiff::Timestamp::from_duration(since).ok());
    let seconds = || seconds(since_1970);
    timestamp.map_or_else(seconds, |timestamp| format!("{timestamp:.0}"))
}

fn with_table(tensors: usize) -> String {
    if tensors == 0 {
        return "; it is sealed as plain bytes, with no tensor table".to_owned();
    }
    format!("; it has {tensors} others")
}
