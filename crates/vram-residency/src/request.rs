//! What a caller asks to be sealed.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use vram_seal::{Digest, ModelRef, SetPosition, ShardId, VerityDigest};

use crate::progress::{Progress, Silent};
use crate::source::Source;

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
    pub(crate) progress: &'a dyn Progress,
}

impl<'a> SealRequest<'a> {
    /// Seals bytes that are in memory.
    pub fn bytes(id: ShardId, bytes: &'a [u8]) -> Self {
        Self::new(id, Source::Bytes(bytes))
    }

    /// Seals what a reader gives, which must be `len` bytes exactly.
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

    /// Tells how far the seal has come.
    pub fn progress(mut self, progress: &'a dyn Progress) -> Self {
        self.progress = progress;
        self
    }
}

impl fmt::Debug for SealRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealRequest")
            .field("id", &self.id)
            .field("model", &self.model)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
