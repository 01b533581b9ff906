//! Model files: which format one has, and where in it each tensor lies.
//!
//! A header is an outsider's claim about a file. [`ModelHeader::read`] reads it, never the tensors'
//! data, and believes nothing: each count, length, name, shape, type and range is checked against
//! the file's real length and against the documented [`limits`] before memory is taken for it. What
//! comes back is a [`TensorTable`] whose ranges lie inside the file, do not overlap and leave no
//! byte of the data unaccounted for.
//!
//! | format | read from | strictness |
//! | --- | --- | --- |
//! | SafeTensors | the format's README; types and final validation from the `safetensors` crate | as that crate, and besides: no duplicate names, no unknown fields, no control characters in names |
//! | GGUF 2 and 3, little endian | `docs/gguf.md` of ggml | as the specification, and besides: no gaps, no trailing bytes, known tensor types only |
//! | anything else | not read | [`ModelFormat::Opaque`]: sealed as bytes, with no tensor table |
//!
//! # Which format a file has
//!
//! The file's name is a promise. A file called `*.safetensors` or `*.gguf` must be one, or it is an
//! error. Without such a name ([`FormatHint::Unknown`]), a file that starts as GGUF does, or whose
//! first bytes can be the start of a SafeTensors file of that length, is held to that format; every
//! other file is opaque.
//!
//! # Example
//!
//! ```
//! use std::io::Cursor;
//! use vram_residency::model::{FormatHint, ModelFormat, ModelHeader};
//!
//! let json = br#"{"bias":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}"#;
//! let mut file = (json.len() as u64).to_le_bytes().to_vec();
//! file.extend_from_slice(json);
//! file.extend_from_slice(&[0; 8]);
//!
//! let hint = FormatHint::from_path("layer.safetensors".as_ref());
//! let header = ModelHeader::read(&mut Cursor::new(&file), file.len() as u64, hint)?;
//!
//! assert_eq!(header.format(), ModelFormat::SafeTensors);
//! let bias = header.tensors().get("bias").expect("the file has this tensor");
//! assert_eq!((bias.element().name(), bias.shape()), ("F16", [4].as_slice()));
//! assert_eq!(bias.range(), 65..73);
//! # Ok::<(), vram_residency::model::ModelError>(())
//! ```

mod detect;
mod element;
mod error;
mod gguf;
mod layout;
pub mod limits;
mod metadata;
mod safetensors;
mod shown;
mod table;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod samples;

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

pub use self::detect::{FormatHint, ModelFormat};
pub use self::element::ElementType;
pub use self::error::ModelError;
pub use self::metadata::{Metadata, MetadataValue};
pub use self::table::{Tensor, TensorTable};

/// What a model file says about itself, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelHeader {
    format: ModelFormat,
    tensors: TensorTable,
    metadata: Metadata,
    data: Range<u64>,
}

impl ModelHeader {
    /// Reads the header of the file behind `reader`, which is `file_len` bytes long.
    ///
    /// Reads from the file's start, and at most [`limits::READ_AHEAD`] bytes past the header's end.
    /// The reader is left somewhere in the file: seek before reading on.
    ///
    /// # Errors
    ///
    /// [`ModelError`] where the file can't be read, is not what `hint` promises, or has a header
    /// that is wrong in any way.
    pub fn read<R: Read + Seek>(
        reader: &mut R,
        file_len: u64,
        hint: FormatHint,
    ) -> Result<Self, ModelError> {
        rewind(reader)?;
        let prefix = detect::Prefix::read(reader, file_len)?;
        let format = prefix.format(hint)?;
        rewind(reader)?;
        match format {
            ModelFormat::SafeTensors => safetensors::read(reader, file_len),
            ModelFormat::Gguf => gguf::read(reader, file_len),
            ModelFormat::Opaque => Ok(Self::opaque(file_len)),
        }
    }

    fn opaque(file_len: u64) -> Self {
        Self {
            format: ModelFormat::Opaque,
            tensors: TensorTable::default(),
            metadata: Metadata::default(),
            data: 0..file_len,
        }
    }

    /// The file's format.
    #[must_use]
    pub fn format(&self) -> ModelFormat {
        self.format
    }

    /// The tensors, in the order in which they lie in the file. Empty for an opaque file.
    #[must_use]
    pub fn tensors(&self) -> &TensorTable {
        &self.tensors
    }

    /// The file's metadata. Empty for an opaque file.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Where the tensors' data lies, in bytes from the start of the file. The whole file where it
    /// is opaque.
    #[must_use]
    pub fn data(&self) -> Range<u64> {
        self.data.clone()
    }
}

fn rewind(reader: &mut impl Seek) -> Result<(), ModelError> {
    match reader.seek(SeekFrom::Start(0)) {
        Ok(_) => Ok(()),
        Err(source) => Err(ModelError::Io {
            doing: "seeking to the start of",
            source,
        }),
    }
}
