mod file;
mod metadata;
mod tensors;

use super::super::samples::{Gguf, read, text};
use super::super::{FormatHint, MetadataValue, ModelError, ModelFormat, ModelHeader};
use super::types;

fn accept(gguf: &Gguf) -> ModelHeader {
    read(&gguf.file(), FormatHint::Gguf).unwrap()
}

fn refuse(gguf: &Gguf) -> ModelError {
    read(&gguf.file(), FormatHint::Gguf).unwrap_err()
}

/// An array's head: type and number of its elements.
fn array(element: u32, len: u64) -> Vec<u8> {
    [element.to_le_bytes().as_slice(), &len.to_le_bytes()].concat()
}
