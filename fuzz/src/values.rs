//! Single values, as they come from a command line, an environment or a file name.

use std::fmt::{Debug, Display};
use std::path::Path;
use std::str::FromStr;

use vram_policy::{CheckId, Enforcement, Profile};
use vram_provenance::cache;
use vram_seal::evidence::{Challenge, Timestamp};
use vram_seal::{
    DeviceId, Digest, KeyId, ModelRef, Salt, SealKeyId, SealTag, SetRoot, ShardId,
    SignatureAlgorithm, VerityDigest, WorkerId,
};

use crate::short;

// The command's own reading of what it is told. It is a program and no library.
#[path = "../../crates/vram-cli/src/seal/digest.rs"]
#[expect(dead_code, reason = "what it is asked for is not sealed")]
mod digest;
#[path = "../../crates/vram-cli/src/audit/head.rs"]
mod head;
#[path = "../../crates/vram-cli/src/seal/position.rs"]
mod position;
#[path = "../../crates/vram-cli/src/quantity.rs"]
#[expect(dead_code, reason = "what it shows is not read")]
mod quantity;

/// Text as every kind of value.
pub fn values(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    same_again::<ShardId>(text);
    same_again::<WorkerId>(text);
    same_again::<ModelRef>(text);
    same_again::<DeviceId>(text);
    same_again::<Digest>(text);
    same_again::<VerityDigest>(text);
    same_again::<SetRoot>(text);
    same_again::<SealTag>(text);
    same_again::<SealKeyId>(text);
    same_again::<KeyId>(text);
    same_again::<Challenge>(text);
    same_again::<SignatureAlgorithm>(text);
    same_again::<CheckId>(text);
    same_again::<Profile>(text);
    same_again::<Enforcement>(text);
    answered::<Timestamp>(text);
    answered::<Salt>(text);
    let size = quantity::parse_size(text).err();
    let duration = quantity::parse_duration(text).err();
    size.iter().chain(&duration).for_each(short);
    expected_digest(text);
    trail_head(text);
    set_position(text);
    let (link, target) = text.split_once('\n').unwrap_or(("snapshots/a/b", text));
    if let Err(error) = cache::digest_of_link(Path::new(link), Path::new(target)) {
        short(&error);
    }
}

/// `KIND:HEX` of `--expect`.
fn expected_digest(text: &str) {
    let again = match text.parse::<digest::Expected>() {
        Ok(digest::Expected::Content(digest)) => format!("sha256:{digest}"),
        Ok(digest::Expected::Verity(digest)) => format!("fsverity:{digest}"),
        Err(error) => return short(&error),
    };
    assert_eq!(again.parse::<digest::Expected>(), text.parse());
}

/// `SEQ:HASH` of `--expect-head`.
fn trail_head(text: &str) {
    match head::parse_head(text) {
        Ok(head) => {
            let again = head::parse_head(&format!("{}:{}", head.seq, head.hash)).unwrap();
            assert_eq!((again.seq, again.hash), (head.seq, head.hash));
        }
        Err(error) => short(&error),
    }
}

/// `I/N` of `--position`.
fn set_position(text: &str) {
    match text.parse::<position::Position>() {
        Ok(position::Position(read)) => {
            assert!(read.index() < read.total());
            let again = format!("{}/{}", read.index() + 1, read.total());
            assert_eq!(again.parse(), Ok(position::Position(read)));
        }
        Err(error) => short(&error),
    }
}

/// What is read and printed is read as the same.
fn same_again<T>(text: &str)
where
    T: FromStr + Display + PartialEq + Debug,
    T::Err: Display + Debug,
{
    match text.parse::<T>() {
        Ok(value) => assert_eq!(value.to_string().parse::<T>().unwrap(), value),
        Err(error) => short(&error),
    }
}

fn answered<T>(text: &str)
where
    T: FromStr,
    T::Err: Display,
{
    if let Err(error) = text.parse::<T>() {
        short(&error);
    }
}
