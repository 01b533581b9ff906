//! Running other programs, and finding the workspace.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// The workspace's root folder.
pub(crate) fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// The folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || workspace().join("target"),
        |folder| workspace().join(folder),
    )
}

/// The folder for what the tasks fetch and build; under `target`, so `cargo clean` removes it.
pub(crate) fn scratch() -> PathBuf {
    target().join("xtask")
}

/// The cargo that runs this task, to run again.
pub(crate) fn cargo() -> Command {
    without_package(Command::new(
        std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
    ))
}

/// A command that cargo is run by, as it would be from the shell.
///
/// What cargo set for this package is taken away. Build scripts ask to be run again when such a variable
/// changes, so a build from in here and one from the shell would each undo the other.
pub(crate) fn without_package(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let shown = name.to_string_lossy();
        if shown.starts_with("CARGO_PKG_") || shown.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a program with its output shown, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
    let status = command
        .status()
        .with_context(|| format!("could not start {shown}"))?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}

/// Runs a program and gives what it prints; what it says to people is shown.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = shown(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("could not start {shown}"))?;
    if !output.status.success() {
        bail!("{shown} ended with {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A command as a person would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether a program starts and succeeds; its output is thrown away.
pub(crate) fn works(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Rust source as `cargo fmt` would leave it, so that generated files pass its check.
pub(crate) fn formatted(source: &str) -> anyhow::Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--config-path"])
        .arg(workspace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("could not start rustfmt")?;
    if let Some(mut stdin) = rustfmt.stdin.take() {
        stdin.write_all(source.as_bytes())?;
    }
    let output = rustfmt.wait_with_output()?;
    if !output.status.success() {
        bail!("rustfmt ended with {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Compares a generated file with the committed one (`check`), or writes it.
pub(crate) fn write_or_check(
    path: &Path,
    content: &str,
    check: bool,
    renew: &str,
) -> anyhow::Result<()> {
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let shown = path
        .strip_prefix(workspace())
        .unwrap_or(path)
        .display()
        .to_string();
    if committed == content {
        report(&format!("{shown}: up to date"));
        return Ok(());
    }
    if check {
        bail!("{shown} is stale: what it is made from has changed. Renew it with `{renew}`");
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, content).with_context(|| format!("could not write {shown}"))?;
    report(&format!("{shown}: written"));
    Ok(())
}

/// Tells the person at the terminal what a task is doing.
#[expect(
    clippy::print_stderr,
    reason = "a task speaks to the person who runs it"
)]
pub(crate) fn report(line: &str) {
    eprintln!("{line}");
}
