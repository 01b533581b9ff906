//! What became of the breaks.

use serde::Serialize;

/// A break, and whether it was noticed.
#[derive(Debug, Serialize)]
pub(super) struct Broken {
    pub(super) row: String,
    pub(super) what: String,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
    pub(super) seconds: f64,
}

#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// These tests failed, as they must.
    Red { tests: Vec<String> },
    /// So many tests passed over the broken code; others are red with nothing broken, and say nothing.
    Unnoticed { ran: usize, red_anyway: Vec<String> },
    /// The code has changed under it.
    DoesNotApply { why: String },
    /// The compiler refuses it, so it shows nothing of the tests.
    DoesNotBuild { why: String },
}

impl Broken {
    pub(super) fn line(&self) -> String {
        let Self { row, seconds, .. } = self;
        let outcome = match &self.outcome {
            Outcome::Red { tests } => format!("red: {}", tests.join(", ")),
            Outcome::Unnoticed { ran, red_anyway } if red_anyway.is_empty() => {
                format!("UNNOTICED by {ran} tests")
            }
            Outcome::Unnoticed { ran, red_anyway } => {
                let red = red_anyway.join(", ");
                format!("UNNOTICED by {ran} tests; red with nothing broken: {red}")
            }
            Outcome::DoesNotApply { why } => format!("DOES NOT APPLY: {why}"),
            Outcome::DoesNotBuild { why } => format!("DOES NOT BUILD: {why}"),
        };
        format!("{row}: {outcome} ({seconds:.0} s)")
    }

    const fn is_red(&self) -> bool {
        matches!(self.outcome, Outcome::Red { .. })
    }
}

/// All of them.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether every break was noticed.
    #[serde(skip)]
    pub(super) passed: bool,
    breaks: Vec<Broken>,
    /// Rows of the catalogue for which nothing is broken.
    without_break: Vec<String>,
}

impl Report {
    pub(super) const fn new(without_break: Vec<String>) -> Self {
        Self {
            passed: true,
            breaks: Vec::new(),
            without_break,
        }
    }

    pub(super) fn add(&mut self, broken: Broken) {
        self.passed &= broken.is_red();
        self.breaks.push(broken);
    }

    /// What a reader has to know of a report that passed.
    pub(super) fn reservations(&self) -> Vec<String> {
        let (broken, without) = (self.breaks.len(), self.without_break.len());
        let some = (without > 0).then(|| {
            let rows = broken.saturating_add(without);
            format!("{broken} of {rows} rows were broken, and of the others nothing is shown")
        });
        some.into_iter().collect()
    }

    pub(super) fn text(&self) -> String {
        let red = self.breaks.iter().filter(|broken| broken.is_red()).count();
        let mut text = format!("{red} of {} breaks turned a test red", self.breaks.len());
        if !self.without_break.is_empty() {
            text.push_str("; no break is planted for ");
            text.push_str(&self.without_break.join(", "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(outcome: Outcome) -> Broken {
        Broken {
            row: "FN-2.1".to_owned(),
            what: "something".to_owned(),
            outcome,
            seconds: 1.0,
        }
    }

    #[test]
    fn only_breaks_that_turn_a_test_red_pass() {
        let tests = vec!["a b".to_owned()];
        for (outcome, passes) in [
            (Outcome::Red { tests }, true),
            (
                Outcome::Unnoticed {
                    ran: 3,
                    red_anyway: vec!["c d".to_owned()],
                },
                false,
            ),
            (Outcome::DoesNotApply { why: String::new() }, false),
            (Outcome::DoesNotBuild { why: String::new() }, false),
        ] {
            let mut report = Report::new(Vec::new());
            report.add(broken(outcome));
            assert_eq!(report.passed, passes, "{report:?}");
        }
    }
}
