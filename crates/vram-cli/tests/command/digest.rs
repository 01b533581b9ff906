//! `vram digest`, beside the tools whose place it takes.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::model::{noise, write};
use crate::run::{Ran, has, run, vram};

const LENGTHS: [usize; 14] = [
    0, 1, 55, 56, 63, 64, 65, 4095, 4096, 4097, 524_287, 524_288, 524_289, 3_000_000,
];

/// Files of many lengths; the names are their lengths.
fn files(folder: &Path) -> Vec<OsString> {
    LENGTHS
        .iter()
        .map(|length| {
            write(folder, length.to_string(), &noise(*length));
            length.to_string().into()
        })
        .collect()
}

/// What the tool and what `vram digest` prints for the same arguments in the same folder.
fn both(folder: &Path, tool: &[&str], vram_digest: &[&str], files: &[OsString]) -> (Output, Ran) {
    let (name, options) = tool.split_first().unwrap();
    let theirs = Command::new(name)
        .args(options)
        .args(files)
        .current_dir(folder)
        .output()
        .unwrap();
    let ours = Ran::of(
        vram()
            .arg("digest")
            .args(vram_digest)
            .args(files)
            .current_dir(folder),
    );
    (theirs, ours)
}

/// Asserts that both print the same bytes and end with the same code.
#[track_caller]
fn same((theirs, ours): &(Output, Ran)) {
    let theirs_text = String::from_utf8_lossy(&theirs.stdout);
    assert_eq!(theirs_text, String::from_utf8_lossy(&ours.stdout));
    assert_eq!(theirs.stdout, ours.stdout);
    assert_eq!(theirs.status.code(), Some(ours.code), "{}", ours.stderr);
}

/// Covers: FN-2.3.
#[test]
fn it_prints_what_sha256sum_prints() {
    if !has("sha256sum") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());

    for options in [&[][..], &["-b"], &["--tag"], &["-z"], &["-t"]] {
        let tool = [&["sha256sum"], options].concat();
        same(&both(folder.path(), &tool, options, &files));
    }
}

#[cfg(unix)]
#[test]
fn awkward_names_are_written_as_sha256sum_writes_them() {
    use std::os::unix::ffi::OsStringExt as _;

    if !has("sha256sum") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let names: [&[u8]; 7] = [
        b"a\nb",
        br"c\d",
        b"e\rf",
        b"two  blanks",
        b"\xff\xfe",
        b"*star",
        b"\\\n\\n",
    ];
    let names: Vec<_> = names
        .iter()
        .map(|name| OsString::from_vec(name.to_vec()))
        .inspect(|name| drop(write(folder.path(), name, b"x")))
        .collect();

    for options in [&[][..], &["-b"], &["--tag"], &["-z"]] {
        let tool = [&["sha256sum"], options].concat();
        same(&both(folder.path(), &tool, options, &names));
    }
}

#[test]
fn a_file_that_can_not_be_read_leaves_the_others_printed() {
    if !has("sha256sum") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut files = files(folder.path());
    files.insert(1, "missing".into());
    files.insert(3, ".".into());

    let both = both(folder.path(), &["sha256sum"], &[], &files);

    same(&both);
    assert_eq!(both.1.code, 1);
    assert!(both.1.stderr.contains("vram: missing: No such file"));
    assert!(both.1.stderr.contains("vram: .: Is a directory"));
}

#[test]
fn standard_input_is_hashed_for_a_dash_and_for_nothing() {
    for arguments in [&["digest"][..], &["digest", "-"]] {
        let input = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut &input, b"abc").unwrap();
        std::io::Seek::rewind(&mut &input).unwrap();

        let ran = Ran::of(vram().args(arguments).stdin(Stdio::from(input)));

        assert_eq!(
            ran.text(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -\n"
        );
    }
}

/// Covers: FN-2.3.
#[test]
fn with_verity_it_prints_what_fsverity_prints() {
    if !has("fsverity") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut files = files(folder.path());
    files.push("a\nb".into());
    write(folder.path(), "a\nb", b"x");
    let salt = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let salted = format!("--salt={salt}");

    for options in [&[][..], &["--compact"], &["--salt=07"], &[&salted]] {
        let tool = [&["fsverity", "digest"], options].concat();
        let ours = [&["--verity"], options].concat();
        same(&both(folder.path(), &tool, &ours, &files));
    }
}

#[test]
fn known_digests_are_printed_without_any_tool() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "abc", b"abc");
    let name = path.to_str().unwrap();

    assert_eq!(
        run(["digest", name]).text(),
        format!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  {name}\n")
    );
    assert_eq!(
        run(["digest", "--verity", name]).text(),
        format!("sha256:700b6bd8510f0b4f9bac8b9cf0459151a1c4a99f467892bb4bd289a67df8e19c {name}\n")
    );
}

#[test]
fn options_that_make_no_sense_are_usage_errors() {
    for arguments in [
        &["--salt", "00"][..],
        &["--compact"],
        &["--verity", "--salt", "xyz"],
        &["--verity", "--salt", &"00".repeat(33)],
        &["--check", "--json"],
        &["--quiet"],
    ] {
        assert_eq!(
            run([&["digest"], arguments].concat()).code,
            2,
            "{arguments:?}"
        );
    }
}
