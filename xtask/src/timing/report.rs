//! What was found, for people and for programs.

use serde::Serialize;

use super::samples::Timed;
use super::statistics::{Judged, LEAK_FROM, NOTHING_BELOW, Tested, Verdict};

/// What a control must be found to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Control {
    Leaks,
    Nothing,
}

impl Control {
    fn of(name: &str) -> Option<Self> {
        match name {
            "control-stops-at-the-first-difference" => Some(Self::Leaks),
            "control-looks-at-nothing" => Some(Self::Nothing),
            _ => None,
        }
    }

    const fn expects(self) -> Verdict {
        match self {
            Self::Leaks => Verdict::Leaks,
            Self::Nothing => Verdict::Nothing,
        }
    }
}

/// What was found of one subject.
#[derive(Debug, Serialize)]
pub(super) struct Subject {
    pub(super) name: String,
    /// What it must be found to do, if it is a control.
    control: Option<Control>,
    pub(super) verdict: Verdict,
    measurements: usize,
    calls_per_measurement: u32,
    pub(super) rounds: u32,
    tests: usize,
    pub(super) greatest: Tested,
    /// Of one call: the fixed class less the random one, without the slowest twentieth.
    difference_nanos: f64,
    /// The smallest difference of one call that would have been called a leak in these measurements.
    detectable_nanos: f64,
}

impl Subject {
    pub(super) fn new(timed: &Timed, measurements: usize, judged: Judged) -> Self {
        let calls = f64::from(timed.calls);
        Self {
            name: timed.name.clone(),
            control: Control::of(&timed.name),
            verdict: judged.verdict,
            measurements,
            calls_per_measurement: timed.calls,
            rounds: 1,
            tests: judged.tests,
            greatest: judged.greatest,
            difference_nanos: judged.difference / calls,
            detectable_nanos: LEAK_FROM * judged.standard_error / calls,
        }
    }

    /// Whether it is as it has to be.
    fn is_good(&self) -> bool {
        self.verdict == self.control.map_or(Verdict::Nothing, Control::expects)
    }

    fn line(&self) -> String {
        let found = match self.verdict {
            Verdict::Nothing => "no leak found",
            Verdict::Unclear => "unclear",
            Verdict::Leaks => "LEAKS",
        };
        let expected = match (self.control, self.is_good()) {
            (Some(_), true) => ", as it has to",
            (Some(_), false) => ", WRONGLY: this machine can't tell now",
            (None, _) => "",
        };
        format!(
            "{:<38} t = {:>9.2}  {:>8.4} ns of what {:.4} ns would show  {found}{expected}",
            self.name, self.greatest.t, self.difference_nanos, self.detectable_nanos
        )
    }
}

/// What was found of all.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    method: &'static str,
    thresholds: Thresholds,
    architecture: &'static str,
    operating_system: &'static str,
    subjects: Vec<Subject>,
    pub(super) passed: bool,
}

#[derive(Debug, Serialize)]
struct Thresholds {
    nothing_below: f64,
    leak_from: f64,
}

impl Report {
    pub(super) fn new(subjects: Vec<Subject>) -> Self {
        let controls = [Control::Leaks, Control::Nothing];
        let controlled = controls.iter().all(|control| {
            let mut found = subjects.iter().filter_map(|subject| subject.control);
            found.any(|found| found == *control)
        });
        Self {
            method: "dudect: fixed against random values, Welch's t-test, cropped and of second order",
            thresholds: Thresholds {
                nothing_below: NOTHING_BELOW,
                leak_from: LEAK_FROM,
            },
            architecture: std::env::consts::ARCH,
            operating_system: std::env::consts::OS,
            passed: controlled && subjects.iter().all(Subject::is_good),
            subjects,
        }
    }

    pub(super) fn text(&self) -> String {
        let lines: Vec<_> = self.subjects.iter().map(Subject::line).collect();
        format!("{}\n{}", lines.join("\n"), self.conclusion())
    }

    pub(super) fn conclusion(&self) -> String {
        let bad = self.subjects.iter().filter(|subject| !subject.is_good());
        let bad: Vec<_> = bad.map(|subject| subject.name.as_str()).collect();
        if self.passed {
            "no comparison takes a time that says where values differ".to_owned()
        } else if bad.is_empty() {
            "a control was not measured: nothing can be said".to_owned()
        } else {
            format!("not as they have to be: {}", bad.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::statistics::Over;
    use super::*;

    fn subject(name: &str, verdict: Verdict) -> Subject {
        let timed = Timed {
            name: name.to_owned(),
            calls: 16,
        };
        let greatest = Tested {
            over: Over::All,
            t: 1.0,
        };
        let judged = Judged {
            verdict,
            greatest,
            tests: 1,
            difference: 1.6,
            standard_error: 0.16,
        };
        Subject::new(&timed, 1000, judged)
    }

    fn controls() -> Vec<Subject> {
        vec![
            subject("control-stops-at-the-first-difference", Verdict::Leaks),
            subject("control-looks-at-nothing", Verdict::Nothing),
        ]
    }

    #[test]
    fn it_passes_where_the_controls_are_told_apart_and_nothing_leaks() {
        let mut subjects = controls();
        subjects.push(subject("digest-equal", Verdict::Nothing));

        let report = Report::new(subjects);

        assert!(report.passed, "{}", report.text());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["subjects"][2]["verdict"], "nothing");
        assert_eq!(json["subjects"][2]["difference_nanos"], 0.1);
        assert_eq!(json["subjects"][2]["detectable_nanos"], 0.1);
    }

    #[test]
    fn it_fails_where_something_leaks_or_is_unclear() {
        for verdict in [Verdict::Leaks, Verdict::Unclear] {
            let mut subjects = controls();
            subjects.push(subject("digest-equal", verdict));

            let report = Report::new(subjects);

            assert!(!report.passed);
            assert!(report.conclusion().contains("digest-equal"));
        }
    }

    #[test]
    fn it_fails_where_a_control_is_judged_wrongly_or_missing() {
        for (name, verdict) in [
            ("control-stops-at-the-first-difference", Verdict::Nothing),
            ("control-looks-at-nothing", Verdict::Leaks),
        ] {
            let mut subjects = controls();
            subjects.retain(|subject| subject.name != name);
            assert!(!Report::new(subjects).passed, "{name} is missing");

            let mut subjects = controls();
            subjects.retain(|subject| subject.name != name);
            subjects.push(subject(name, verdict));
            let report = Report::new(subjects);
            assert!(!report.passed);
            assert!(report.text().contains("can't tell"), "{}", report.text());
        }
    }
}
