//! Running the command, and other tools beside it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Command, Output};

/// The command, in an environment that changes nothing of it.
pub(crate) fn vram() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("vram"));
    for variable in ["RUST_LOG", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

/// What a run of the command left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(!stderr.contains("panicked"), "{stderr}");
        Self {
            code: status.code().expect("no signal ends it"),
            stdout,
            stderr,
        }
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap()
    }

    /// The one document that stdout holds. More or less than one is an error.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap()
    }
}

/// Runs the command with these arguments.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    Ran::of(vram().args(arguments))
}

/// Runs `vram seal` on the simulated device.
pub(crate) fn seal<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    Ran::of(vram().args(["seal", "--simulated"]).args(arguments))
}

/// Whether a tool that results are compared with is here. If not, stderr says that the comparison
/// was left out; with `VRAM_REQUIRE_FSVERITY` set, that there is no `fsverity` or `sha256sum` is a failure.
pub(crate) fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        let required = std::env::var_os("VRAM_REQUIRE_FSVERITY").is_some();
        assert!(
            !required || !["fsverity", "sha256sum"].contains(&tool),
            "there is no {tool} to compare with, and VRAM_REQUIRE_FSVERITY is set"
        );
        skipped(&format!("there is no {tool} here to compare with"));
    }
    found
}

/// Says that a comparison was left out: past the capture of output, so that it shows in every run.
pub(crate) fn skipped(why: &str) {
    let line = format!("SKIPPED: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
