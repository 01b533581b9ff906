//! Headers of model files.

use std::io::Cursor;

use safetensors::SafeTensors;
use vram_residency::model::{FormatHint, ModelError, ModelFormat, ModelHeader};

use crate::short;

/// A file that is called `*.safetensors`, or not called anything.
pub fn safetensors(file: &[u8]) {
    header(file, FormatHint::SafeTensors);
    header(file, FormatHint::Unknown);
}

/// A file that is called `*.gguf`, or not called anything.
pub fn gguf(file: &[u8]) {
    header(file, FormatHint::Gguf);
    header(file, FormatHint::Unknown);
}

fn header(file: &[u8], hint: FormatHint) {
    match read(file, hint) {
        Ok(header) => {
            require_sound(&header, file.len());
            if header.format() == ModelFormat::SafeTensors {
                require_as_the_reference(&header, file);
            }
        }
        Err(error) => short(&error),
    }
}

fn read(file: &[u8], hint: FormatHint) -> Result<ModelHeader, ModelError> {
    ModelHeader::read(&mut Cursor::new(file), file.len() as u64, hint)
}

/// Names are found; tensors lie inside the data, one after the other, each of its type's and shape's size.
fn require_sound(header: &ModelHeader, file_len: usize) {
    let data = header.data();
    assert!(data.start <= data.end && data.end == file_len as u64);
    let mut end = data.start;
    for tensor in header.tensors() {
        let range = tensor.range();
        assert!(end <= range.start && range.start <= range.end && range.end <= data.end);
        end = range.end;
        let elements = tensor
            .shape()
            .iter()
            .try_fold(1_u64, |all, one| all.checked_mul(*one));
        let blocks = elements
            .unwrap()
            .div_ceil(tensor.element().block_elements());
        let size = blocks.checked_mul(tensor.element().block_bytes());
        assert_eq!(size, Some(tensor.size()));
        assert_eq!(header.tensors().get(tensor.name()), Some(tensor));
    }
}

/// Whatever is accepted as SafeTensors, the reference accepts too, and sees the same tensors.
fn require_as_the_reference(header: &ModelHeader, file: &[u8]) {
    let reference = SafeTensors::deserialize(file).unwrap();
    assert_eq!(reference.len(), header.tensors().len());
    for tensor in header.tensors() {
        let theirs = reference.tensor(tensor.name()).unwrap();
        let range = tensor.range().start as usize..tensor.range().end as usize;
        assert_eq!(theirs.data(), &file[range]);
        let shape: Vec<u64> = theirs.shape().iter().map(|size| *size as u64).collect();
        assert_eq!(shape, tensor.shape());
    }
}
