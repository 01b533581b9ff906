//! Subjects, and the digests that identify them.

use std::{collections::BTreeMap, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Digest, ShardId, VerityDigest};

/// Digests of one thing by the name of their algorithm, as in-toto's
/// [`DigestSet`](https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md).
///
/// `sha256` is a name that the specification lists. It lists none for fs-verity, so this crate uses
/// [`FSVERITY_SHA256`](Self::FSVERITY_SHA256), made by the specification's own rule (lower case, `_` for `-`).
/// Algorithms that this crate does not know are kept and ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DigestSet(BTreeMap<String, String>);

impl DigestSet {
    /// The name of SHA-256 of all the bytes; the value is 64 lower-case hexadecimal characters.
    pub const SHA256: &'static str = "sha256";
    /// The name of the fs-verity digest with SHA-256, blocks of 4096 bytes and no salt: what `fsverity digest` prints
    /// after `sha256:`. The value is 64 lower-case hexadecimal characters.
    pub const FSVERITY_SHA256: &'static str = "fsverity_sha256";

    /// The digest that `sha256sum` prints, where there is one that is well formed.
    #[must_use]
    pub fn sha256(&self) -> Option<Digest> {
        self.get(Self::SHA256)
    }

    /// The digest that `fsverity digest` prints, where there is one that is well formed.
    #[must_use]
    pub fn fsverity_sha256(&self) -> Option<VerityDigest> {
        self.get(Self::FSVERITY_SHA256)
    }

    /// Whether no digest is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The algorithms and their values, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    fn get<D: FromStr + ToString>(&self, algorithm: &str) -> Option<D> {
        let text = self.0.get(algorithm)?;
        let digest: D = text.parse().ok()?;
        // The specification asks for lower case.
        (digest.to_string() == *text).then_some(digest)
    }
}

/// What a statement is about: a thing with its name and its digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    #[serde(default)]
    pub(super) digest: DigestSet,
}

impl Subject {
    /// A shard: its name, its content digest if the bytes passed through the host, and its verity digest without salt.
    #[must_use]
    pub fn shard(name: &ShardId, content: Option<Digest>, verity: VerityDigest) -> Self {
        let mut digests = BTreeMap::new();
        if let Some(content) = content {
            digests.insert(DigestSet::SHA256.to_owned(), content.to_string());
        }
        digests.insert(DigestSet::FSVERITY_SHA256.to_owned(), verity.to_string());
        Self {
            name: name.as_str().to_owned(),
            digest: DigestSet(digests),
        }
    }

    /// Its name; empty where there is none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its digests.
    #[must_use]
    pub const fn digests(&self) -> &DigestSet {
        &self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shards_digests_are_listed_by_name() {
        let content = Digest::of(b"weights");
        let verity = VerityDigest::from_bytes([7; 32]);
        let shard = "one".parse().unwrap();
        let of = |content| Subject::shard(&shard, content, verity);
        let (content_text, verity_text) = (content.to_string(), verity.to_string());
        let fsverity = (DigestSet::FSVERITY_SHA256, verity_text.as_str());

        let both = of(Some(content));
        let listed: Vec<_> = both.digests().iter().collect();
        assert_eq!(listed, [fsverity, (DigestSet::SHA256, &content_text)]);
        let one = of(None);
        assert_eq!(one.digests().iter().collect::<Vec<_>>(), [fsverity]);
        assert_eq!(DigestSet::default().iter().next(), None);
    }
}
