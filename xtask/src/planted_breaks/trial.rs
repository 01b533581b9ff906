//! One break: applied, built, and shown to the tests of its row.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context as _, bail};

use super::{Broken, Outcome, Planted};
use crate::catalogue::Row;
use crate::source_copy::Copy;
use crate::{link_stub, process, test_id};

/// The tests of these rows that pass in the copy with nothing broken, by their ids. A test that is red without the
/// break has noticed nothing.
pub(super) fn green<'r>(
    copy: &Copy,
    rows: impl Iterator<Item = &'r Row>,
) -> anyhow::Result<BTreeSet<String>> {
    copy.restore()?;
    let ids: BTreeSet<&str> = rows
        .flat_map(|row| &row.tests)
        .map(String::as_str)
        .collect();
    let mut green = BTreeSet::new();
    for (binary, paths) in test_id::by_binary(ids) {
        match test(copy, &binary, &paths)? {
            Ok(results) => {
                green.extend(results.passed.iter().map(|path| format!("{binary} {path}")));
            }
            Err(why) => bail!("{binary} does not build with nothing broken: {why}"),
        }
    }
    Ok(green)
}

/// Breaks the copy, runs the row's tests until one is red for it, and takes the break back.
pub(super) fn of(
    copy: &Copy,
    planted: &Planted,
    row: &Row,
    green: &BTreeSet<String>,
) -> anyhow::Result<Broken> {
    let started = Instant::now();
    copy.restore()?;
    let outcome = match copy.apply(&planted.patch)? {
        Err(why) => Outcome::DoesNotApply { why },
        Ok(()) => noticed(copy, planted, row, green)?,
    };
    copy.restore()?;
    Ok(Broken {
        row: planted.row.clone(),
        what: planted.what.clone(),
        outcome,
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn noticed(
    copy: &Copy,
    planted: &Planted,
    row: &Row,
    green: &BTreeSet<String>,
) -> anyhow::Result<Outcome> {
    let mut ran: usize = 0;
    let mut red_anyway = Vec::new();
    for (binary, paths) in nearest_first(row, &planted.packages()?) {
        let results = match test(copy, &binary, &paths)? {
            Ok(results) => results,
            Err(why) => return Ok(Outcome::DoesNotBuild { why }),
        };
        ran = results.passed.len().saturating_add(ran);
        let failed = results.failed.iter().map(|path| format!("{binary} {path}"));
        let (by_the_break, anyway): (Vec<_>, Vec<_>) = failed.partition(|id| green.contains(id));
        red_anyway.extend(anyway);
        if !by_the_break.is_empty() {
            let tests = by_the_break;
            return Ok(Outcome::Red { tests });
        }
    }
    Ok(Outcome::Unnoticed { ran, red_anyway })
}

/// The row's tests by binary: those of the packages that are broken come first, as they build fastest.
fn nearest_first(row: &Row, broken: &[String]) -> Vec<(String, Vec<String>)> {
    let binaries = test_id::by_binary(row.tests.iter().map(String::as_str));
    let mut binaries: Vec<_> = binaries.into_iter().collect();
    binaries.sort_by_key(|(binary, _)| {
        let package = test_id::package(binary);
        broken.iter().all(|broken| broken != package)
    });
    binaries
}

/// The program of the scenarios, whose harness takes one name at a time.
const SCENARIOS: &str = "vram-tests::features";

/// Runs tests of the copy as it is; the last words of the compiler, where they don't build.
fn test(copy: &Copy, binary: &str, paths: &[String]) -> anyhow::Result<Result<Results, String>> {
    if binary != SCENARIOS {
        return test_at_once(copy, binary, paths);
    }
    let mut all = Results::default();
    for path in paths {
        match test_at_once(copy, binary, std::slice::from_ref(path))? {
            Ok(results) => {
                all.passed.extend(results.passed);
                all.failed.extend(results.failed);
            }
            Err(why) => return Ok(Err(why)),
        }
    }
    Ok(Ok(all))
}

fn test_at_once(
    copy: &Copy,
    binary: &str,
    paths: &[String],
) -> anyhow::Result<Result<Results, String>> {
    let mut cargo = process::cargo();
    test_id::run_with(&mut cargo, binary, paths);
    cargo
        .current_dir(copy.folder())
        .env("CARGO_TARGET_DIR", copy.target())
        .env(link_stub::VARIABLE, link_stub::generate()?);
    let output = cargo.output().context("could not start cargo")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let Some(mut results) = Results::read(&said) else {
        return Ok(Err(last_lines(&String::from_utf8_lossy(&output.stderr))));
    };
    if !output.status.success() && results.failed.is_empty() {
        // The process ended before its tests did, by a signal for one.
        results.failed = results.unfinished(paths);
    }
    Ok(Ok(results))
}

/// What the harness said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Results {
    passed: Vec<String>,
    failed: Vec<String>,
}

impl Results {
    /// Nothing, if no test was even started.
    fn read(output: &str) -> Option<Self> {
        let mut lines = output.lines().map(str::trim);
        lines.find(|line| line.starts_with("running "))?;
        let mut results = Self::default();
        for line in lines {
            let Some((name, outcome)) = line
                .strip_prefix("test ")
                .and_then(|rest| rest.split_once(" ... "))
            else {
                continue;
            };
            // The harness says so beside the name.
            let name = name.strip_suffix(" - should panic").unwrap_or(name);
            match outcome {
                "ok" => results.passed.push(name.to_owned()),
                "FAILED" => results.failed.push(name.to_owned()),
                _ => {}
            }
        }
        Some(results)
    }

    /// Those of the tests asked for that were not reported as passed.
    fn unfinished(&self, asked: &[String]) -> Vec<String> {
        let unfinished = asked.iter().filter(|path| !self.passed.contains(*path));
        unfinished.cloned().collect()
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(20);
    lines.get(first..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_told_from_what_passed() {
        let output = "\nrunning 2 tests\ntest a::one ... ok\ntest a::two ... FAILED\n\nfailures:\n";

        let results = Results::read(output).unwrap();

        assert_eq!(results.passed, ["a::one"]);
        assert_eq!(results.failed, ["a::two"]);
    }

    #[test]
    fn tests_that_a_crash_kept_from_ending_are_not_taken_for_passed() {
        let results = Results::read("running 2 tests\ntest a::one ... ok\n").unwrap();

        let asked = ["a::one", "a::two"].map(str::to_owned);
        assert_eq!(results.unfinished(&asked), ["a::two"]);
    }

    #[test]
    fn a_build_that_failed_is_no_test_that_failed() {
        assert_eq!(Results::read("error: could not compile"), None);
    }
}
