//! SafeTensors: eight bytes of length, a JSON header, and the tensors' data.
//!
//! Element types and the last word on a header are the `safetensors` crate's. What this module adds
//! is what that crate can't do or leaves open: it wants the whole file in memory, takes the last of
//! two entries with one name, ignores fields that it doesn't know (which in a newer file could
//! change what the bytes mean), and does not say which tensor is wrong in what way.

mod depth;
mod entries;

use std::io::Read;
use std::ops::Range;

use ::safetensors::tensor::{Dtype, Metadata as ReferenceMetadata, TensorInfo};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;

use self::entries::{Entries, Entry};
use super::detect::ModelFormat;
use super::element::{self, ElementType};
use super::error::ModelError;
use super::layout;
use super::limits::MAX_SAFETENSORS_HEADER;
use super::shown::shown;
use super::table::{Tensor, TensorTable};
use super::{Metadata, ModelHeader};

/// Bytes of the header's length, which is a little-endian `u64`.
pub(super) const LENGTH_BYTES: u64 = 8;

/// The shortest header: `{}`.
pub(super) const LEAST_HEADER: u64 = 2;

/// Reads the header of a SafeTensors file from its start.
pub(super) fn read(reader: &mut impl Read, file_len: u64) -> Result<ModelHeader, ModelError> {
    let header = read_header(reader, file_len)?;
    let data = data_range(&header, file_len);
    let text = std::str::from_utf8(&header).map_err(|error| ModelError::HeaderNotUtf8 {
        offset: LENGTH_BYTES.saturating_add(length(error.valid_up_to())),
    })?;
    depth::check(text)?;
    let Entries { tensors, metadata } = entries::parse(text)?;
    let (tensors, metadata) = check(tensors, metadata, &data)?;
    Ok(ModelHeader {
        format: ModelFormat::SafeTensors,
        tensors,
        metadata,
        data,
    })
}

/// Reads the header's bytes once its length is known to be possible.
fn read_header(reader: &mut impl Read, file_len: u64) -> Result<Vec<u8>, ModelError> {
    let truncated = |field: &str, needed, at| ModelError::Truncated {
        field: field.to_owned(),
        needed,
        at,
        file_len,
    };
    if file_len < LENGTH_BYTES {
        return Err(truncated("the header length", LENGTH_BYTES, 0));
    }
    let mut length_bytes = [0; 8];
    fill(reader, &mut length_bytes, "the header length", 0, file_len)?;
    let len = u64::from_le_bytes(length_bytes);
    if len < LEAST_HEADER {
        return Err(ModelError::HeaderTooShort {
            len,
            least: LEAST_HEADER,
        });
    }
    if len > MAX_SAFETENSORS_HEADER {
        let what = "the header".to_owned();
        return Err(ModelError::TooLong {
            what,
            len,
            limit: MAX_SAFETENSORS_HEADER,
        });
    }
    if len > file_len.saturating_sub(LENGTH_BYTES) {
        return Err(truncated("the header", len, LENGTH_BYTES));
    }
    let size = usize::try_from(len).unwrap_or(usize::MAX);
    let mut header = vec![0; size];
    fill(reader, &mut header, "the header", LENGTH_BYTES, file_len)?;
    Ok(header)
}

/// Fills a buffer that the file is long enough for. A file that ends all the same has shrunk.
fn fill(
    reader: &mut impl Read,
    buffer: &mut [u8],
    field: &str,
    at: u64,
    file_len: u64,
) -> Result<(), ModelError> {
    reader
        .read_exact(buffer)
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::UnexpectedEof => ModelError::Truncated {
                field: format!("{field} (the file became shorter while it was read)"),
                needed: length(buffer.len()),
                at,
                file_len,
            },
            _ => ModelError::Io {
                doing: "reading",
                source,
            },
        })
}

fn data_range(header: &[u8], file_len: u64) -> Range<u64> {
    LENGTH_BYTES.saturating_add(length(header.len()))..file_len
}

fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Checks every tensor, then how they lie together, then asks the reference.
fn check(
    entries: Vec<(String, Entry)>,
    metadata: Metadata,
    data: &Range<u64>,
) -> Result<(TensorTable, Metadata), ModelError> {
    let mut tensors = Vec::with_capacity(entries.len());
    let mut infos = Vec::with_capacity(entries.len());
    for (name, entry) in entries {
        let (tensor, info) = check_tensor(&name, entry, data)?;
        tensors.push(tensor);
        infos.push((name, info));
    }
    let table = TensorTable::new(tensors)?;
    layout::check(&table, data, 1)?;
    ask_reference(infos)?;
    Ok((table, metadata))
}

