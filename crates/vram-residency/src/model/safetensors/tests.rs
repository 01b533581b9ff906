mod header;
mod tensors;

use std::collections::HashMap;

use ::safetensors::SafeTensors;
use ::safetensors::tensor::{Dtype, TensorInfo, TensorView, serialize};

use super::super::samples::{good_safetensors, read, safetensors};
use super::super::{FormatHint, MetadataValue, ModelError, ModelFormat, ModelHeader};
use super::{Tensor, ask_reference, element_of, element_type};

fn accept(file: &[u8]) -> ModelHeader {
    read(file, FormatHint::SafeTensors).unwrap()
}

fn refuse(file: &[u8]) -> ModelError {
    read(file, FormatHint::SafeTensors).unwrap_err()
}

/// Refuses a file with one tensor `t` described by these fields.
fn refuse_tensor(fields: &str, data: usize) -> ModelError {
    refuse(&safetensors(&format!(r#"{{"t":{{{fields}}}}}"#), data))
}
