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

// The command's own reading of sizes. It is a program and no library.
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
    if let Err(why) = quantity::parse_size(text) {
        short(&why);
    }
    let (link, target) = text.split_once('\n').unwrap_or(("snapshots/a/b", text));
    if let Err(error) = cache::digest_of_link(Path::new(link), Path::new(target)) {
        short(&error);
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
