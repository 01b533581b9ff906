//! GGUF, versions 2 and 3, little endian: a binary header and the tensors' data.
//!
//! Written here because a parser that meets hostile files has to satisfy all of this at once, and
//! no published one does: every count and length is checked against the file before memory is
//! taken for it, nothing panics, no unsafe code turns file bytes into enums, sizes of all block
//! types are right, overlaps and gaps are refused, and it brings no command line or logger along.
//!
//! Follows ggml's `docs/gguf.md`. Stricter than it: tensors must leave no gap beyond their padding
//! and no byte behind (which exposes a tensor count that was lied about), the alignment must be a
//! power of two, and padding behind the header must be zero. More lenient: names may be longer than
//! 64 bytes, and keys need not be `lower_snake_case`; published files break both.

mod metadata;
mod source;
mod types;

use std::io::Read;
use std::ops::Range;

use self::source::Source;
use super::ModelHeader;
use super::detect::ModelFormat;
use super::element;
use super::error::ModelError;
use super::layout;
use super::limits::{MAX_GGUF_DIMENSIONS, MAX_METADATA_ENTRIES, MAX_TENSOR_NAME, MAX_TENSORS};
use super::shown::shown;
use super::table::{self, Tensor, TensorTable};

/// The first bytes of every GGUF file.
pub(super) const MAGIC: [u8; 4] = *b"GGUF";

/// The shortest description of a tensor: the length of an empty name (8 bytes), no dimension (4), type (4), offset (8).
const LEAST_TENSOR: u64 = 24;

/// Reads the header of a GGUF file from its start.
pub(super) fn read(reader: &mut impl Read, file_len: u64) -> Result<ModelHeader, ModelError> {
    let mut source = Source::new(reader, file_len);
    source.section("the file's head");
    source.array::<4>("magic")?;
    check_version(source.u32("version")?)?;
    let tensor_count = source.u64("tensor count")?;
    let metadata_count = source.u64("metadata count")?;
    source.count("tensors", tensor_count, MAX_TENSORS, LEAST_TENSOR)?;
    source.count(
        "metadata entries",
        metadata_count,
        MAX_METADATA_ENTRIES,
        metadata::LEAST,
    )?;

    let metadata = metadata::read(&mut source, metadata_count)?;
    let alignment = metadata::alignment(&metadata)?;
    let mut claims = Vec::new();
    for index in 0..tensor_count {
        source.section_at("tensor", index);
        claims.push(Claim::read(&mut source)?);
    }

    let data_start = skip_padding(&mut source, alignment, claims.is_empty())?;
    let data = data_start..file_len;
    let tensors: Result<Vec<Tensor>, ModelError> = claims
        .into_iter()
        .map(|claim| claim.check(alignment, &data))
        .collect();
    let tensors = TensorTable::new(tensors?)?;
    layout::check(&tensors, &data, alignment)?;
    Ok(ModelHeader {
        format: ModelFormat::Gguf,
        tensors,
        metadata,
        data,
    })
}

fn check_version(version: u32) -> Result<(), ModelError> {
    match (version, version.swap_bytes()) {
        (2 | 3, _) => Ok(()),
        (_, swapped @ 1..=0xffff) => Err(ModelError::BigEndian { version: swapped }),
        _ => Err(ModelError::UnsupportedVersion { version }),
    }
}

/// Passes over the zeros between the header and the data. A file without tensors may end before
/// them.
fn skip_padding<R: Read>(
    source: &mut Source<R>,
    alignment: u64,
    no_tensors: bool,
) -> Result<u64, ModelError> {
    source.section("the file");
    let header_end = source.position();
    let data_start = layout::align_up(header_end, alignment).unwrap_or(u64::MAX);
    let mut padding = data_start.saturating_sub(header_end);
    if no_tensors {
        padding = padding.min(source.remaining());
    }
    source.zeros("padding behind the header", padding)?;
    Ok(source.position())
}

/// What a header says about one tensor.
struct Claim {
    name: String,
    shape: Vec<u64>,
    type_number: u32,
    offset: u64,
}

impl Claim {
    fn read<R: Read>(source: &mut Source<R>) -> Result<Self, ModelError> {
        let name = source.text("name", MAX_TENSOR_NAME)?;
        table::check_name(&name)?;
        let dimensions = source.u32("number of dimensions")?;
        if dimensions > MAX_GGUF_DIMENSIONS {
            return Err(ModelError::TooMany {
                what: format!("dimensions of tensor `{}`", shown(&name)),
                count: u64::from(dimensions),
                limit: u64::from(MAX_GGUF_DIMENSIONS),
            });
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            shape.push(source.u64("dimension")?);
        }
        let type_number = source.u32("element type")?;
        let offset = source.u64("offset")?;
        Ok(Self {
            name,
            shape,
            type_number,
            offset,
        })
    }

    fn check(self, alignment: u64, data: &Range<u64>) -> Result<Tensor, ModelError> {
        let Self {
            name,
            shape,
            type_number,
            offset,
        } = self;
        let element =
            types::element(type_number).ok_or_else(|| ModelError::UnknownElementType {
                tensor: shown(&name),
                found: format!("number {type_number}"),
            })?;
        let row = shape.first().copied().unwrap_or(1);
        if !element.fills_blocks(row) {
            return Err(ModelError::PartialBlock {
                tensor: shown(&name),
                element: element.name(),
                elements: row,
                per: "a row",
                block: element.block_elements(),
            });
        }
        let size = element::elements(&shape).and_then(|elements| element.bytes(elements));
        let Some(size) = size else {
            return Err(ModelError::ShapeOverflow {
                tensor: shown(&name),
                shape,
            });
        };
        if !offset.is_multiple_of(alignment) {
            return Err(ModelError::Misaligned {
                tensor: shown(&name),
                offset,
                alignment,
            });
        }
        let begin = data.start.checked_add(offset);
        let range = begin.and_then(|begin| Some(begin..begin.checked_add(size)?));
        let range = range.ok_or_else(|| ModelError::OutOfRange {
            tensor: shown(&name),
            begin: begin.unwrap_or(u64::MAX),
            end: u64::MAX,
            data_begin: data.start,
            file_len: data.end,
        })?;
        Ok(Tensor::new(&name, element, shape, range))
    }
}

#[cfg(test)]
mod tests;
