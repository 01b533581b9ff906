//! Small model files for the tests, good and bad.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "the tests compute on known values"
)]

use std::io::Cursor;

use super::{FormatHint, ModelError, ModelHeader};

/// Reads a file's header from memory.
pub(super) fn read(file: &[u8], hint: FormatHint) -> Result<ModelHeader, ModelError> {
    ModelHeader::read(&mut Cursor::new(file), len(file), hint)
}

fn len(bytes: &[u8]) -> u64 {
    bytes.len().try_into().unwrap()
}

/// A SafeTensors file with this header and as many bytes of data.
pub(super) fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut file = len(header.as_bytes()).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.resize(file.len() + data, 0xda);
    file
}

/// A good SafeTensors file of three tensors and metadata.
pub(super) fn good_safetensors() -> Vec<u8> {
    let header = r#"{"__metadata__":{"format":"pt"},
        "a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},
        "b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},
        "none":{"dtype":"I8","shape":[0],"data_offsets":[32,32]}}"#;
    safetensors(header, 32)
}

/// A writer of GGUF files that lies on request.
#[derive(Clone)]
pub(super) struct Gguf {
    pub(super) magic: [u8; 4],
    pub(super) version: u32,
    pub(super) tensor_count: Option<u64>,
    pub(super) metadata_count: Option<u64>,
    pub(super) metadata: Vec<Vec<u8>>,
    pub(super) tensors: Vec<Vec<u8>>,
    pub(super) alignment: usize,
    pub(super) padding: u8,
    pub(super) data: usize,
}

impl Gguf {
    /// An empty file of version 3.
    pub(super) fn new() -> Self {
        Self {
            magic: *b"GGUF",
            version: 3,
            tensor_count: None,
            metadata_count: None,
            metadata: Vec::new(),
            tensors: Vec::new(),
            alignment: 32,
            padding: 0,
            data: 0,
        }
    }

    /// A good file: values of every type, two tensors, the last one filling its padding.
    pub(super) fn good() -> Self {
        let array = [
            4_u32.to_le_bytes().as_slice(),
            &2_u64.to_le_bytes(),
            &[1; 8],
        ]
        .concat();
        let texts = [
            &[8, 0, 0, 0],
            &2_u64.to_le_bytes()[..],
            &text("x"),
            &text("yz"),
        ];
        Self::new()
            .entry("general.architecture", 8, &text("llama"))
            .entry("u8", 0, &[200])
            .entry("i8", 1, &[0xff])
            .entry("u16", 2, &[1, 2])
            .entry("i16", 3, &[0xfe, 0xff])
            .entry("u32", 4, &7_u32.to_le_bytes())
            .entry("i32", 5, &(-7_i32).to_le_bytes())
            .entry("f32", 6, &0.5_f32.to_le_bytes())
            .entry("bool", 7, &[1])
            .entry("array", 9, &array)
            .entry("texts", 9, &texts.concat())
            .entry("u64", 10, &u64::MAX.to_le_bytes())
            .entry("i64", 11, &i64::MIN.to_le_bytes())
            .entry("f64", 12, &0.25_f64.to_le_bytes())
            .tensor("blk.0.q4", &[64, 2], 2, 0)
            .tensor("norm", &[8], 0, 96)
            .with_data(96 + 32)
    }

    pub(super) fn with_data(mut self, bytes: usize) -> Self {
        self.data = bytes;
        self
    }

    /// Adds a metadata entry with the bytes of its value.
    pub(super) fn entry(mut self, key: &str, value_type: u32, value: &[u8]) -> Self {
        self.metadata
            .push([text(key).as_slice(), &value_type.to_le_bytes(), value].concat());
        self
    }

    /// Adds a tensor's description.
    pub(super) fn tensor(mut self, name: &str, shape: &[u64], kind: u32, offset: u64) -> Self {
        let mut bytes = text(name);
        bytes.extend_from_slice(&u32::try_from(shape.len()).unwrap().to_le_bytes());
        bytes.extend(shape.iter().flat_map(|dimension| dimension.to_le_bytes()));
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&offset.to_le_bytes());
        self.tensors.push(bytes);
        self
    }

    /// The file's bytes.
    pub(super) fn file(&self) -> Vec<u8> {
        let count = |stated: Option<u64>, real: &[Vec<u8>]| {
            stated
                .unwrap_or_else(|| real.len().try_into().unwrap())
                .to_le_bytes()
        };
        let mut file = self.magic.to_vec();
        file.extend_from_slice(&self.version.to_le_bytes());
        file.extend_from_slice(&count(self.tensor_count, &self.tensors));
        file.extend_from_slice(&count(self.metadata_count, &self.metadata));
        file.extend(self.metadata.iter().flatten());
        file.extend(self.tensors.iter().flatten());
        file.resize(file.len().next_multiple_of(self.alignment), self.padding);
        file.resize(file.len() + self.data, 0xda);
        file
    }
}

/// GGUF's text: its length and its bytes.
pub(super) fn text(text: &str) -> Vec<u8> {
    [
        len(text.as_bytes()).to_le_bytes().as_slice(),
        text.as_bytes(),
    ]
    .concat()
}
