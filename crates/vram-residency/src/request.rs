//! What a caller asks to be sealed.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use vram_seal::{Digest, ModelRef, SetPosition, ShardId, VerityDigest};

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
    pub(crate) expected_verity: Option<VerityDigest>,
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
            expected_verity: None,
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

    /// Refuses to seal bytes of another verity digest than this.
    pub fn expect_verity(mut self, digest: VerityDigest) -> Self {
        self.expected_verity = Some(digest);
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
            _ if self.expected_content.is_some() => refused(
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
