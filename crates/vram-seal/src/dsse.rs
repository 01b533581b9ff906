//! DSSE, version 1: bytes and their type under signatures, as JSON.
//!
//! The [protocol](https://github.com/secure-systems-lab/dsse/blob/master/protocol.md) says what is signed, the
//! [envelope](https://github.com/secure-systems-lab/dsse/blob/master/envelope.md) how it travels. Where they leave a
//! choice, or say nothing:
//!
//! | | here |
//! | --- | --- |
//! | base64 | both alphabets are read, one or the other in each field, with padding, without line breaks, and with no bits set that decoding would drop; the standard one is written |
//! | members that DSSE does not name | ignored, as it demands; so is what they hold, within the limits |
//! | a name twice in one object | refused, anywhere |
//! | an empty or missing `keyid` | the same; a key's name is never believed, and every key is tried on every signature |
//! | signatures by keys that were not given | counted and ignored |
//! | the same key twice | counts once towards a threshold |
//! | a missing `payload`, `payloadType`, `signatures` or `sig` | refused |
//! | bytes after the JSON | refused, but for white space |
//!
//! So bytes of an envelope that nothing authenticates can be changed without notice: white space, the order of the
//! members, key ids, members that DSSE does not name, and which alphabet base64 uses. The payload and its type can't.
//! [`Envelope::is_as_written`] tells whether an envelope is byte for byte what this crate writes.

mod base64;
mod envelope;
mod refusal;
mod verified;

pub(crate) use self::base64::Base64Bytes;
pub use self::{
    envelope::{Envelope, pae},
    refusal::EnvelopeRefusal,
    verified::VerifiedPayload,
};
