//! What comes from outside the workspace: tools, files, and what to do where they are missing.

use std::env;
use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set to 1, a missing tool to compare with is a failure.
const REQUIRE_TOOLS: &str = "VRAM_REQUIRE_FSVERITY";

/// Whether a variable of the environment is set to 1.
pub(crate) fn is_set(variable: &str) -> bool {
    env::var_os(variable).as_deref() == Some(OsStr::new("1"))
}

/// Says that something is not tested, and why; or fails, where `variable` asks for that.
pub(crate) fn skip(what: &str, variable: &str) {
    assert!(!is_set(variable), "{what}, and {variable} is set");
    // Not by a macro: the test harness would keep to itself what a passing test prints.
    let line = format!("SKIPPED: {what} (a failure with {variable}=1)\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The workspace's root folder.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The content digests that `sha256sum` prints, in the files' order; none if there is no such tool.
pub(crate) fn sha256sum<'f>(files: impl IntoIterator<Item = &'f Path>) -> Option<Vec<String>> {
    let lines = lines(Command::new("sha256sum").args(files))?;
    Some(lines.iter().map(|line| line[..64].to_owned()).collect())
}

/// The verity digests that `fsverity digest` prints, in the files' order; none if there is no such
/// tool. An empty salt is none.
pub(crate) fn fsverity_digest<'f>(
    files: impl IntoIterator<Item = &'f Path>,
    salt: &[u8],
) -> Option<Vec<String>> {
    let mut command = Command::new("fsverity");
    command.args(["digest", "--compact"]);
    command.args(["--hash-alg=sha256", "--block-size=4096"]);
    if !salt.is_empty() {
        command.arg(format!("--salt={}", hex::encode(salt)));
    }
    lines(command.args(files))
}

/// What a tool prints; none if it isn't there.
fn lines(command: &mut Command) -> Option<Vec<String>> {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let tool = command.get_program().display();
            skip(
                &format!("there is no {tool} to compare with"),
                REQUIRE_TOOLS,
            );
            return None;
        }
        Err(error) => panic!("{command:?}: {error}"),
    };
    assert!(output.status.success(), "{command:?}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}
