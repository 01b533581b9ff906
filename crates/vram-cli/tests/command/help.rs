//! What the command says of itself.

use crate::run::run;

#[test]
fn help_lists_commands_examples_and_exit_codes() {
    let ran = run(["--help"]);

    assert_eq!(ran.code, 0);
    for expected in [
        "seal ",
        "digest ",
        "drill ",
        "devices ",
        "doctor ",
        "bench ",
        "audit ",
        "challenge ",
        "attest ",
        "verify-evidence ",
        "Examples:",
        "Exit codes:",
        "0  good",
        "1  error",
        "2  usage",
        "3  integrity failure",
        "4  policy refusal",
    ] {
        assert!(
            ran.text().contains(expected),
            "{expected} in {}",
            ran.text()
        );
    }
}

#[test]
fn every_command_has_help_of_its_own() {
    for command in [
        "seal",
        "digest",
        "drill",
        "devices",
        "doctor",
        "bench",
        "audit verify",
        "audit show",
        "challenge",
        "attest",
        "verify-evidence",
    ] {
        let words = command.split(' ').chain(["--help"]);
        let ran = run(words);

        assert_eq!(ran.code, 0);
        assert!(ran.text().contains(&format!("Usage: vram {command}")));
        assert!(ran.text().contains("--json"));
    }
}

#[test]
fn the_version_is_the_packages() {
    let ran = run(["--version"]);

    assert_eq!(ran.text(), format!("vram {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_is_no_command_is_a_usage_error() {
    for arguments in [[].as_slice(), &["melt"], &["seal", "--no-such-option"]] {
        let ran = run(arguments);

        assert_eq!(ran.code, 2, "{arguments:?}");
        assert_eq!(ran.text(), "");
        assert!(ran.stderr.contains("Usage:"), "{}", ran.stderr);
    }
}
