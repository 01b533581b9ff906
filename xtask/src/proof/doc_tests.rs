//! What `cargo test --doc` printed: `Doc-tests` names the crate, and a line follows for each test.

use anyhow::ensure;

use super::model::{Kind, Outcome, TestRecord};
use super::results::{HERE, driver};

/// The doc tests of all crates: as many as the harness said that there are.
pub(super) fn read(text: &str) -> anyhow::Result<Vec<TestRecord>> {
    let mut package = String::new();
    let mut tests = Vec::new();
    let mut announced = 0_usize;
    for line in text.lines() {
        announced = announced.saturating_add(running(line).unwrap_or(0));
        if let Some(name) = line.trim_start().strip_prefix("Doc-tests ") {
            package = name.trim().replace('_', "-");
        } else if let Some((name, outcome, reason)) = result(line) {
            tests.push(record(&package, name, outcome, reason));
        }
    }
    ensure!(
        tests.len() == announced,
        "{announced} doc tests were started, and of {} it is said what came of them",
        tests.len()
    );
    Ok(tests)
}

/// The number in a line such as `running 2 tests`.
fn running(line: &str) -> Option<usize> {
    let (number, tests) = line.strip_prefix("running ")?.split_once(' ')?;
    let number = number.parse().ok()?;
    matches!(tests, "test" | "tests").then_some(number)
}

/// A line such as `test crates/vram-seal/src/lib.rs - (line 9) ... ok`.
fn result(line: &str) -> Option<(&str, Outcome, Option<String>)> {
    let (name, said) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let (outcome, reason) = match said.split_once(", ").unwrap_or((said, "")) {
        ("ok", _) => (Outcome::Passed, None),
        ("FAILED", _) => (Outcome::Failed, None),
        ("ignored", "") => (Outcome::Skipped, Some("marked as ignored".to_owned())),
        ("ignored", why) => (Outcome::Skipped, Some(why.to_owned())),
        _ => return None,
    };
    Some((name, outcome, reason))
}

fn record(package: &str, name: &str, outcome: Outcome, reason: Option<String>) -> TestRecord {
    let binary = format!("{package}::doc");
    TestRecord {
        id: format!("{binary} {name}"),
        driver: driver(&binary),
        binary,
        name: name.to_owned(),
        kind: Kind::Doc,
        machine: HERE.to_owned(),
        outcome,
        reason,
        seconds: None,
        output_sha256: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Driver;
    use super::*;

    const OUTPUT: &str = "\
   Doc-tests vram_alloc

running 2 tests
test crates/vram-alloc/src/region.rs - region::Region (line 12) ... ok
test crates/vram-alloc/src/region.rs - region::Region::write (line 40) - compile fail ... FAILED

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
   Doc-tests vram_seal

running 1 test
test crates/vram-seal/src/lib.rs - (line 9) ... ignored
";

    #[test]
    fn doc_tests_are_named_by_their_crate() {
        let tests = read(OUTPUT).unwrap();

        let found: Vec<_> = tests
            .iter()
            .map(|test| (test.id.as_str(), test.driver, test.outcome))
            .collect();
        assert_eq!(
            found,
            [
                (
                    "vram-alloc::doc crates/vram-alloc/src/region.rs - region::Region (line 12)",
                    Driver::Simulated,
                    Outcome::Passed
                ),
                (
                    "vram-alloc::doc crates/vram-alloc/src/region.rs - region::Region::write (line 40) - compile fail",
                    Driver::Simulated,
                    Outcome::Failed
                ),
                (
                    "vram-seal::doc crates/vram-seal/src/lib.rs - (line 9)",
                    Driver::Host,
                    Outcome::Skipped
                ),
            ]
        );
    }

    #[test]
    fn a_test_of_which_nothing_is_said_is_missed() {
        let broken = OUTPUT.replace("(line 12) ... ok", "(line 12) ... warning: x");

        let refused = read(&broken).unwrap_err().to_string();

        assert!(
            refused.contains("3 doc tests were started, and of 2"),
            "{refused}"
        );
    }

    #[test]
    fn what_else_is_printed_is_no_test() {
        assert!(
            read("test result: ok. 3 passed; 0 failed\nwarning: test x\ntest a ... running\n")
                .unwrap()
                .is_empty()
        );
    }
}
