//! What this crate refuses, and why.

use std::io;
use std::time::Duration;

use thiserror::Error as ThisError;

use crate::{
    KeyId, SealKeyId, dsse::EnvelopeRefusal, record::Field, set::SetRefusal, signing::KeyRefusal,
    statement::StatementRefusal,
};

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was refused: the value, the limit, and what to do about it.
///
/// No variant holds key or token material, so an error may be logged as it is.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A digest's text has the wrong length.
    #[error("{what} has {found} characters: give exactly 64 hexadecimal characters")]
    DigestLength {
        /// The kind of digest that was being read.
        what: &'static str,
        /// How many characters the text has.
        found: usize,
    },
    /// A digest's text holds something other than hexadecimal digits.
    #[error(
        "{what} holds {character:?} at character {position}: \
         give exactly 64 hexadecimal characters"
    )]
    DigestCharacter {
        /// The kind of digest that was being read.
        what: &'static str,
        /// The first character that is no hexadecimal digit.
        character: char,
        /// Its position, counted in characters from 0.
        position: usize,
    },

    /// A name has no characters.
    #[error("{what} is empty: give 1 to {limit} characters")]
    TextEmpty {
        /// The field that was being read.
        what: &'static str,
        /// The greatest length allowed, in bytes.
        limit: usize,
    },
    /// A name is too long.
    #[error("{what} is {found} bytes long, the limit is {limit}: shorten it")]
    TextTooLong {
        /// The field that was being read.
        what: &'static str,
        /// Its length in bytes.
        found: usize,
        /// The greatest length allowed, in bytes.
        limit: usize,
    },
    /// A name holds a character that it must not hold, a control character for one.
    #[error("{what} holds {character:?} at byte {position}: use only {allowed}")]
    TextCharacter {
        /// The field that was being read.
        what: &'static str,
        /// The first refused character.
        character: char,
        /// Its position, in bytes from 0.
        position: usize,
        /// What may be used instead, in words.
        allowed: &'static str,
    },
    /// A name starts with a dot, as hidden files and relative paths do.
    #[error("{what} starts with '.': start it with another character")]
    TextLeadingDot {
        /// The field that was being read.
        what: &'static str,
    },
    /// A name holds two dots in a row, as paths out of a directory do.
    #[error("{what} holds \"..\" at byte {position}: use single dots")]
    TextDotDot {
        /// The field that was being read.
        what: &'static str,
        /// The position of the first of the two dots, in bytes from 0.
        position: usize,
    },

    /// A salt is longer than fs-verity's descriptor can say.
    #[error("the salt is {found} bytes long, the limit is {limit}: shorten it")]
    SaltTooLong {
        /// Its length in bytes.
        found: usize,
        /// The greatest length allowed, in bytes.
        limit: usize,
    },
    /// A salt's text is not an even number of hexadecimal digits.
    #[error("the salt's text is not an even number of hexadecimal digits: {reason}")]
    SaltText {
        /// What is wrong with it.
        reason: hex::FromHexError,
    },
    /// A device identity's text is not a UUID as the driver's tools print it.
    #[error(
        "the device identity {found:?} is not \"GPU-\" and a UUID of 8-4-4-4-12 hexadecimal digits: \
         copy it as the driver's tools print it"
    )]
    DeviceIdText {
        /// How the text starts.
        found: String,
    },

    /// A token is too short to derive a key from.
    #[error(
        "the token is {found} bytes long, at least {minimum} are needed: generate a longer one"
    )]
    TokenTooShort {
        /// Its length in bytes.
        found: usize,
        /// The least length allowed, in bytes.
        minimum: usize,
    },
    /// A seal key is too short.
    #[error("the seal key is {found} bytes long, at least {minimum} are needed: use a longer one")]
    KeyTooShort {
        /// Its length in bytes.
        found: usize,
        /// The least length allowed, in bytes.
        minimum: usize,
    },
    /// A seal key's name is not one.
    #[error("the key id's text is not 16 hexadecimal characters: {reason}")]
    KeyIdText {
        /// What is wrong with it.
        reason: hex::FromHexError,
    },
    /// A record's tag was made with another key than the record names.
    #[error(
        "the seal record names the key {named}, and its tag was made with the key {found}: whoever holds that key \
         sealed it wrongly; seal again"
    )]
    KeyIdOther {
        /// The key that the record names.
        named: SealKeyId,
        /// The key that made the tag.
        found: SealKeyId,
    },
    /// A secret can't be held, or is not there any more.
    #[error(transparent)]
    Secret(#[from] vram_secret::Error),
    /// A record names a key that is none of those that are held.
    #[error(
        "the seal record names the key {id}, which is not held: give the key that it was sealed with, or seal again"
    )]
    KeyUnknown {
        /// The key that the record names.
        id: SealKeyId,
    },
    /// A record names a key that was replaced, and whose time is over.
    #[error(
        "the seal record names the key {id}, which was replaced and accepted until {} only: seal again with the present key",
        moment(*until)
    )]
    KeyExpired {
        /// The key that the record names.
        id: SealKeyId,
        /// Until when it was accepted, since 1970-01-01 00:00:00 UTC.
        until: Duration,
    },
    /// A key is held already, or was.
    #[error("the key {id} is held already, or was and has been replaced: give a new one")]
    KeyRepeated {
        /// The key.
        id: SealKeyId,
    },
    /// More keys are accepted than are held at a time.
    #[error(
        "{limit} keys that were replaced are accepted still: wait until one of them is not, or accept fewer"
    )]
    TooManyKeys {
        /// How many are held at most.
        limit: usize,
    },
    /// More bytes were asked of HKDF than it can give.
    #[error("{requested} bytes were asked of one HKDF-SHA256 expansion, the limit is {limit}")]
    DerivedTooLong {
        /// The length asked for, in bytes.
        requested: usize,
        /// The greatest length HKDF-SHA256 can give, in bytes.
        limit: usize,
    },

    /// A position lies outside its set.
    #[error("shard {index} of a set of {total} does not exist: count from 0, below the total")]
    SetPosition {
        /// The index, from 0.
        index: u32,
        /// The number of shards in the set.
        total: u32,
    },

    /// Shards are not the set that they should be.
    #[error("the set is refused: {0}")]
    Set(#[from] SetRefusal),

    /// A list of group hashes does not belong to a file of this size.
    #[error(
        "{size} bytes have {expected} group hashes, {found} were given: measure the whole file"
    )]
    GroupCount {
        /// The file's size in bytes.
        size: u64,
        /// How many group hashes a file of that size has.
        expected: u64,
        /// How many were given.
        found: u64,
    },
    /// A list of leaf prints does not belong to a file of this size.
    #[error("{size} bytes have {expected} leaf prints, {found} were given: keep one a block")]
    PrintCount {
        /// The file's size in bytes.
        size: u64,
        /// How many leaves a file of that size has.
        expected: u64,
        /// How many were given.
        found: u64,
    },
    /// A piece of a file is not whole groups of it.
    #[error(
        "a piece of {len} bytes at {offset} is no whole groups of a file of {size} bytes: start and \
         end it at multiples of 524288 bytes, or end it with the file"
    )]
    PieceRange {
        /// Where the piece starts.
        offset: u64,
        /// Its length in bytes.
        len: u64,
        /// The file's size in bytes.
        size: u64,
    },
    /// A part of a file was in no piece.
    #[error("group {group} of a file of {size} bytes was in no piece: hash all of the file")]
    PieceMissing {
        /// The first such group.
        group: u64,
        /// The file's size in bytes.
        size: u64,
    },
    /// A group does not exist.
    #[error("group {group} does not exist: there are {groups}, counted from 0")]
    GroupOutOfRange {
        /// The group asked for, from 0.
        group: u64,
        /// How many groups there are.
        groups: u64,
    },
    /// A list of leaf hashes does not belong to its group.
    #[error("group {group} has {expected} leaves, {found} were given: measure the whole group")]
    LeafCount {
        /// The group, from 0.
        group: u64,
        /// How many leaves it has.
        expected: u64,
        /// How many were given.
        found: u64,
    },

    /// What was given to be hashed could not be read to its end.
    #[error("reading failed after {read} bytes: {source}")]
    Read {
        /// How many bytes had been read by then.
        read: u64,
        /// What the reader said.
        source: io::Error,
    },

    /// A record does not start as every seal record does.
    #[error("these bytes are not a seal record: they do not start with \"VRAMSEAL\"")]
    RecordMagic,
    /// A record is of a version this crate does not know.
    #[error("the seal record is of version {found}, this build reads version {supported}")]
    RecordVersion {
        /// The record's version.
        found: u16,
        /// The version that can be read.
        supported: u16,
    },
    /// A record ends too early.
    #[error(
        "the seal record ends within {within}: {needed} bytes are needed, {available} are left"
    )]
    RecordTruncated {
        /// What was being read.
        within: &'static str,
        /// How many bytes it takes.
        needed: usize,
        /// How many are left.
        available: usize,
    },
    /// Bytes follow a record's end.
    #[error("{extra} bytes follow the seal record's end: pass the record alone")]
    RecordTrailing {
        /// How many bytes follow.
        extra: usize,
    },
    /// A record holds a field that its version does not have.
    #[error("the seal record holds field {number}, which version 2 does not have")]
    RecordFieldUnknown {
        /// The field's number.
        number: u16,
    },
    /// A record holds a field twice.
    #[error("the seal record holds the field `{field}` twice")]
    RecordFieldRepeated {
        /// The field.
        field: Field,
    },
    /// A record's fields are not in ascending order.
    #[error("the seal record's field `{field}` comes after `{after}`: fields ascend by number")]
    RecordFieldOrder {
        /// The field that comes too late.
        field: Field,
        /// The field before it.
        after: Field,
    },
    /// A record lacks a field that every record has.
    #[error("the seal record lacks the field `{field}`")]
    RecordFieldMissing {
        /// The field.
        field: Field,
    },
    /// A record's field has the wrong length.
    #[error("the seal record's field `{field}` is {found} bytes long, it takes {expected}")]
    RecordFieldLength {
        /// The field.
        field: Field,
        /// Its length in bytes.
        found: usize,
        /// The length it must have, in bytes, in words.
        expected: &'static str,
    },
    /// A record's field holds a value that means nothing.
    #[error("the seal record's field `{field}` holds {found}, which has no meaning")]
    RecordFieldValue {
        /// The field.
        field: Field,
        /// The value.
        found: u8,
    },
    /// A record's field is not text in UTF-8.
    #[error("the seal record's field `{field}` is not UTF-8 from byte {valid_up_to} on")]
    RecordFieldUtf8 {
        /// The field.
        field: Field,
        /// How many bytes are good.
        valid_up_to: usize,
    },

    /// A tag has the wrong length: it was truncated or extended.
    #[error("the seal tag is {found} bytes long, it takes exactly 32: it was cut or extended")]
    TagLength {
        /// Its length in bytes.
        found: usize,
    },
    /// A tag's text is not hexadecimal.
    #[error("the seal tag's text is not 64 hexadecimal characters: {reason}")]
    TagText {
        /// What is wrong with it.
        reason: hex::FromHexError,
    },
    /// A tag is all zeros: it was never computed, or it was wiped.
    #[error("the seal tag is all zeros: the record was never sealed")]
    TagZero,
    /// A tag does not belong to the record under this key. Record, tag or key is not the one that
    /// was sealed with: treat the shard as tampered with.
    #[error(
        "the seal tag does not match the record: record, tag or key was changed; stop using it"
    )]
    TagMismatch,

    /// A signing key can't be read, made or used.
    #[error("the signing key is refused: {0}")]
    SigningKey(KeyRefusal),
    /// A verifying key can't be read.
    #[error("the verifying key is refused: {0}")]
    VerifyingKey(KeyRefusal),
    /// A signing key's name is not one.
    #[error("the key id's text is not 64 lower-case hexadecimal characters: {reason}")]
    SigningKeyIdText {
        /// What is wrong with it.
        reason: hex::FromHexError,
    },
    /// A signature is not by this key over this message.
    #[error(
        "the signature is not one by key {key} over this: message, signature or key is another"
    )]
    SignatureMismatch {
        /// The key that was checked with.
        key: KeyId,
    },
    /// A DSSE envelope is refused.
    #[error("the envelope is refused: {0}")]
    Envelope(EnvelopeRefusal),
    /// An in-toto statement is refused.
    #[error("the statement is refused: {0}")]
    Statement(StatementRefusal),
    /// A challenge has the wrong length.
    #[error(
        "the challenge is {found} bytes long: give exactly 32, the SHA-256 of a nonce of another length"
    )]
    ChallengeLength {
        /// Its length in bytes.
        found: usize,
    },
    /// A challenge is all zeros.
    #[error("the challenge is all zeros: give 32 random bytes")]
    ChallengeZero,
    /// A challenge's text is not hexadecimal.
    #[error("the challenge's text is not 64 hexadecimal characters: {reason}")]
    ChallengeText {
        /// What is wrong with it.
        reason: hex::FromHexError,
    },
    /// A point in time is not in the one form that is read.
    #[error("this is not a time in UTC as RFC 3339 has it, such as 2026-01-01T00:00:00Z: {reason}")]
    Timestamp {
        /// What is wrong with it.
        reason: String,
    },
    /// The system gave no randomness.
    #[error("the system's source of randomness failed: try again")]
    Randomness,
}

