//! How large each part of a model file's header may be. What exceeds a limit is refused before
//! memory is taken for it.

/// Length of a SafeTensors header in bytes: 100 MB, the format's own limit.
pub const MAX_SAFETENSORS_HEADER: u64 = 100_000_000;

/// Nesting of a SafeTensors header: the object, a tensor's object, its shape. The format has no use
/// for more.
pub const MAX_SAFETENSORS_DEPTH: usize = 3;

/// Length of a GGUF header (metadata and tensor descriptions) in bytes: 256 MiB. Vocabularies of a
/// quarter million tokens take some 15 MiB.
pub const MAX_GGUF_HEADER: u64 = 256 << 20;

/// How deep GGUF arrays may nest.
pub const MAX_GGUF_ARRAY_DEPTH: usize = 4;

/// Dimensions of a GGUF tensor: 4, the specification's own limit.
pub const MAX_GGUF_DIMENSIONS: u32 = 4;

/// Alignment of a GGUF file in bytes: 1 MiB, the reference implementation's limit.
pub const MAX_GGUF_ALIGNMENT: u64 = 1 << 20;

/// Length of a GGUF metadata key in bytes: the specification's own limit.
pub const MAX_GGUF_KEY: u64 = 65_535;

/// Tensors in one file. The largest published models have some hundred thousand in all.
pub const MAX_TENSORS: u64 = 1 << 19;

/// Length of a tensor's name in bytes. GGUF's specification says 64, which writers of image models
/// exceed; nothing here depends on it.
pub const MAX_TENSOR_NAME: u64 = 1024;

/// Dimensions of a SafeTensors tensor.
pub const MAX_DIMENSIONS: usize = 32;

/// Metadata entries in one file.
pub const MAX_METADATA_ENTRIES: u64 = 65_536;

/// Bytes of metadata keys and texts kept in memory: 16 MiB.
pub const MAX_METADATA_KEPT: u64 = 16 << 20;

/// A metadata text of more bytes is not kept: only its length is
/// ([`MetadataValue::LongText`](super::MetadataValue::LongText)).
pub const MAX_METADATA_TEXT: u64 = 65_536;

/// How many bytes past a header may be read while reading it.
pub const READ_AHEAD: u64 = 65_536;
