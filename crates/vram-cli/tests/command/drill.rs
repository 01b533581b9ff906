//! `vram drill`.

use crate::run::run;

/// Covers: LO-1.
#[test]
fn the_flip_is_found_in_its_block() {
    for (size, offset, block) in [
        ("1", "0", 0),
        ("4096", "4095", 0),
        ("4097", "4096", 1),
        ("1MiB", "524287", 127),
        ("1MiB", "524288", 128),
        ("1048577", "1048576", 256),
    ] {
        let ran = run([
            "drill",
            "--simulated",
            "--json",
            "--size",
            size,
            "--offset",
            offset,
            "--bit",
            "3",
        ]);

        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let drill = &ran.json()["drill"];
        assert_eq!(drill["passed"], true, "{drill}");
        assert_eq!(drill["flipped"]["block"], block, "{drill}");
        assert_eq!(drill["difference"]["blocks"], serde_json::json!([block]));
    }
}

#[test]
fn a_random_flip_is_found_too() {
    let ran = run(["drill", "--simulated", "--size", "3MiB"]);

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for expected in [
        "Flipped   bit",
        "Found     yes",
        "Located   yes: block",
        "Stopped   yes",
        "Drill passed",
    ] {
        assert!(
            ran.text().contains(expected),
            "{expected} in {}",
            ran.text()
        );
    }
}

#[test]
fn a_bit_that_is_not_there_is_a_usage_error() {
    for arguments in [
        ["--size", "0"].as_slice(),
        &["--size", "8", "--offset", "8"],
        &["--bit", "8"],
    ] {
        let ran = run([&["drill", "--simulated"], arguments].concat());

        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert_eq!(ran.text(), "");
    }
}

#[test]
fn no_file_is_touched() {
    let folder = tempfile::tempdir().unwrap();

    let mut command = crate::run::vram();
    command.args(["drill", "--simulated", "--size", "1MiB"]);
    let ran = crate::run::Ran::of(command.current_dir(&folder).env("TMPDIR", folder.path()));

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
