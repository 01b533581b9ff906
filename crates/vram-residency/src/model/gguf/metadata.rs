//! GGUF's metadata: keys and typed values.

use std::io::Read;

use super::super::error::ModelError;
use super::super::limits::{
    MAX_GGUF_ALIGNMENT, MAX_GGUF_ARRAY_DEPTH, MAX_GGUF_KEY, MAX_METADATA_TEXT,
};
use super::super::metadata::{Metadata, MetadataValue};
use super::super::shown::shown;
use super::source::Source;

/// The shortest entry: the length of an empty key (8 bytes), type (4), a value of one byte.
pub(super) const LEAST: u64 = 13;

/// The key that says how tensors are aligned.
const ALIGNMENT: &str = "general.alignment";

/// The alignment of a file that does not say.
const DEFAULT_ALIGNMENT: u64 = 32;

/// Every alignment is a multiple of this.
const LEAST_ALIGNMENT: u64 = 8;

/// Bytes of an array's head: the type (4) and the number (8) of its elements.
const ARRAY_HEAD: u64 = 12;

/// Bytes of a text's length.
const TEXT_HEAD: u64 = 8;

/// Reads all entries.
pub(super) fn read<R: Read>(source: &mut Source<R>, count: u64) -> Result<Metadata, ModelError> {
    let mut metadata = Metadata::default();
    for index in 0..count {
        source.section_at("metadata entry", index);
        let key = source.text("key", MAX_GGUF_KEY)?;
        check_key(&key)?;
        let value = ValueType::read(source, &key)?.value(source, &key)?;
        metadata.insert(key, value)?;
    }
    Ok(metadata)
}

/// The alignment that the metadata asks for.
pub(super) fn alignment(metadata: &Metadata) -> Result<u64, ModelError> {
    let wrong = |found: String| ModelError::BadValue {
        key: ALIGNMENT.to_owned(),
        found,
        wanted: "must be an unsigned power of two from 8 to 1048576",
    };
    match metadata.get(ALIGNMENT) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(MetadataValue::Unsigned(alignment)) => {
            let known = (LEAST_ALIGNMENT..=MAX_GGUF_ALIGNMENT).contains(alignment);
            if known && alignment.is_power_of_two() {
                Ok(*alignment)
            } else {
                Err(wrong(alignment.to_string()))
            }
        }
        Some(_) => Err(wrong("not an unsigned integer".to_owned())),
    }
}

/// The specification wants ASCII segments in `lower_snake_case`; published files have capitals and
/// hyphens too. What no key may be is empty or unprintable.
fn check_key(key: &str) -> Result<(), ModelError> {
    let refused = |reason| {
        Err(ModelError::BadName {
            what: "metadata key",
            name: shown(key),
            reason,
        })
    };
    if key.is_empty() {
        return refused("is empty");
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refused("holds a character that is not printable ASCII");
    }
    Ok(())
}

/// The type of a value (`gguf_metadata_value_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    Text,
    Array,
    U64,
    I64,
    F64,
}

impl ValueType {
    fn read<R: Read>(source: &mut Source<R>, key: &str) -> Result<Self, ModelError> {
        Ok(match source.u32("value type")? {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            8 => Self::Text,
            9 => Self::Array,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            number => {
                return Err(ModelError::UnknownValueType {
                    key: shown(key),
                    number,
                });
            }
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::F32 => "float32",
            Self::Bool => "bool",
            Self::Text => "string",
            Self::Array => "array",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F64 => "float64",
        }
    }

    /// The fewest bytes that a value takes.
    fn least(self) -> u64 {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
            Self::Text => TEXT_HEAD,
            Self::Array => ARRAY_HEAD,
        }
    }

    fn value<R: Read>(
        self,
        source: &mut Source<R>,
        key: &str,
    ) -> Result<MetadataValue, ModelError> {
        const FIELD: &str = "value";
        use MetadataValue::{Bool, Float, Signed, Unsigned};
        Ok(match self {
            Self::U8 => Unsigned(u64::from(u8::from_le_bytes(source.array(FIELD)?))),
            Self::U16 => Unsigned(u64::from(u16::from_le_bytes(source.array(FIELD)?))),
            Self::U32 => Unsigned(u64::from(source.u32(FIELD)?)),
            Self::U64 => Unsigned(source.u64(FIELD)?),
            Self::I8 => Signed(i64::from(i8::from_le_bytes(source.array(FIELD)?))),
            Self::I16 => Signed(i64::from(i16::from_le_bytes(source.array(FIELD)?))),
            Self::I32 => Signed(i64::from(i32::from_le_bytes(source.array(FIELD)?))),
            Self::I64 => Signed(i64::from_le_bytes(source.array(FIELD)?)),
            Self::F32 => Float(f64::from(f32::from_le_bytes(source.array(FIELD)?))),
            Self::F64 => Float(f64::from_le_bytes(source.array(FIELD)?)),
            Self::Bool => {
                let [byte] = source.array(FIELD)?;
                Bool(truth(byte, key)?)
            }
            Self::Text => {
                let len = source.u64("length of the value")?;
                if len > MAX_METADATA_TEXT {
                    source.skip(len, FIELD)?;
                    MetadataValue::LongText { bytes: len }
                } else {
                    MetadataValue::Text(source.text_of(FIELD, len, MAX_METADATA_TEXT)?)
                }
            }
            Self::Array => {
                let (element, len) = array_head(source, key)?;
                pass_array(source, key, element, len, 1)?;
                MetadataValue::Array {
                    element: element.name(),
                    len,
                }
            }
        })
    }
}

fn truth(byte: u8, key: &str) -> Result<bool, ModelError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(ModelError::BadValue {
            key: shown(key),
            found: format!("the truth value {byte}"),
            wanted: "must be 0 or 1",
        }),
    }
}

/// Reads an array's head, and refuses a length that the file is too short for.
fn array_head<R: Read>(source: &mut Source<R>, key: &str) -> Result<(ValueType, u64), ModelError> {
    let element = ValueType::read(source, key)?;
    let len = source.u64("length of the array")?;
    source.elements(
        &format!("elements of metadata `{}`", shown(key)),
        len,
        element.least(),
    )?;
    Ok((element, len))
}

/// Passes over an array's elements. Texts among them are not looked into: vocabularies hold pieces
/// of characters.
fn pass_array<R: Read>(
    source: &mut Source<R>,
    key: &str,
    element: ValueType,
    len: u64,
    depth: usize,
) -> Result<(), ModelError> {
    const FIELD: &str = "array";
    if depth > MAX_GGUF_ARRAY_DEPTH {
        return Err(ModelError::ArrayTooDeep {
            key: shown(key),
            limit: MAX_GGUF_ARRAY_DEPTH,
        });
    }
    match element {
        ValueType::Bool => source.each(len, FIELD, |byte, _| truth(byte, key).map(|_| ())),
        ValueType::Text => {
            for _ in 0..len {
                let bytes = source.u64("length of a text in the array")?;
                source.skip(bytes, "text in the array")?;
            }
            Ok(())
        }
        ValueType::Array => {
            for _ in 0..len {
                let (inner, len) = array_head(source, key)?;
                pass_array(source, key, inner, len, depth.saturating_add(1))?;
            }
            Ok(())
        }
        _ => source.skip(len.saturating_mul(element.least()), FIELD),
    }
}
