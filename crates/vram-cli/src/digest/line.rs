//! Lines of digests and names: how `sha256sum` and `fsverity digest` write them, and how they are
//! read back.

use std::ffi::{OsStr, OsString};

use vram_seal::Digest;

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `HEX  NAME`, or `HEX *NAME` for a file read in binary mode.
    Sum { binary: bool },
    /// `SHA256 (NAME) = HEX`.
    Tagged,
    /// `sha256:HEX NAME`, fs-verity's.
    Verity,
    /// `HEX`.
    Compact,
}

impl Style {
    /// The line, with its end. `zero` ends it with NUL, and leaves names as they are; fs-verity's
    /// tool always does that.
    pub(super) fn line(self, hex: &str, name: &OsStr, zero: bool) -> Vec<u8> {
        let as_it_is = zero || matches!(self, Self::Verity | Self::Compact);
        let name = name.as_encoded_bytes();
        let escaped = if as_it_is { None } else { escape(name) };
        let mut line = Vec::new();
        if escaped.is_some() {
            line.push(b'\\');
        }
        let name = escaped.as_deref().unwrap_or(name);
        let hex = hex.as_bytes();
        match self {
            Self::Sum { binary: false } => line.extend([hex, b"  ", name].concat()),
            Self::Sum { binary: true } => line.extend([hex, b" *", name].concat()),
            Self::Tagged => line.extend([b"SHA256 (", name, b") = ", hex].concat()),
            Self::Verity => line.extend([b"sha256:", hex, b" ", name].concat()),
            Self::Compact => line.extend(hex),
        }
        line.push(if zero { 0 } else { b'\n' });
        line
    }
}

/// The name with backslashes and line breaks escaped, if it has any.
pub(super) fn escape(name: &[u8]) -> Option<Vec<u8>> {
    if !name
        .iter()
        .any(|byte| matches!(byte, b'\\' | b'\n' | b'\r'))
    {
        return None;
    }
    let mut escaped = Vec::with_capacity(name.len().saturating_add(8));
    for byte in name {
        match byte {
            b'\\' => escaped.extend(br"\\"),
            b'\n' => escaped.extend(br"\n"),
            b'\r' => escaped.extend(br"\r"),
            other => escaped.push(*other),
        }
    }
    Some(escaped)
}

/// Reads a line that `sha256sum` wrote, with or without `--tag`.
pub(super) fn parse(line: &[u8]) -> Option<(Digest, OsString)> {
    vram_provenance::checksums::parse_line(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex() -> String {
        "0123456789abcdef".repeat(4)
    }

    #[test]
    fn what_is_written_is_read_back() {
        for name in [
            "plain",
            "two  blanks",
            "*star",
            ") = x",
            "a\nb",
            r"c\d",
            "e\rf",
            r"\n",
        ] {
            let name = OsString::from(name);
            for style in [
                Style::Sum { binary: false },
                Style::Sum { binary: true },
                Style::Tagged,
            ] {
                let mut line = style.line(&hex(), &name, false);
                assert_eq!(line.pop(), Some(b'\n'));

                assert_eq!(
                    parse(&line),
                    Some((hex().parse().unwrap(), name.clone())),
                    "{style:?}"
                );
            }
        }
    }

    #[test]
    fn lines_without_a_digest_are_not_read() {
        let hex = hex();
        for bad in [
            String::new(),
            hex.clone(),
            format!("{hex} "),
            format!("{hex}x name"),
            format!("{}  name", &hex[1..]),
            format!("SHA256 (name) = {}", &hex[1..]),
            format!("SHA256 (name {hex}"),
            format!("\\{hex}  bad\\escape"),
            format!("\\{hex}  ends with\\"),
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn only_awkward_names_are_escaped() {
        assert_eq!(escape(b"plain \xff name"), None);
        assert_eq!(escape(b"a\nb").as_deref(), Some(&br"a\nb"[..]));
    }
}
