//! Terminals, pipes, and pipes that nobody reads.

use std::process::{Command, Stdio};

use crate::model::write;
use crate::run::{Ran, has, run, vram};

/// Runs a shell line in a pseudo-terminal of 80 columns; `$VRAM` is the command.
fn in_a_terminal(line: &str, no_color: bool) -> Option<String> {
    if !has("script") {
        return None;
    }
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command"])
        .arg(format!("stty cols 80; {line}"))
        .arg("/dev/null")
        .env("VRAM", vram().get_program())
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    if no_color {
        command.env("NO_COLOR", "1");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_closed_pipe_is_no_error_and_no_panic() {
    for arguments in [
        &["seal", "--simulated"][..],
        &["seal", "--simulated", "--json"],
        &["devices", "--simulated"],
        &["drill", "--simulated", "--size", "1"],
        &["digest", "/dev/null", "/dev/null"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);

        let ran = Ran::of(vram().args(arguments).stdout(writer));

        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
    }
}

/// Covers: CL-1.
#[test]
fn a_failure_keeps_its_code_when_nobody_reads() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);

    let ran = Ran::of(
        vram()
            .args(["seal", "--json", "--simulated=integrated"])
            .stdout(writer),
    );

    assert_eq!(ran.code, 4, "{}", ran.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    for arguments in [&["devices", "--simulated"][..], &["digest", "/dev/null"]] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();

        let ran = Ran::of(vram().args(arguments).stdout(full));

        assert_eq!(ran.code, 1, "{arguments:?}");
        assert!(
            ran.stderr.contains("writing the output failed"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn nothing_is_drawn_or_coloured_in_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "m.bin", &[1; 100_000]);

    let ran = run(["seal", "--simulated", path.to_str().unwrap()]);

    assert!(!ran.text().contains('\u{1b}'), "{}", ran.text());
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "the notes on the simulation: {lines:?}");
}

#[test]
fn the_log_is_there_when_asked_for() {
    let quiet = run(["devices", "--simulated"]);
    let verbose = run(["drill", "-v", "--simulated", "--size", "1"]);
    let chosen = Ran::of(
        vram()
            .args(["drill", "--simulated", "--size", "1"])
            .env("RUST_LOG", "vram_residency=error"),
    );

    assert!(!quiet.stderr.contains("INFO"), "{}", quiet.stderr);
    assert!(verbose.stderr.contains("INFO"), "{}", verbose.stderr);
    assert!(!chosen.stderr.contains("INFO"), "{}", chosen.stderr);
    assert!(chosen.stderr.contains("ERROR"), "{}", chosen.stderr);
}

#[test]
fn a_terminal_gets_colours_unless_no_color_is_set() {
    let line = r#""$VRAM" drill --simulated --size 1 2>/dev/null"#;
    let (Some(coloured), Some(plain)) = (in_a_terminal(line, false), in_a_terminal(line, true))
    else {
        return;
    };

    assert!(coloured.contains("\u{1b}[32m"), "{coloured:?}");
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    assert!(plain.contains("Drill passed"), "{plain:?}");
}

#[test]
fn a_doctors_report_is_coloured_on_a_terminal_and_readable_without() {
    let line = r#""$VRAM" doctor --simulated=integrated 2>/dev/null; true"#;
    let (Some(coloured), Some(plain)) = (in_a_terminal(line, false), in_a_terminal(line, true))
    else {
        return;
    };

    assert!(coloured.contains("\u{1b}[31m"), "{coloured:?}");
    assert!(coloured.contains("\u{1b}[32m"), "{coloured:?}");
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    assert!(plain.contains("✗ fail     device.own-memory"), "{plain:?}");
    for line in plain.lines() {
        assert!(line.trim_end().chars().count() <= 80, "{line}");
    }
}

#[test]
fn progress_is_drawn_on_a_terminal_and_gone_at_the_end() {
    let Some(drawn) = in_a_terminal(r#""$VRAM" seal --simulated >/dev/null"#, true) else {
        return;
    };

    assert!(drawn.contains("sample.safetensors"), "{drawn:?}");
    assert!(drawn.contains("upload"), "{drawn:?}");
    assert!(
        drawn.trim_end_matches(['\r', '\n']).ends_with("\u{1b}[2K"),
        "{drawn:?}"
    );
}

#[test]
fn every_line_for_people_fits_80_columns() {
    for arguments in [
        &["seal", "--simulated"][..],
        &["devices", "--simulated"],
        &["drill", "--simulated", "--size", "9MiB"],
        &["--help"],
    ] {
        for line in run(arguments).text().lines() {
            assert!(
                line.chars().count() <= 80 || arguments == ["--help"],
                "{line}"
            );
        }
    }
}