fn check_tensor(
    name: &str,
    entry: Entry,
    data: &Range<u64>,
) -> Result<(Tensor, TensorInfo), ModelError> {
    let Entry {
        dtype,
        shape,
        data_offsets: (begin, end),
    } = entry;
    let (dtype, element) = element_type(name, &dtype)?;
    let overflow = || ModelError::ShapeOverflow {
        tensor: shown(name),
        shape: shape.0.clone(),
    };

    let elements = element::elements(&shape.0).ok_or_else(overflow)?;
    if !element.fills_blocks(elements) {
        return Err(ModelError::PartialBlock {
            tensor: shown(name),
            element: element.name(),
            elements,
            per: "in all",
            block: element.block_elements(),
        });
    }
    let computed = element.bytes(elements).ok_or_else(overflow)?;
    let declared = end.checked_sub(begin).ok_or_else(|| ModelError::Reversed {
        tensor: shown(name),
        begin,
        end,
    })?;
    if declared != computed {
        return Err(ModelError::SizeMismatch {
            tensor: shown(name),
            declared,
            computed,
        });
    }
    let range = absolute(begin, data)
        .zip(absolute(end, data))
        .map(|(begin, end)| begin..end);
    let range = range.ok_or_else(|| ModelError::OutOfRange {
        tensor: shown(name),
        begin: data.start.saturating_add(begin),
        end: data.start.saturating_add(end),
        data_begin: data.start,
        file_len: data.end,
    })?;
    let info = reference_info(dtype, &shape.0, begin, end).ok_or_else(overflow)?;
    Ok((Tensor::new(name, element, shape.0, range), info))
}

/// The place in the file of an offset in its data, where that is in the file.
fn absolute(offset: u64, data: &Range<u64>) -> Option<u64> {
    data.start
        .checked_add(offset)
        .filter(|place| *place <= data.end)
}

/// The reference's description of a tensor, where this machine's addresses are wide enough for it.
fn reference_info(dtype: Dtype, shape: &[u64], begin: u64, end: u64) -> Option<TensorInfo> {
    let shape = shape
        .iter()
        .map(|n| usize::try_from(*n).ok())
        .collect::<Option<Vec<usize>>>()?;
    let data_offsets = (usize::try_from(begin).ok()?, usize::try_from(end).ok()?);
    Some(TensorInfo {
        dtype,
        shape,
        data_offsets,
    })
}

/// Lets the reference implementation validate what passed here. If a later release of it refuses
/// more than this module does, so does this module.
fn ask_reference(mut infos: Vec<(String, TensorInfo)>) -> Result<(), ModelError> {
    infos.sort_by_key(|(_, info)| info.data_offsets);
    match ReferenceMetadata::new(None, infos) {
        Ok(_) => Ok(()),
        Err(source) => Err(ModelError::Reference { source }),
    }
}

fn element_type(tensor: &str, name: &str) -> Result<(Dtype, ElementType), ModelError> {
    let parsed: Result<Dtype, ValueError> = Dtype::deserialize(name.into_deserializer());
    parsed
        .ok()
        .and_then(|dtype| Some((dtype, element_of(dtype)?)))
        .ok_or_else(|| ModelError::UnknownElementType {
            tensor: shown(tensor),
            found: format!("`{}`", shown(name)),
        })
}

/// Names a type and finds the fewest elements of it that take whole bytes.
fn element_of(dtype: Dtype) -> Option<ElementType> {
    let name = match dtype {
        Dtype::BOOL => "BOOL",
        Dtype::F4 => "F4",
        Dtype::F6_E2M3 => "F6_E2M3",
        Dtype::F6_E3M2 => "F6_E3M2",
        Dtype::U8 => "U8",
        Dtype::I8 => "I8",
        Dtype::F8_E5M2 => "F8_E5M2",
        Dtype::F8_E4M3 => "F8_E4M3",
        Dtype::F8_E8M0 => "F8_E8M0",
        Dtype::F8_E4M3FNUZ => "F8_E4M3FNUZ",
        Dtype::F8_E5M2FNUZ => "F8_E5M2FNUZ",
        Dtype::I16 => "I16",
        Dtype::U16 => "U16",
        Dtype::F16 => "F16",
        Dtype::BF16 => "BF16",
        Dtype::I32 => "I32",
        Dtype::U32 => "U32",
        Dtype::F32 => "F32",
        Dtype::C64 => "C64",
        Dtype::F64 => "F64",
        Dtype::I64 => "I64",
        Dtype::U64 => "U64",
        _ => return None,
    };
    let bits = u64::try_from(dtype.bitsize()).ok()?;
    [1_u64, 2, 4, 8].into_iter().find_map(|elements| {
        let bits = bits
            .checked_mul(elements)
            .filter(|bits| bits.is_multiple_of(8))?;
        Some(ElementType::new(name, elements, bits / 8))
    })
}

#[cfg(test)]
mod tests;
