//! What a caller asks to be sealed.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use vram_provenance::PieceDigests;
use vram_seal::{Digest, ExpectedFrom, ModelRef, SetPosition, ShardId, VerityDigest};

use crate::expectation::{Expectation, ExpectedDigest};
use crate::hashing::HostHashing;
use crate::progress::{Progress, Silent};
use crate::source::Source;
use crate::{Error, Result};

/// A shard to be sealed: an id, a source of bytes, and what is known of them.
///
/// ```
/// use vram_residency::SealRequest;
///
/// let request = SealRequest::file("layers-0".parse()?, "model.safetensors")
///     .model("all-MiniLM-L6-v2".parse()?);
/// # Ok::<(), vram_seal::Error>(())
/// ```
#[must_use = "a request does nothing until it is given to Manager::seal"]
pub struct SealRequest<'a> {
    pub(crate) id: ShardId,
    pub(crate) source: Source<'a>,
    pub(crate) model: Option<ModelRef>,
    pub(crate) position: Option<SetPosition>,
    pub(crate) expected_content: Option<Digest>,
    pub(crate) expected_pieces: Option<PieceDigests>,
    pub(crate) expected_verity: Option<VerityDigest>,
    pub(crate) expected_from: Option<ExpectedFrom>,
    pub(crate) hashing: HostHashing,
    pub(crate) progress: &'a dyn Progress,
}

impl<'a> SealRequest<'a> {
    /// Seals bytes that are in memory.
    pub fn bytes(id: ShardId, bytes: &'a [u8]) -> Self {
        Self::new(id, Source::Bytes(bytes))
    }

    /// Seals what a reader gives, which must be `len` bytes exactly.
    ///
    /// It is read by one thread at a time, not always the same. Staging is held meanwhile: a reader
    /// must not itself wait for another seal of the same manager.
    pub fn reader(id: ShardId, reader: &'a mut (dyn Read + Send), len: u64) -> Self {
        Self::new(id, Source::Reader { reader, len })
    }

    /// Seals a file. Its tensors can be viewed by name where it is SafeTensors or GGUF.
    pub fn file(id: ShardId, path: impl Into<PathBuf>) -> Self {
        Self::new(id, Source::File { path: path.into() })
    }

    fn new(id: ShardId, source: Source<'a>) -> Self {
        Self {
            id,
            source,
            model: None,
            position: None,
            expected_content: None,
            expected_pieces: None,
            expected_verity: None,
            expected_from: None,
            hashing: HostHashing::default(),
            progress: &Silent,
        }
    }

    /// Says which model the shard belongs to; the seal covers it.
    pub fn model(mut self, model: ModelRef) -> Self {
        self.model = Some(model);
        self
    }

    /// Says which of a set of shards this is; the seal covers it.
    pub fn position(mut self, position: SetPosition) -> Self {
        self.position = Some(position);
        self
    }

    /// Refuses to seal bytes of another content digest than this (SHA-256 of the whole).
    pub fn expect_content(mut self, digest: Digest) -> Self {
        self.expected_content = Some(digest);
        self
    }

    /// Refuses to seal bytes of which any piece has another content digest than these. It costs hashing the content
    /// once more on its way, as the content digest of the whole is computed too.
    pub fn expect_pieces(mut self, digests: PieceDigests) -> Self {
        self.expected_pieces = Some(digests);
        self
    }

    /// Expects what somebody stands for, and says so in the seal: digest and source at once.
    pub fn expect(self, expectation: Expectation) -> Self {
        let Expectation { digest, from } = expectation;
        let request = match digest {
            ExpectedDigest::Content(digest) => self.expect_content(digest),
            ExpectedDigest::Pieces(digests) => self.expect_pieces(digests),
            ExpectedDigest::Verity(digest) => self.expect_verity(digest),
        };
        request.expected_from(from)
    }

    /// Refuses to seal bytes of another verity digest than this.
    pub fn expect_verity(mut self, digest: VerityDigest) -> Self {
        self.expected_verity = Some(digest);
        self
    }

