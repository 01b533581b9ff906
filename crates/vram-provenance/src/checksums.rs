//! Files of checksums, as `sha256sum` writes them.
//!
//! `HEX  NAME`, `HEX *NAME` for a file read in binary mode, or `SHA256 (NAME) = HEX`, one on a line. A line that starts
//! with a backslash has a name in which backslashes, line feeds and carriage returns are written `\\`, `\n` and `\r`.
//! Empty lines, and lines that start with `#`, say nothing.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use vram_seal::Digest;

use crate::shown::shown;
use crate::{Error, Result};

/// The greatest length of a file of checksums, in bytes.
pub const MAX_LEN: usize = 64 << 20;
/// The greatest length of a line, in bytes: a digest and the longest path, each byte escaped.
pub const MAX_LINE_LEN: usize = 16_384;
/// The greatest number of lines.
pub const MAX_LINES: usize = 1_000_000;

/// Digests by name.
#[derive(Clone, Debug, Default)]
pub struct Checksums(BTreeMap<OsString, Digest>);

impl Checksums {
    /// Reads a whole file. Unlike `sha256sum --check`, it passes over no line that it can't read: what was meant to be
    /// expected would be missing.
    ///
    /// # Errors
    /// [`Error::Checksum`] for the first line that is none, or that contradicts one before; [`Error::TooMuch`] over the
    /// limits.
    pub fn parse(file: &[u8]) -> Result<Self> {
        limit("a checksum file", file.len(), "bytes", MAX_LEN)?;
        let mut digests = BTreeMap::new();
        for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
            limit("a checksum file", number, "lines", MAX_LINES)?;
            limit("a line", line.len(), "bytes", MAX_LINE_LEN)?;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let refused = |why: String| Error::Checksum { line: number, why };
            let (digest, name) = parse_line(line).ok_or_else(|| {
                refused(
                    "it is not a SHA-256 and a name, as sha256sum writes them; other algorithms are not read"
                        .to_owned(),
                )
            })?;
            let name = without_dot(name);
            let shown_name = shown(&name.to_string_lossy());
            if digests
                .insert(name, digest)
                .is_some_and(|before| before != digest)
            {
                return Err(refused(format!(
                    "{shown_name:?} has another digest than on a line before"
                )));
            }
        }
        if digests.is_empty() {
            return Err(Error::Checksum {
                line: 1,
                why: "there is no checksum in the file".to_owned(),
            });
        }
        Ok(Self(digests))
    }

    /// The digest of a name, if there is one. `./NAME` is the same as `NAME`.
    #[must_use]
    pub fn get(&self, name: &OsStr) -> Option<Digest> {
        self.0.get(name).copied()
    }

    /// Whether no name has a `/`: the list is of files alone, wherever they lie, and not of the folders that they lie in.
    #[must_use]
    pub fn names_are_bare(&self) -> bool {
        !self
            .0
            .keys()
            .any(|name| name.as_encoded_bytes().contains(&b'/'))
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no name: never, in a file that was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads one line, without its end.
#[must_use]
pub fn parse_line(line: &[u8]) -> Option<(Digest, OsString)> {
    let line = line.trim_ascii_start();
    let (escaped, line) = match line.strip_prefix(br"\") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (hex, name) = tagged(line).or_else(|| plain(line))?;
    let digest = str::from_utf8(hex).ok()?.parse().ok()?;
    let name = if escaped {
        unescape(name)?
    } else {
        name.to_vec()
    };
    Some((digest, os_string(name)?))
}

fn unescape(name: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.push(match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            }),
            other => plain.push(*other),
        }
    }
    Some(plain)
}

fn tagged(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.strip_prefix(b"SHA256 (")?;
    let (rest, hex) = line.split_at_checked(line.len().checked_sub(64)?)?;
    Some((hex, rest.strip_suffix(b") = ")?))
}

fn plain(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (hex, rest) = line.split_at_checked(64)?;
    let (separator, name) = rest.split_first()?;
    if !matches!(separator, b' ' | b'\t') {
        return None;
    }
    let marked = name.strip_prefix(b" ").or_else(|| name.strip_prefix(b"*"));
    Some((hex, marked.unwrap_or(name))).filter(|(_, name)| !name.is_empty())
}

/// The name without the `./` that `find` puts in front.
fn without_dot(name: OsString) -> OsString {
    let bytes = name.as_encoded_bytes();
    match bytes.strip_prefix(b"./").filter(|rest| !rest.is_empty()) {
        Some(rest) => os_string(rest.to_vec()).unwrap_or(name),
        None => name,
    }
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    Some(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    String::from_utf8(bytes).ok().map(OsString::from)
}

fn limit(what: &'static str, found: usize, unit: &'static str, limit: usize) -> Result<()> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::TooMuch {
        what,
        found,
        unit,
        limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn refusal(file: &str) -> String {
        Checksums::parse(file.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn every_way_of_writing_a_line_is_read() {
        let (a, b, c, d) = (hex('a'), hex('b'), hex('c'), hex('d'));
        let file = format!(
            "# made by hand\n\n{a}  ./plain\r\n{b} *bin ary\nSHA256 (ta)g) = {c}\n\\{d}  l\\nf\\\\\n"
        );

        let checksums = Checksums::parse(file.as_bytes()).unwrap();

        let get = |name: &str| checksums.get(OsStr::new(name)).unwrap().to_string();
        assert_eq!(checksums.len(), 4);
        assert_eq!(
            [get("plain"), get("bin ary"), get("ta)g"), get("l\nf\\")],
            [a, b, c, d]
        );
        assert!(checksums.get(OsStr::new("./plain")).is_none());
    }

    #[test]
    fn a_line_that_is_none_is_refused_and_not_passed_over() {
        let good = hex('a');
        for bad in [
            format!("{}  short", &good[1..]),
            good.clone(),
            "d41d8cd98f00b204e9800998ecf8427e  md5".to_owned(),
            format!("SHA512 (x) = {good}{good}"),
            format!("\\{good}  bad\\escape"),
            "not a checksum".to_owned(),
        ] {
            assert!(
                refusal(&format!("{good}  x\n{bad}\n")).starts_with("line 2 "),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_name_with_two_digests_is_refused_and_one_that_is_repeated_is_not() {
        let (a, b) = (hex('a'), hex('b'));

        assert!(Checksums::parse(format!("{a}  x\n{a}  ./x\n").as_bytes()).is_ok());
        assert!(refusal(&format!("{a}  x\n{b}  ./x\n")).contains("another digest"));
    }

    #[test]
    fn a_file_without_checksums_or_over_the_limits_is_refused() {
        assert!(refusal("").contains("no checksum"));
        assert!(refusal("# nothing\n").contains("no checksum"));
        let long = format!("{}  {}", hex('a'), "x".repeat(MAX_LINE_LEN));
        assert!(refusal(&long).contains("limit of 16384"));
    }

    #[test]
    fn a_list_of_files_alone_has_bare_names() {
        let list = |name: &str| Checksums::parse(format!("{}  {name}\n", hex('a')).as_bytes());

        assert!(list("./model.gguf").unwrap().names_are_bare());
        assert!(!list("folder/model.gguf").unwrap().names_are_bare());
    }

    #[test]
    fn one_line_is_read_like_those_of_a_file() {
        let (digest, name) = parse_line(format!("{} *a b", hex('a')).as_bytes()).unwrap();

        assert_eq!((digest.to_string(), name), (hex('a'), "a b".into()));
        assert_eq!(parse_line(b"no digest"), None);
    }
}
