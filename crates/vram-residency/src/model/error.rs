//! Why a model file was refused.

use std::io;

use super::detect::ModelFormat;

/// What is wrong with a model file's header.
///
/// Texts from the file that a message quotes are escaped and cut.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The operating system reported an error.
    #[error("{doing} the model file failed: {source}; check the file and its storage")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not of the format that its name promises.
    #[error("the file is named as {promised}, but {found}; rename it or get the right file")]
    NotAsNamed {
        /// The format that the name promises.
        promised: ModelFormat,
        /// What was found instead.
        found: String,
    },
    /// The file ends inside a field.
    #[error(
        "the file ends too early: {field} needs {needed} bytes from byte {at}, and the file has \
         {file_len}; get a complete copy"
    )]
    Truncated {
        /// The field.
        field: String,
        /// Bytes that the field takes.
        needed: u64,
        /// Where it starts.
        at: u64,
        /// Length of the file in bytes.
        file_len: u64,
    },
    /// A SafeTensors header length that no header can have.
    #[error(
        "the header length is {len}, but a header has at least {least} bytes; the file is damaged"
    )]
    HeaderTooShort {
        /// The length that the file states.
        len: u64,
        /// The least that a header can have.
        least: u64,
    },
    /// A SafeTensors header that is not UTF-8.
    #[error(
        "the header is not UTF-8 text: byte {offset} of the file is wrong; the file is damaged"
    )]
    HeaderNotUtf8 {
        /// Where in the file the first bad byte is.
        offset: u64,
    },
    /// A SafeTensors header nested deeper than the format needs.
    #[error(
        "the header is nested deeper than {limit} levels at byte {offset} of the file; the file is \
         not SafeTensors or was made to harm"
    )]
    HeaderTooDeep {
        /// The limit.
        limit: usize,
        /// Where in the file it happens.
        offset: u64,
    },
    /// A SafeTensors header that is not the JSON it must be.
    #[error("the header is wrong{}: {message}; the file is damaged or of a newer format", within(.entry.as_deref()))]
    HeaderSyntax {
        /// The entry that was being read.
        entry: Option<String>,
        /// What is wrong.
        message: String,
    },
    /// A validation of the `safetensors` crate failed that this crate has no words for.
    #[error("the safetensors library refuses the header: {source}; the file is damaged")]
    Reference {
        /// Its error.
        source: safetensors::SafeTensorError,
    },
    /// A count above its limit.
    #[error(
        "the file claims {count} {what}, and the limit is {limit}; split the file if it is genuine"
    )]
    TooMany {
        /// What is counted.
        what: String,
        /// The count that the file states.
        count: u64,
        /// The limit.
        limit: u64,
    },
    /// A count for which the rest of the file is too short.
    #[error(
        "the file claims {count} {what}, which take {needed} bytes at least, but only {available} \
         remain; the count is wrong or the file incomplete"
    )]
    CountBeyondFile {
        /// What is counted.
        what: String,
        /// The count that the file states.
        count: u64,
        /// The least number of bytes that so many take.
        needed: u128,
        /// Bytes that remain in the file.
        available: u64,
    },
    /// A length above its limit.
    #[error(
        "{what} is {len} bytes long, and the limit is {limit}; the file is damaged or unusable here"
    )]
    TooLong {
        /// What is long.
        what: String,
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A text that is not UTF-8.
    #[error("{field} is not UTF-8 text: byte {offset} of the file is wrong; the file is damaged")]
    TextNotUtf8 {
        /// The text.
        field: String,
        /// Where in the file the first bad byte is.
        offset: u64,
    },
    /// A name that can't be one.
    #[error("the {what} name `{name}` {reason}; rename it where the file is made")]
    BadName {
        /// What is named.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A name that comes twice.
    #[error("{what} `{name}` comes more than once; the file is ambiguous, make it again")]
    DuplicateName {
        /// What is named.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// An element type that is not known.
    #[error("tensor `{tensor}` has the unknown element type {found}; a newer release may know it")]
    UnknownElementType {
        /// The tensor.
        tensor: String,
        /// The type's name or number in the file.
        found: String,
    },
    /// A shape with more elements or bytes than 64 bits can count.
    #[error("tensor `{tensor}` has shape {shape:?}, which overflows 64 bits; the file is damaged")]
    ShapeOverflow {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<u64>,
    },
    /// Elements that do not fill the blocks they are packed in.
    #[error(
        "tensor `{tensor}` of type {element} has {elements} elements {per}, not a multiple of the \
         {block} that are packed together; the file is damaged"
    )]
    PartialBlock {
        /// The tensor.
        tensor: String,
        /// The type of its elements.
        element: &'static str,
        /// The number of elements.
        elements: u64,
        /// What they are counted in.
        per: &'static str,
        /// How many are packed together.
        block: u64,
    },
    /// A tensor whose range has another size than its type and shape.
    #[error(
        "tensor `{tensor}` takes {computed} bytes by its type and shape, but its offsets span \
         {declared}; the file is damaged"
    )]
    SizeMismatch {
        /// The tensor.
        tensor: String,
        /// The size that its offsets say.
        declared: u64,
        /// The size that its type and shape say.
        computed: u64,
    },
    /// A tensor whose offsets run backwards.
    #[error(
        "tensor `{tensor}` ends at offset {end}, before its beginning {begin}; the file is damaged"
    )]
    Reversed {
        /// The tensor.
        tensor: String,
        /// Where it begins, in the data.
        begin: u64,
        /// Where it ends, in the data.
        end: u64,
    },
    /// A tensor that lies outside the file's data.
    #[error(
        "tensor `{tensor}` lies at bytes {begin} to {end}, outside the data at {data_begin} to \
         {file_len}; the file is damaged or incomplete"
    )]
    OutOfRange {
        /// The tensor.
        tensor: String,
        /// Where it begins in the file.
        begin: u64,
        /// Where it ends in the file.
        end: u64,
        /// Where the data begins in the file.
        data_begin: u64,
        /// Length of the file in bytes.
        file_len: u64,
    },
    /// Two tensors that share bytes.
    #[error(
        "tensor `{tensor}` begins at byte {begin}, inside `{other}`, which ends at {end}; the file \
         is damaged"
    )]
    Overlap {
        /// The tensor.
        tensor: String,
        /// Where it begins in the file.
        begin: u64,
        /// What lies there already.
        other: String,
        /// Where that ends in the file.
        end: u64,
    },
    /// Bytes between tensors that belong to none.
    #[error(
        "tensor `{tensor}` begins at byte {begin}, but the data before it ends at {expected}: the \
         bytes between belong to no tensor; the file is damaged"
    )]
    Gap {
        /// The tensor.
        tensor: String,
        /// Where it begins in the file.
        begin: u64,
        /// Where it has to begin.
        expected: u64,
    },
    /// Bytes behind the last tensor.
    #[error(
        "the last tensor ends at byte {end}, but the file has {file_len}: the bytes behind belong \
         to no tensor; the file is damaged or something was appended"
    )]
    TrailingBytes {
        /// Where the last tensor ends, or the header where there is none.
        end: u64,
        /// Length of the file in bytes.
        file_len: u64,
    },
    /// A version of GGUF that is not read.
    #[error("the file is GGUF version {version}, and versions 2 and 3 are read; convert it")]
    UnsupportedVersion {
        /// The version.
        version: u32,
    },
    /// A big-endian GGUF file.
    #[error(
        "the file is big-endian GGUF version {version}, and only little-endian is read; convert it"
    )]
    BigEndian {
        /// The version.
        version: u32,
    },
    /// A GGUF metadata value of an unknown type.
    #[error("metadata `{key}` has the unknown value type {number}; a newer release may know it")]
    UnknownValueType {
        /// The key.
        key: String,
        /// The type's number.
        number: u32,
    },
    /// A GGUF metadata value that its type can't have.
    #[error("metadata `{key}` is {found}, but {wanted}; the file is damaged")]
    BadValue {
        /// The key.
        key: String,
        /// What was found.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// GGUF metadata arrays nested too deep.
    #[error("metadata `{key}` nests arrays deeper than {limit} levels; the file was made to harm")]
    ArrayTooDeep {
        /// The key.
        key: String,
        /// The limit.
        limit: usize,
    },
    /// A GGUF tensor that is not aligned.
    #[error(
        "tensor `{tensor}` has offset {offset}, not a multiple of the alignment {alignment}; the file is damaged"
    )]
    Misaligned {
        /// The tensor.
        tensor: String,
        /// Its offset in the data.
        offset: u64,
        /// The file's alignment.
        alignment: u64,
    },
    /// Padding behind a GGUF header that is not zero.
    #[error(
        "the padding at byte {offset} is not zero; a count in the header is wrong or the file is damaged"
    )]
    DirtyPadding {
        /// Where in the file.
        offset: u64,
    },
}