impl Error {
    /// Whether the same call, with the same arguments, may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Read { .. }
            | Self::Randomness
            | Self::SigningKey(KeyRefusal::Randomness | KeyRefusal::Signing) => true,
            Self::Secret(error) => error.is_retriable(),
            Self::DigestLength { .. }
            | Self::DigestCharacter { .. }
            | Self::TextEmpty { .. }
            | Self::TextTooLong { .. }
            | Self::TextCharacter { .. }
            | Self::TextLeadingDot { .. }
            | Self::TextDotDot { .. }
            | Self::SaltTooLong { .. }
            | Self::SaltText { .. }
            | Self::DeviceIdText { .. }
            | Self::TokenTooShort { .. }
            | Self::KeyTooShort { .. }
            | Self::KeyIdText { .. }
            | Self::KeyIdOther { .. }
            | Self::KeyUnknown { .. }
            | Self::KeyExpired { .. }
            | Self::KeyRepeated { .. }
            | Self::TooManyKeys { .. }
            | Self::DerivedTooLong { .. }
            | Self::SetPosition { .. }
            | Self::Set(_)
            | Self::GroupCount { .. }
            | Self::PrintCount { .. }
            | Self::PieceRange { .. }
            | Self::PieceMissing { .. }
            | Self::GroupOutOfRange { .. }
            | Self::LeafCount { .. }
            | Self::RecordMagic
            | Self::RecordVersion { .. }
            | Self::RecordTruncated { .. }
            | Self::RecordTrailing { .. }
            | Self::RecordFieldUnknown { .. }
            | Self::RecordFieldRepeated { .. }
            | Self::RecordFieldOrder { .. }
            | Self::RecordFieldMissing { .. }
            | Self::RecordFieldLength { .. }
            | Self::RecordFieldValue { .. }
            | Self::RecordFieldUtf8 { .. }
            | Self::TagLength { .. }
            | Self::TagText { .. }
            | Self::TagZero
            | Self::TagMismatch
            | Self::SigningKey(_)
            | Self::VerifyingKey(_)
            | Self::SigningKeyIdText { .. }
            | Self::SignatureMismatch { .. }
            | Self::Envelope(_)
            | Self::Statement(_)
            | Self::ChallengeLength { .. }
            | Self::ChallengeZero
            | Self::ChallengeText { .. }
            | Self::Timestamp { .. } => false,
        }
    }

    /// Whether this is evidence of tampering: what was sealed must no longer be used.
    ///
    /// The refusals that are neither retriable nor fatal are the caller's to correct.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::TagLength { .. }
            | Self::TagZero
            | Self::TagMismatch
            | Self::KeyIdOther { .. } => true,
            // Of a set each shard may be what it was: others were to be with it.
            Self::Set(_) => false,
            // Who gave a wrong key, or was given another's envelope, has no shard to stop using.
            Self::SigningKey(_)
            | Self::VerifyingKey(_)
            | Self::SigningKeyIdText { .. }
            | Self::SignatureMismatch { .. }
            | Self::Envelope(_)
            | Self::Statement(_)
            | Self::ChallengeLength { .. }
            | Self::ChallengeZero
            | Self::ChallengeText { .. }
            | Self::Timestamp { .. }
            | Self::Randomness => false,
            Self::DigestLength { .. }
            | Self::DigestCharacter { .. }
            | Self::TextEmpty { .. }
            | Self::TextTooLong { .. }
            | Self::TextCharacter { .. }
            | Self::TextLeadingDot { .. }
            | Self::TextDotDot { .. }
            | Self::SaltTooLong { .. }
            | Self::SaltText { .. }
            | Self::DeviceIdText { .. }
            | Self::TokenTooShort { .. }
            | Self::KeyTooShort { .. }
            | Self::KeyIdText { .. }
            | Self::Secret(_)
            | Self::KeyUnknown { .. }
            | Self::KeyExpired { .. }
            | Self::KeyRepeated { .. }
            | Self::TooManyKeys { .. }
            | Self::DerivedTooLong { .. }
            | Self::SetPosition { .. }
            | Self::GroupCount { .. }
            | Self::PrintCount { .. }
            | Self::PieceRange { .. }
            | Self::PieceMissing { .. }
            | Self::GroupOutOfRange { .. }
            | Self::LeafCount { .. }
            | Self::Read { .. }
            | Self::RecordMagic
            | Self::RecordVersion { .. }
            | Self::RecordTruncated { .. }
            | Self::RecordTrailing { .. }
            | Self::RecordFieldUnknown { .. }
            | Self::RecordFieldRepeated { .. }
            | Self::RecordFieldOrder { .. }
            | Self::RecordFieldMissing { .. }
            | Self::RecordFieldLength { .. }
            | Self::RecordFieldValue { .. }
            | Self::RecordFieldUtf8 { .. }
            | Self::TagText { .. } => false,
        }
    }
}

/// A moment since 1970 in words, as RFC 3339 has it; as a number where it has none.
fn moment(since_1970: Duration) -> String {
    let timestamp = jiff::SignedDuration::try_from(since_1970)
        .ok()
        .and_then(|since| jiff::Timestamp::from_duration(since).ok());
    timestamp.map_or_else(
        || format!("{} s after 1970", since_1970.as_secs()),
        |timestamp| format!("{timestamp:.0}"),
    )
}

#[cfg(test)]
mod tests;
