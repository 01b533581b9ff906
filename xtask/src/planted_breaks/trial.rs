//! One break: applied, built, and shown to the tests of its row.

use std::time::Instant;

use anyhow::Context as _;

use super::copy::Copy;
use super::{Broken, Outcome, Planted};
use crate::catalogue::Row;
use crate::{link_stub, process, test_id};

/// Breaks the copy, runs the row's tests until one is red, and takes the break back.
pub(super) fn of(copy: &Copy, planted: &Planted, row: &Row) -> anyhow::Result<Broken> {
    let started = Instant::now();
    copy.restore()?;
    let outcome = match copy.apply(&planted.patch)? {
        Err(why) => Outcome::DoesNotApply { why },
        Ok(()) => noticed(copy, row)?,
    };
    copy.restore()?;
    Ok(Broken {
        row: planted.row.clone(),
        what: planted.what.clone(),
        outcome,
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn noticed(copy: &Copy, row: &Row) -> anyhow::Result<Outcome> {
    let stub = link_stub::generate()?;
    let mut ran: usize = 0;
    for (binary, paths) in test_id::by_binary(row.tests.iter().map(String::as_str)) {
        let mut cargo = process::cargo();
        test_id::run_with(&mut cargo, &binary, &paths);
        cargo
            .current_dir(copy.folder())
            .env("CARGO_TARGET_DIR", copy.target())
            .env(link_stub::VARIABLE, &stub)
            // What is planted is not for others to try again.
            .env("PROPTEST_FAILURE_PERSISTENCE", "off");
        let output = cargo.output().context("could not start cargo")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let Some(results) = Results::read(&said) else {
            let why = String::from_utf8_lossy(&output.stderr);
            return Ok(Outcome::DoesNotBuild {
                why: last_lines(&why),
            });
        };
        if !output.status.success() {
            let named = results.failed.iter().map(|path| format!("{binary} {path}"));
            return Ok(Outcome::Red {
                tests: named.collect(),
            });
        }
        ran = results.passed.saturating_add(ran);
    }
    Ok(Outcome::Unnoticed { ran })
}

/// What the harness said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Results {
    passed: usize,
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
            match outcome {
                "ok" => results.passed = results.passed.saturating_add(1),
                "FAILED" => results.failed.push(name.to_owned()),
                _ => {}
            }
        }
        Some(results)
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

        assert_eq!(results.passed, 1);
        assert_eq!(results.failed, ["a::two"]);
    }

    #[test]
    fn a_build_that_failed_is_no_test_that_failed() {
        assert_eq!(Results::read("error: could not compile"), None);
    }
}
