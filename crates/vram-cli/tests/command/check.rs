//! `vram digest --check`, beside `sha256sum --check`.

use std::path::Path;
use std::process::Command;

use crate::model::write;
use crate::run::{Ran, has, vram};

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// A folder with the file `abc` and a list.
fn folder(list: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "abc", b"abc");
    write(folder.path(), "list", list.as_bytes());
    folder
}

fn check(folder: &Path, options: &[&str]) -> Ran {
    let mut command = vram();
    command
        .args(["digest", "--check"])
        .args(options)
        .arg("list");
    Ran::of(command.current_dir(folder))
}

/// Asserts that sha256sum prints the same, and ends well or badly as we do.
#[track_caller]
fn same(folder: &Path, options: &[&str], ours: &Ran) {
    if !has("sha256sum") {
        return;
    }
    let theirs = Command::new("sha256sum")
        .arg("--check")
        .args(options)
        .arg("list")
        .current_dir(folder)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&theirs.stdout), ours.text());
    assert_eq!(theirs.status.success(), ours.code == 0, "{}", ours.stderr);
    let warnings = |text: &str| {
        let warnings = text
            .lines()
            .filter_map(|line| line.split_once(": WARNING: "));
        warnings
            .map(|(_, what)| what.to_owned())
            .collect::<Vec<_>>()
    };
    let theirs = String::from_utf8_lossy(&theirs.stderr);
    assert_eq!(warnings(&theirs), warnings(&ours.stderr));
}

#[test]
fn files_that_match_are_good() {
    let folder = folder(&format!(
        "# a comment\n{ABC}  abc\n{ABC} *abc\nSHA256 (abc) = {ABC}\n"
    ));

    let ran = check(folder.path(), &[]);

    assert_eq!((ran.code, ran.text()), (0, "abc: OK\nabc: OK\nabc: OK\n"));
    same(folder.path(), &[], &ran);
}

#[test]
fn a_mismatch_is_an_integrity_failure() {
    let folder = folder(&format!(
        "{}  abc\n{ABC}  abc\n{ABC}  gone\n",
        "00".repeat(32)
    ));

    for options in [&[][..], &["--quiet"], &["--status"], &["--ignore-missing"]] {
        let ran = check(folder.path(), options);

        assert_eq!(ran.code, 3, "{}", ran.stderr);
        same(folder.path(), options, &ran);
    }
}

#[test]
fn a_file_that_can_not_be_read_is_an_error() {
    let folder = folder(&format!("{ABC}  gone\n{ABC}  abc\n"));

    let ran = check(folder.path(), &[]);

    assert_eq!(ran.code, 1);
    assert_eq!(ran.text(), "gone: FAILED open or read\nabc: OK\n");
    same(folder.path(), &[], &ran);
}

#[test]
fn missing_files_are_passed_over_if_one_was_verified() {
    let some = folder(&format!("{ABC}  gone\n{ABC}  abc\n"));
    let none = folder(&format!("{ABC}  gone\n"));

    let (some_ran, none_ran) = (
        check(some.path(), &["--ignore-missing"]),
        check(none.path(), &["--ignore-missing"]),
    );

    assert_eq!((some_ran.code, none_ran.code), (0, 1));
    assert!(none_ran.stderr.contains("no file was verified"));
    same(some.path(), &["--ignore-missing"], &some_ran);
    same(none.path(), &["--ignore-missing"], &none_ran);
}

#[test]
fn lines_that_are_no_digests_are_counted_and_fail_if_strict() {
    let folder = folder(&format!("{ABC}  abc\nnot a digest\n\n"));

    for (options, code) in [(&[][..], 0), (&["--strict"], 1), (&["--warn"], 0)] {
        let ran = check(folder.path(), options);

        assert_eq!(ran.code, code, "{}", ran.stderr);
        same(folder.path(), options, &ran);
    }
    assert!(
        check(folder.path(), &["--warn"])
            .stderr
            .contains("list: 2: improperly")
    );
}

#[test]
fn a_list_without_any_digest_is_an_error() {
    let folder = folder("nothing\nof use\n");

    let ran = check(folder.path(), &[]);

    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("no properly formatted"),
        "{}",
        ran.stderr
    );
    same(folder.path(), &[], &ran);
}

#[test]
fn a_name_with_a_line_break_is_read_back() {
    let folder = folder(&format!("\\{ABC}  a\\nb\n"));
    write(folder.path(), "a\nb", b"abc");

    let ran = check(folder.path(), &[]);

    assert_eq!((ran.code, ran.text()), (0, "\\a\\nb: OK\n"));
    same(folder.path(), &[], &ran);
}

#[test]
fn a_list_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().unwrap();

    let ran = check(folder.path(), &[]);

    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("list: No such file"), "{}", ran.stderr);
}