impl ModelError {
    /// Whether the same call can succeed later without anybody changing the file.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
            ),
            Self::NotAsNamed { .. }
            | Self::Truncated { .. }
            | Self::HeaderTooShort { .. }
            | Self::HeaderNotUtf8 { .. }
            | Self::HeaderTooDeep { .. }
            | Self::HeaderSyntax { .. }
            | Self::Reference { .. }
            | Self::TooMany { .. }
            | Self::CountBeyondFile { .. }
            | Self::TooLong { .. }
            | Self::TextNotUtf8 { .. }
            | Self::BadName { .. }
            | Self::DuplicateName { .. }
            | Self::UnknownElementType { .. }
            | Self::ShapeOverflow { .. }
            | Self::PartialBlock { .. }
            | Self::SizeMismatch { .. }
            | Self::Reversed { .. }
            | Self::OutOfRange { .. }
            | Self::Overlap { .. }
            | Self::Gap { .. }
            | Self::TrailingBytes { .. }
            | Self::UnsupportedVersion { .. }
            | Self::BigEndian { .. }
            | Self::UnknownValueType { .. }
            | Self::BadValue { .. }
            | Self::ArrayTooDeep { .. }
            | Self::Misaligned { .. }
            | Self::DirtyPadding { .. } => false,
        }
    }

    /// Whether work must stop. Never: a file that was refused changes nothing that is sealed.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        false
    }
}

fn within(entry: Option<&str>) -> String {
    entry.map_or_else(String::new, |name| format!(" at `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passing_trouble_with_the_storage_is_retriable() {
        let io = |kind: io::ErrorKind| ModelError::Io {
            doing: "reading",
            source: kind.into(),
        };

        assert!(io(io::ErrorKind::Interrupted).is_retriable());
        assert!(io(io::ErrorKind::TimedOut).is_retriable());
        assert!(!io(io::ErrorKind::PermissionDenied).is_retriable());
        assert!(!ModelError::BigEndian { version: 3 }.is_retriable());
    }
}