    /// Says where the digests came from that are expected; the seal covers it. By default from the caller,
    /// [`ExpectedFrom::Caller`].
    ///
    /// It is about what is expected: a request that expects no digest and names a source is refused, and so is one
    /// that expects a digest from [`ExpectedFrom::None`].
    pub fn expected_from(mut self, source: ExpectedFrom) -> Self {
        self.expected_from = Some(source);
        self
    }

    /// Chooses what the host computes of the bytes on their way. By default both digests.
    pub fn hashing(mut self, hashing: HostHashing) -> Self {
        self.hashing = hashing;
        self
    }

    /// Tells how far the seal has come, from whichever thread is the one that got it there.
    pub fn progress(mut self, progress: &'a dyn Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Where the expected digests come from, as the record says it.
    pub(crate) fn source_of_expectation(&self) -> Result<ExpectedFrom> {
        let refused = |why| {
            Err(Error::Expectation {
                shard: self.id.clone(),
                why,
            })
        };
        let expects = self.expects_content() || self.expected_verity.is_some();
        match (expects, self.expected_from) {
            (true, Some(ExpectedFrom::None)) => refused(
                "a digest is expected, and said to come from nowhere; say where it came from",
            ),
            (true, source) => Ok(source.unwrap_or(ExpectedFrom::Caller)),
            (false, None | Some(ExpectedFrom::None)) => Ok(ExpectedFrom::None),
            (false, Some(_)) => refused(
                "a source of its digests is named, and none is expected; expect the digest that came from there",
            ),
        }
    }

    /// Whether the host has to hash the content to tell whether it is what is expected.
    const fn expects_content(&self) -> bool {
        self.expected_content.is_some() || self.expected_pieces.is_some()
    }

    /// Whether the digests that are expected can be had by hashing so.
    pub(crate) fn require_sense(&self) -> Result<()> {
        let refused = |why| {
            let (shard, hashing) = (self.id.clone(), self.hashing);
            Err(Error::Hashing {
                shard,
                hashing,
                why,
            })
        };
        match self.hashing {
            HostHashing::ContentAndVerity => Ok(()),
            _ if self.expects_content() => refused(
                "a content digest is expected, and only hashing both on the host computes one; \
                 expect the verity digest instead",
            ),
            HostHashing::Trusted if self.expected_verity.is_none() => refused(
                "there is no verity digest to compare the device's measurement with; expect the one \
                 that `fsverity digest` prints for the file",
            ),
            HostHashing::Verity | HostHashing::Trusted => Ok(()),
        }
    }
}

impl fmt::Debug for SealRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealRequest")
            .field("id", &self.id)
            .field("model", &self.model)
            .field("position", &self.position)
            .field("hashing", &self.hashing)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: VerityDigest = VerityDigest::from_bytes([7; 32]);

    fn request() -> SealRequest<'static> {
        SealRequest::bytes("shard".parse().unwrap(), b"weights")
    }

    #[test]
    fn what_is_expected_comes_from_the_caller_unless_said_otherwise() {
        let source = |request: SealRequest<'_>| request.source_of_expectation().unwrap();

        assert_eq!(source(request()), ExpectedFrom::None);
        assert_eq!(
            source(request().expect_verity(NOTHING)),
            ExpectedFrom::Caller
        );
        let content = request().expect_content(Digest::of(b"weights"));
        assert_eq!(source(content), ExpectedFrom::Caller);
        let signed = request()
            .expected_from(ExpectedFrom::ModelSignature)
            .expect_verity(NOTHING);
        assert_eq!(source(signed), ExpectedFrom::ModelSignature);
    }

    #[test]
    fn a_source_without_a_digest_and_a_digest_without_a_source_are_refused() {
        let refused = |request: SealRequest<'_>| {
            let error = request.source_of_expectation().unwrap_err();
            assert!(matches!(error, Error::Expectation { .. }), "{error:?}");
        };

        for source in ExpectedFrom::ALL {
            if source == ExpectedFrom::None {
                refused(request().expect_verity(NOTHING).expected_from(source));
            } else {
                refused(request().expected_from(source));
            }
        }
    }
}
