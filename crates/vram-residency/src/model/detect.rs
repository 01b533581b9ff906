//! Which format a file has.

use std::ffi::OsStr;
use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::Serialize;

use super::error::ModelError;
use super::gguf;
use super::limits::MAX_SAFETENSORS_HEADER;
use super::safetensors;

/// A format of model files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ModelFormat {
    /// SafeTensors: a JSON header and the tensors behind it.
    SafeTensors,
    /// GGUF: the container of ggml.
    Gguf,
    /// Bytes that this crate does not look into.
    Opaque,
}

impl fmt::Display for ModelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SafeTensors => "SafeTensors",
            Self::Gguf => "GGUF",
            Self::Opaque => "opaque",
        })
    }
}

/// What a file's name promises about its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum FormatHint {
    /// Nothing.
    #[default]
    Unknown,
    /// A SafeTensors file: it is an error if it is none.
    SafeTensors,
    /// A GGUF file: it is an error if it is none.
    Gguf,
}

impl FormatHint {
    /// The promise that a path makes by its extension, in either case of letters.
    #[must_use]
    pub fn from_path(path: &Path) -> Self {
        match path.extension().and_then(OsStr::to_str) {
            Some(extension) if extension.eq_ignore_ascii_case("safetensors") => Self::SafeTensors,
            Some(extension) if extension.eq_ignore_ascii_case("gguf") => Self::Gguf,
            _ => Self::Unknown,
        }
    }
}

/// Bytes that are enough to tell the formats apart.
const PREFIX: usize = 9;

/// The first bytes of a file.
pub(super) struct Prefix {
    bytes: Vec<u8>,
    file_len: u64,
}

impl Prefix {
    /// Reads up to [`PREFIX`] bytes, fewer where the file is shorter.
    pub(super) fn read(reader: &mut impl Read, file_len: u64) -> Result<Self, ModelError> {
        let mut bytes = Vec::with_capacity(PREFIX);
        let wanted = file_len.min(u64::try_from(PREFIX).unwrap_or(u64::MAX));
        match reader.take(wanted).read_to_end(&mut bytes) {
            Ok(_) => Ok(Self { bytes, file_len }),
            Err(source) => Err(ModelError::Io {
                doing: "reading",
                source,
            }),
        }
    }

    /// The format that the file has to be read as.
    pub(super) fn format(&self, hint: FormatHint) -> Result<ModelFormat, ModelError> {
        let gguf = self.bytes.starts_with(&gguf::MAGIC);
        match hint {
            FormatHint::SafeTensors if gguf => Err(ModelError::NotAsNamed {
                promised: ModelFormat::SafeTensors,
                found: "it starts as a GGUF file does".to_owned(),
            }),
            FormatHint::SafeTensors => Ok(ModelFormat::SafeTensors),
            FormatHint::Gguf if gguf => Ok(ModelFormat::Gguf),
            FormatHint::Gguf => Err(ModelError::NotAsNamed {
                promised: ModelFormat::Gguf,
                found: format!(
                    "its first bytes are {:02x?}, not those of `GGUF`",
                    self.magic()
                ),
            }),
            FormatHint::Unknown if gguf => Ok(ModelFormat::Gguf),
            FormatHint::Unknown if self.may_be_safetensors() => Ok(ModelFormat::SafeTensors),
            FormatHint::Unknown => Ok(ModelFormat::Opaque),
        }
    }

    fn magic(&self) -> &[u8] {
        self.bytes.get(..gguf::MAGIC.len()).unwrap_or(&self.bytes)
    }

    /// Whether the file can hold a header of the length that it would state, and that header starts
    /// as each does.
    fn may_be_safetensors(&self) -> bool {
        let Some((length, rest)) = self.bytes.split_first_chunk() else {
            return false;
        };
        let length = u64::from_le_bytes(*length);
        let available = self.file_len.saturating_sub(safetensors::LENGTH_BYTES);
        (safetensors::LEAST_HEADER..=MAX_SAFETENSORS_HEADER.min(available)).contains(&length)
            && rest.first() == Some(&b'{')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(bytes: &[u8], file_len: u64, hint: FormatHint) -> Result<ModelFormat, ModelError> {
        Prefix::read(&mut { bytes }, file_len)?.format(hint)
    }

    #[test]
    fn names_promise_by_extension_in_either_case() {
        for (path, hint) in [
            ("a/model.safetensors", FormatHint::SafeTensors),
            ("MODEL.SafeTensors", FormatHint::SafeTensors),
            ("x.q4.GGUF", FormatHint::Gguf),
            ("model.bin", FormatHint::Unknown),
            ("safetensors", FormatHint::Unknown),
            ("gguf/model", FormatHint::Unknown),
            ("", FormatHint::Unknown),
        ] {
            assert_eq!(FormatHint::from_path(path.as_ref()), hint, "{path:?}");
        }
    }

    #[test]
    fn without_a_promise_structure_decides() {
        let safetensors = b"\x02\0\0\0\0\0\0\0{}";

        assert_eq!(
            format(safetensors, 10, FormatHint::Unknown).unwrap(),
            ModelFormat::SafeTensors
        );
        assert_eq!(
            format(b"GGUF", 4, FormatHint::Unknown).unwrap(),
            ModelFormat::Gguf
        );
        assert_eq!(
            format(b"anything", 8, FormatHint::Unknown).unwrap(),
            ModelFormat::Opaque
        );
        assert_eq!(
            format(b"", 0, FormatHint::Unknown).unwrap(),
            ModelFormat::Opaque
        );
    }

    #[test]
    fn a_header_that_the_file_could_not_hold_is_no_sign_of_safetensors() {
        let safetensors = b"\x02\0\0\0\0\0\0\0{}";

        assert_eq!(
            format(safetensors, 9, FormatHint::Unknown).unwrap(),
            ModelFormat::Opaque
        );
        let no_brace = b"\x02\0\0\0\0\0\0\0[]";
        assert_eq!(
            format(no_brace, 10, FormatHint::Unknown).unwrap(),
            ModelFormat::Opaque
        );
    }

    #[test]
    fn a_broken_promise_is_an_error_that_says_what_was_found() {
        let gguf_by_another_name = format(b"GGUF1234", 8, FormatHint::SafeTensors).unwrap_err();
        let no_gguf = format(b"PK\x03\x04rest", 8, FormatHint::Gguf).unwrap_err();
        let empty = format(b"", 0, FormatHint::Gguf).unwrap_err();

        assert!(
            gguf_by_another_name
                .to_string()
                .contains("starts as a GGUF file")
        );
        assert!(
            no_gguf.to_string().contains("[50, 4b, 03, 04]"),
            "{no_gguf}"
        );
        assert!(empty.to_string().contains("[]"), "{empty}");
    }
}
