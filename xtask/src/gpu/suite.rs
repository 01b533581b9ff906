//! What the test harness printed, as outcomes of tests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sections::Section;

/// A test binary's run.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suite {
    pub(crate) title: String,
    /// The exit status; `None` if the run was cut short.
    pub(crate) status: Option<i32>,
    pub(crate) seconds: Option<u64>,
    /// How many tests the harness said it would run.
    pub(crate) announced: u64,
    pub(crate) tests: Vec<Test>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Test {
    /// With its module.
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
    /// Why it was left out, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Passed,
    Failed,
    /// The harness did not start it.
    Ignored,
    /// It started, found something missing, said so and ended.
    Skipped,
}

/// How many tests of a module, or of a suite, ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) left_out: u64,
}

impl Counts {
    fn add(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Passed => &mut self.passed,
            Outcome::Failed => &mut self.failed,
            Outcome::Ignored | Outcome::Skipped => &mut self.left_out,
        };
        *counter = counter.saturating_add(1);
    }
}

impl Suite {
    /// Reads a section of `tests.txt`.
    pub(crate) fn parse(section: &Section<'_>) -> Self {
        let mut suite = Self {
            title: section.title.to_owned(),
            status: section.end.map(|(status, _)| status),
            seconds: section.end.map(|(_, seconds)| seconds),
            announced: 0,
            tests: Vec::new(),
        };
        // The test whose captured output is being shown.
        let mut shown: Option<&str> = None;
        for line in &section.lines {
            if let Some(name) = output_of(line) {
                shown = Some(name);
            } else if let Some(name) = shown {
                suite.note_skip(name, line);
            } else if let Some(test) = Test::parse(line) {
                suite.tests.push(test);
            } else if let Some(announced) = announced(line) {
                suite.announced = suite.announced.saturating_add(announced);
            }
            if line.starts_with("test result:") {
                shown = None;
            }
        }
        suite.tests.sort_by(|one, other| one.name.cmp(&other.name));
        suite
    }

    /// A test that passed because it had nothing to run on is no test that passed.
    fn note_skip(&mut self, name: &str, line: &str) {
        if !line
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("skipped")
        {
            return;
        }
        let mut tests = self.tests.iter_mut();
        if let Some(test) = tests.find(|test| test.name == name)
            && test.outcome == Outcome::Passed
        {
            test.outcome = Outcome::Skipped;
            test.why = Some(line.trim().to_owned());
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for test in &self.tests {
            counts.add(test.outcome);
        }
        counts
    }

    /// Tests that the harness announced and never reported: it crashed, or was stopped.
    pub(crate) fn unfinished(&self) -> u64 {
        let reported = u64::try_from(self.tests.len()).unwrap_or(u64::MAX);
        self.announced.saturating_sub(reported)
    }

    /// Counts by the first part of the tests' names.
    pub(crate) fn modules(&self) -> BTreeMap<&str, Counts> {
        let mut modules: BTreeMap<&str, Counts> = BTreeMap::new();
        for test in &self.tests {
            let module = test.name.split("::").next().unwrap_or(&test.name);
            modules.entry(module).or_default().add(test.outcome);
        }
        modules
    }
}

impl Test {
    /// Reads a line such as `test kernels::self_test ... ok`.
    fn parse(line: &str) -> Option<Self> {
        let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
        let (outcome, why) = match result.split_once(", ").unwrap_or((result, "")) {
            ("ok", _) => (Outcome::Passed, ""),
            ("FAILED", _) => (Outcome::Failed, ""),
            ("ignored", why) => (Outcome::Ignored, why),
            _ => return None,
        };
        Some(Self {
            // Where not every test is a function, names are padded to one length.
            name: name
                .trim_end()
                .trim_end_matches(" - should panic")
                .to_owned(),
            outcome,
            why: (!why.is_empty()).then(|| why.to_owned()),
        })
    }
}

/// `---- name stdout ----` begins what a test printed.
fn output_of(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// `running 52 tests`.
fn announced(line: &str) -> Option<u64> {
    let (count, rest) = line.strip_prefix("running ")?.split_once(' ')?;
    (rest == "tests" || rest == "test").then(|| count.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::sections::sections;

    const OUTPUT: &str = "##### suite drivers on the GPU

running 6 tests
test kernels::one ... ok
test copies::two ... FAILED
test kernels::three ... ignored, needs two devices
test kernels::four - should panic ... ok
test copies::five ... ok

successes:

---- copies::five stdout ----
Skipped: no virtual memory management
test copies::made_up ... ok

failures:

---- copies::two stdout ----
thread 'copies::two' panicked

test result: FAILED. 3 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out
##### exit status 101 after 7 s
";

    fn suite() -> Suite {
        Suite::parse(&sections(OUTPUT)[0])
    }

    #[test]
    fn each_test_has_its_name_and_outcome() {
        let suite = suite();

        let found: Vec<_> = suite
            .tests
            .iter()
            .map(|test| (test.name.as_str(), test.outcome))
            .collect();
        assert_eq!(
            found,
            [
                ("copies::five", Outcome::Skipped),
                ("copies::two", Outcome::Failed),
                ("kernels::four", Outcome::Passed),
                ("kernels::one", Outcome::Passed),
                ("kernels::three", Outcome::Ignored),
            ]
        );
        assert_eq!((suite.status, suite.seconds), (Some(101), Some(7)));
    }

    /// As the harness of the scenarios prints them: names are sentences, padded, and one that was skipped says why.
    #[test]
    fn scenarios_are_tests_too() {
        const OUTPUT: &str = "##### suite features on the GPU

running 3 tests
SKIPPED: no virtual memory management
test seal_model::an empty model is refused       ... ok
test security::a write to frozen memory, refused ... ignored, no virtual memory management
test security::a forged tag is refused           ... FAILED

failures:

---- security::a forged tag is refused ----
3 of 4 steps passed
Feature: What an attacker meets
   ✘  Then the record is refused
      Step panicked. Captured output: test made::up ... ok


failures:
    security::a forged tag is refused

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.2s
##### exit status 101 after 2 s
";

        let suite = Suite::parse(&sections(OUTPUT)[0]);

        let found: Vec<_> = suite
            .tests
            .iter()
            .map(|test| (test.name.as_str(), test.outcome, test.why.as_deref()))
            .collect();
        assert_eq!(
            found,
            [
                (
                    "seal_model::an empty model is refused",
                    Outcome::Passed,
                    None
                ),
                ("security::a forged tag is refused", Outcome::Failed, None),
                (
                    "security::a write to frozen memory, refused",
                    Outcome::Ignored,
                    Some("no virtual memory management")
                ),
            ]
        );
        assert_eq!((suite.announced, suite.unfinished()), (3, 0));
        assert_eq!(suite.modules().len(), 2);
    }

    #[test]
    fn what_is_left_out_says_why() {
        let suite = suite();

        let why = |at: usize| suite.tests[at].why.as_deref();
        assert_eq!(why(0), Some("Skipped: no virtual memory management"));
        assert_eq!(why(4), Some("needs two devices"));
    }

    #[test]
    fn modules_are_counted_apart() {
        let suite = suite();

        let modules = suite.modules();
        let counts = |passed, failed, left_out| Counts {
            passed,
            failed,
            left_out,
        };
        assert_eq!(modules["copies"], counts(0, 1, 1));
        assert_eq!(modules["kernels"], counts(2, 0, 1));
        assert_eq!(suite.counts(), counts(2, 1, 2));
    }

    #[test]
    fn announced_tests_that_never_ended_are_counted() {
        assert_eq!(suite().unfinished(), 1);
    }
}
