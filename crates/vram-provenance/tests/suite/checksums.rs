//! Files of checksums: what `sha256sum` would write of any names is read as those names.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use proptest::prelude::*;
use vram_provenance::checksums::Checksums;
use vram_seal::Digest;

/// A name of a file on Unix: any bytes but NUL, and mostly some that matter.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        Just(b'\\'),
        Just(b'\n'),
        Just(b'\r'),
        Just(b' '),
        Just(b'*'),
        Just(b'('),
        Just(b')'),
        Just(b'='),
        Just(b'#'),
        Just(b'/'),
        Just(b'a'),
        1..=255_u8,
    ];
    prop::collection::vec(byte, 1..20)
        // The same file by another name: told apart below.
        .prop_filter("no leading dot", |name| !name.starts_with(b"."))
}

/// How a digest is written down.
#[derive(Clone, Copy, Debug)]
enum Form {
    Text,
    Binary,
    Tagged,
}

/// A line as GNU `sha256sum` writes it.
fn line(name: &[u8], digest: [u8; 32], form: Form) -> Vec<u8> {
    let escapes = name.iter().any(|byte| b"\\\n\r".contains(byte));
    let mut escaped = Vec::new();
    for byte in name {
        match byte {
            b'\\' => escaped.extend(b"\\\\"),
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            other => escaped.push(*other),
        }
    }
    let hex = Digest::from_bytes(digest).to_string().into_bytes();
    let mut line = if escapes { b"\\".to_vec() } else { Vec::new() };
    match form {
        Form::Text => line.extend([hex.as_slice(), b"  ", &escaped].concat()),
        Form::Binary => line.extend([hex.as_slice(), b" *", &escaped].concat()),
        Form::Tagged => line.extend([b"SHA256 (".as_slice(), &escaped, b") = ", &hex].concat()),
    }
    line
}

proptest! {
    #[test]
    fn every_name_that_was_written_is_read_with_its_digest(
        files in prop::collection::btree_map(name(), any::<[u8; 32]>(), 1..8),
        form in prop::sample::select(&[Form::Text, Form::Binary, Form::Tagged]),
        carriage_returns: bool,
    ) {
        let end: &[u8] = if carriage_returns { b"\r\n" } else { b"\n" };
        let mut file = b"# a comment\n\n".to_vec();
        for (name, digest) in &files {
            file.extend(line(name, *digest, form));
            file.extend(end);
        }

        let read = Checksums::parse(&file).unwrap();

        prop_assert_eq!(read.len(), files.len());
        let found: BTreeMap<_, _> = files
            .keys()
            .map(|name| (name.clone(), read.get(&OsString::from_vec(name.clone()))))
            .collect();
        let expected: BTreeMap<_, _> = files
            .into_iter()
            .map(|(name, digest)| (name, Some(Digest::from_bytes(digest))))
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_name_with_two_digests_is_refused(name in name(), one: [u8; 32], other: [u8; 32]) {
        let both = [
            line(&name, one, Form::Text),
            line(&name, other, Form::Tagged),
        ];

        let read = Checksums::parse(&both.join(&b'\n'));

        prop_assert_eq!(read.is_ok(), one == other);
    }
}
