//! Running chosen tests under another compiler or tool, and telling how many passed.

use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::process;

/// The compiler that these tools are part of.
const TOOLCHAIN: &str = "nightly";

/// Tests of one target of a package.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suite {
    pub(crate) package: &'static str,
    /// The target: `--lib`, or `--test` and its name.
    pub(crate) target: &'static [&'static str],
    /// What their names hold; all without.
    pub(crate) filters: &'static [&'static str],
    /// What the names of those that are left out hold.
    pub(crate) skip: &'static [&'static str],
}

impl Suite {
    /// As it is shown.
    pub(crate) fn name(&self) -> String {
        let words = [self.package]
            .into_iter()
            .chain(self.target.iter().copied())
            .chain(self.filters.iter().copied());
        words.collect::<Vec<_>>().join(" ")
    }

    /// What follows a cargo command that builds and runs tests.
    pub(crate) fn arguments(&self) -> Vec<&'static str> {
        let mut arguments = vec!["--package", self.package];
        arguments.extend(self.target);
        arguments.push("--");
        arguments.extend(self.filters);
        for skipped in self.skip {
            arguments.extend(["--skip", skipped]);
        }
        arguments
    }
}

/// The nightly cargo, in the workspace.
pub(crate) fn nightly() -> Command {
    let mut command = process::without_package(Command::new("rustup"));
    command
        .args(["run", TOOLCHAIN, "cargo"])
        .current_dir(process::workspace());
    command
}

/// What the nightly compiler, or a tool that comes with it, calls itself.
pub(crate) fn version(tool: &[&str], component: &str) -> anyhow::Result<String> {
    let mut command = Command::new("rustup");
    command.args(["run", TOOLCHAIN]).args(tool).arg("--version");
    let said = process::output(&mut command).with_context(|| {
        format!("this task needs `rustup toolchain install {TOOLCHAIN} --component {component}`")
    })?;
    Ok(said.trim().to_owned())
}

/// Runs tests, shows what they say if they fail, and gives how many passed. None is a failure.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<Result<String, String>> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("could not start the tests")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let outcome = judge(output.status.success(), &said);
    if outcome.is_err() {
        process::report(&said);
    }
    Ok(outcome)
}

fn judge(success: bool, said: &str) -> Result<String, String> {
    let count = passed(said);
    if !success {
        return Err(format!("ended with an error, {count} tests passed"));
    }
    if count == 0 {
        return Err("no test was run: the names have changed".to_owned());
    }
    Ok(format!("{count} tests"))
}

/// How many tests passed, by what the harness prints at the end.
fn passed(said: &str) -> u64 {
    let results = said
        .lines()
        .filter_map(|line| line.strip_prefix("test result: "));
    let counts = results.filter_map(|line| {
        let (before, _) = line.split_once(" passed")?;
        before.rsplit(' ').next()?.parse::<u64>().ok()
    });
    counts.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "running 2 tests\n\
        test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 71 filtered out\n\
        test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n";

    #[test]
    fn what_passed_is_counted_over_all_targets() {
        assert_eq!(judge(true, SAID), Ok("15 tests".to_owned()));
        assert!(judge(false, SAID).unwrap_err().contains("15"));
    }

    #[test]
    fn a_filter_that_finds_no_test_shows_nothing() {
        let said = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 71 filtered out\n";
        assert!(judge(true, said).is_err());
        assert!(judge(true, "").is_err());
    }

    #[test]
    fn what_is_skipped_follows_what_is_asked_for() {
        let suite = Suite {
            package: "a-crate",
            target: &["--lib"],
            filters: &["parse::"],
            skip: &["ring"],
        };
        assert_eq!(
            suite.arguments(),
            [
                "--package",
                "a-crate",
                "--lib",
                "--",
                "parse::",
                "--skip",
                "ring"
            ]
        );
        assert_eq!(suite.name(), "a-crate --lib parse::");
    }
}
