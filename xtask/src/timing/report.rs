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

/// What has to be measured, as the benchmark `comparison` names it: no more and no less.
const SUBJECTS: [&str; 9] = [
    "control-stops-at-the-first-difference",
    "control-looks-at-nothing",
    "digest-equal",
    "verity-digest-equal",
    "seal-tag-equal",
    "digest-almost-equal",
    "verity-digest-almost-equal",
    "seal-tag-almost-equal",
    "verify-tag-almost-equal",
];

/// Fewer measurements of a subject than these judge nothing.
pub(super) const FEWEST: u32 = 50_000;

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
        self.is_measured_enough()
            && self.verdict == self.control.map_or(Verdict::Nothing, Control::expects)
    }

    fn is_measured_enough(&self) -> bool {
        u64::try_from(self.measurements).is_ok_and(|count| count >= u64::from(FEWEST))
    }

    fn line(&self) -> String {
        let found = match self.verdict {
            Verdict::Nothing => "no leak found",
            Verdict::Unclear => "unclear",
            Verdict::Leaks => "LEAKS",
        };
        let expected = match (self.control, self.is_good()) {
            _ if !self.is_measured_enough() => ", TOO FEW MEASUREMENTS",
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
    /// What is not as it has to be, beside the verdicts: subjects that are missing, unknown, or there twice.
    incomplete: Vec<String>,
    #[serde(skip)]
    pub(super) passed: bool,
}

#[derive(Debug, Serialize)]
struct Thresholds {
    nothing_below: f64,
    leak_from: f64,
}

impl Report {
    pub(super) fn new(subjects: Vec<Subject>) -> Self {
        let incomplete = incomplete(&subjects);
        Self {
            method: "dudect: fixed against random values, Welch's t-test, cropped and of second order",
            thresholds: Thresholds {
                nothing_below: NOTHING_BELOW,
                leak_from: LEAK_FROM,
            },
            architecture: std::env::consts::ARCH,
            operating_system: std::env::consts::OS,
            passed: incomplete.is_empty() && subjects.iter().all(Subject::is_good),
            subjects,
            incomplete,
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
        } else if !self.incomplete.is_empty() {
            format!("nothing can be said: {}", self.incomplete.join(", "))
        } else {
            format!("not as they have to be: {}", bad.join(", "))
        }
    }
}

/// What is missing, unknown, or there twice.
fn incomplete(subjects: &[Subject]) -> Vec<String> {
    let count = |name: &str| {
        let named = subjects.iter().filter(|subject| subject.name == name);
        named.count()
    };
    let expected = SUBJECTS.iter().filter_map(|name| match count(name) {
        0 => Some(format!("{name} was not measured")),
        1 => None,
        _ => Some(format!("{name} is there more than once")),
    });
    let unknown = subjects
        .iter()
        .filter(|subject| !SUBJECTS.contains(&&*subject.name))
        .map(|subject| format!("{} is not known", subject.name));
    expected.chain(unknown).collect()
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
        Subject::new(&timed, 50_000, judged)
    }

    /// Every subject, found to be as it has to be.
    fn all() -> Vec<Subject> {
        let found = |name: &&str| {
            let verdict = Control::of(name).map_or(Verdict::Nothing, Control::expects);
            subject(name, verdict)
        };
        SUBJECTS.iter().map(found).collect()
    }

    /// Every subject, with this one found to be so.
    fn all_but(name: &str, verdict: Verdict) -> Vec<Subject> {
        let mut subjects = all();
        subjects.retain(|subject| subject.name != name);
        subjects.push(subject(name, verdict));
        subjects
    }

    #[test]
    fn it_passes_where_the_controls_are_told_apart_and_nothing_leaks() {
        let report = Report::new(all());

        assert!(report.passed, "{}", report.text());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["subjects"][2]["verdict"], "nothing");
        assert_eq!(json["subjects"][2]["difference_nanos"], 0.1);
        assert_eq!(json["subjects"][2]["detectable_nanos"], 0.1);
    }

    /// Covers: CI-003.
    #[test]
    fn it_fails_where_something_leaks_or_is_unclear() {
        for verdict in [Verdict::Leaks, Verdict::Unclear] {
            let report = Report::new(all_but("digest-equal", verdict));

            assert!(!report.passed);
            assert!(report.conclusion().contains("digest-equal"));
        }
    }

    #[test]
    fn it_fails_where_a_control_is_judged_wrongly() {
        for (name, verdict) in [
            ("control-stops-at-the-first-difference", Verdict::Nothing),
            ("control-looks-at-nothing", Verdict::Leaks),
        ] {
            let report = Report::new(all_but(name, verdict));
            assert!(!report.passed);
            assert!(report.text().contains("can't tell"), "{}", report.text());
        }
    }

    #[test]
    fn it_fails_where_a_subject_is_missing_there_twice_or_not_known() {
        for name in SUBJECTS {
            let mut subjects = all();
            subjects.retain(|subject| subject.name != name);
            let report = Report::new(subjects);
            assert!(!report.passed, "{name} is missing");
            assert!(report.conclusion().contains(name));

            let verdict = Control::of(name).map_or(Verdict::Nothing, Control::expects);
            let mut subjects = all();
            subjects.push(subject(name, verdict));
            assert!(!Report::new(subjects).passed, "{name} is there twice");
        }
        let mut subjects = all();
        subjects.push(subject("another", Verdict::Nothing));
        assert!(!Report::new(subjects).passed);
    }

    #[test]
    fn the_controls_alone_say_nothing() {
        let mut subjects = all();
        subjects.retain(|subject| subject.control.is_some());

        let report = Report::new(subjects);

        assert!(!report.passed, "{}", report.text());
    }

    #[test]
    fn it_fails_where_a_subject_was_measured_too_few_times() {
        for at in 0..SUBJECTS.len() {
            let mut subjects = all();
            subjects[at].measurements = 49_999;

            let report = Report::new(subjects);

            assert!(!report.passed, "{}", report.text());
            assert!(report.text().contains("TOO FEW"), "{}", report.text());
        }
    }

    /// A comparison that is added there is to be judged here.
    ///
    /// Covers: CI-003.
    #[test]
    fn the_benchmark_names_every_subject() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let source = root.join("crates/vram-seal/benches/comparison.rs");
        let source = std::fs::read_to_string(source).unwrap();
        for name in SUBJECTS {
            let stem = name
                .trim_end_matches("-almost-equal")
                .trim_end_matches("-equal");
            let forms = [format!("\"{name}\""), format!("\"{stem}-{{suffix}}\"")];
            assert!(forms.iter().any(|form| source.contains(form)), "{name}");
        }
    }
}
