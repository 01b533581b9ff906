//! Clauses: the single conditions that a check is made of, and how they add up.

use crate::finding::Status;

/// What a check asks of facts.
pub(crate) enum Conditions {
    /// All of these must hold.
    All(Vec<Clause>),
    /// The check has no meaning for the subject, for this reason.
    NotApplicable(&'static str),
}

impl From<Vec<Clause>> for Conditions {
    fn from(clauses: Vec<Clause>) -> Self {
        Self::All(clauses)
    }
}

impl From<Clause> for Conditions {
    fn from(clause: Clause) -> Self {
        Self::All(vec![clause])
    }
}

/// One condition on one observation.
pub(crate) struct Clause {
    /// The observation's name: a driver attribute, shortened to its telling part, or what stands for it.
    attribute: &'static str,
    /// What was seen, or why nothing was.
    observed: Result<Observation, String>,
    /// What must be seen.
    wanted: String,
}

/// What one attribute answered.
struct Observation {
    /// Whether it is what the clause wants.
    holds: bool,
    /// How to show it.
    shown: String,
}

impl Clause {
    /// An attribute that must be false: shown as the 0 or 1 that a driver answers.
    pub(crate) fn must_be_false(attribute: &'static str, value: Option<bool>) -> Self {
        Self::flag(attribute, value, false)
    }

    /// An attribute that must be true.
    pub(crate) fn must_be_true(attribute: &'static str, value: Option<bool>) -> Self {
        Self::flag(attribute, value, true)
    }

    fn flag(attribute: &'static str, value: Option<bool>, wanted: bool) -> Self {
        let digit = |flag: &bool| if *flag { "1" } else { "0" }.to_owned();
        Self::that(
            attribute,
            value,
            digit(&wanted),
            |seen| *seen == wanted,
            digit,
        )
    }

    /// An attribute that must equal a value.
    pub(crate) fn must_equal<T: PartialEq + ToString>(
        attribute: &'static str,
        value: Option<T>,
        wanted: &T,
    ) -> Self {
        let holds = |seen: &T| seen == wanted;
        Self::that(attribute, value, wanted.to_string(), holds, T::to_string)
    }

    /// A count that must be zero.
    pub(crate) fn must_be_zero(attribute: &'static str, value: Option<u64>) -> Self {
        Self::must_equal(attribute, value, &0)
    }

    /// An observation that must be such that `holds`.
    pub(crate) fn that<T>(
        attribute: &'static str,
        value: Option<T>,
        wanted: impl Into<String>,
        holds: impl FnOnce(&T) -> bool,
        shown: impl FnOnce(&T) -> String,
    ) -> Self {
        let observed = value.map(|seen| Observation {
            holds: holds(&seen),
            shown: shown(&seen),
        });
        Self {
            attribute,
            observed: observed.ok_or_else(|| "unknown".to_owned()),
            wanted: wanted.into(),
        }
    }

    /// What could not be observed, for a reason that is known.
    pub(crate) fn unobserved(
        attribute: &'static str,
        reason: &str,
        wanted: impl Into<String>,
    ) -> Self {
        Self {
            attribute,
            observed: Err(format!("unknown ({})", shown(reason))),
            wanted: wanted.into(),
        }
    }

    /// Whether it was observed.
    pub(crate) fn is_observed(&self) -> bool {
        self.observed.is_ok()
    }

    fn is_broken(&self) -> bool {
        self.observed.as_ref().is_ok_and(|seen| !seen.holds)
    }
}

/// Text that somebody else wrote, as it may stand in a report: on one line, without control characters, and
/// not for ever.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// What a check's clauses add up to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) status: Status,
    pub(crate) observed: String,
    pub(crate) expected: String,
}

impl Judgement {
    /// What the conditions come to.
    pub(crate) fn of(conditions: &Conditions) -> Self {
        match conditions {
            Conditions::All(clauses) => Self::all(clauses),
            Conditions::NotApplicable(why) => Self {
                status: Status::NotApplicable,
                observed: (*why).to_owned(),
                expected: "nothing here".to_owned(),
            },
        }
    }

    /// Every clause must hold. One that is seen not to hold fails the check whatever the others
    /// say; otherwise one that was not observed leaves it unknown. No clause at all is no
    /// observation, and so unknown too.
    fn all(clauses: &[Clause]) -> Self {
        let broken = clauses.iter().any(Clause::is_broken);
        let complete = !clauses.is_empty() && clauses.iter().all(Clause::is_observed);
        let status = match (broken, complete) {
            (true, _) => Status::Fail,
            (false, true) => Status::Pass,
            (false, false) => Status::Unknown,
        };
        let observed = join(clauses, |c| match &c.observed {
            Ok(seen) => &seen.shown,
            Err(unseen) => unseen,
        });
        let expected = join(clauses, |c| &c.wanted);
        Self {
            status,
            observed,
            expected,
        }
    }
}

fn join<'a>(clauses: &'a [Clause], shown: impl Fn(&'a Clause) -> &'a str) -> String {
    let parts: Vec<String> = clauses
        .iter()
        .map(|clause| format!("{} {}", clause.attribute, shown(clause)))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clauses(values: &[Option<bool>]) -> Vec<Clause> {
        values
            .iter()
            .map(|value| Clause::must_be_false("FLAG", *value))
            .collect()
    }

    fn status(values: &[Option<bool>]) -> Status {
        Judgement::all(&clauses(values)).status
    }

    #[test]
    fn passes_only_when_every_clause_was_observed_and_holds() {
        assert_eq!(status(&[Some(false), Some(false)]), Status::Pass);
    }

    #[test]
    fn one_missing_observation_leaves_it_unknown() {
        assert_eq!(status(&[Some(false), None]), Status::Unknown);
    }

    #[test]
    fn a_broken_clause_fails_even_beside_missing_ones() {
        assert_eq!(status(&[None, Some(true), None]), Status::Fail);
    }

    #[test]
    fn no_clause_is_no_observation() {
        assert_eq!(status(&[]), Status::Unknown);
    }

    #[test]
    fn shows_what_was_seen_and_what_was_wanted_in_the_same_words() {
        let judgement = Judgement::all(&[
            Clause::must_be_true("STARTS", Some(false)),
            Clause::must_equal("SIZE", Some(5_u64), &7),
            Clause::must_be_false("MANAGED", None),
        ]);

        assert_eq!(judgement.observed, "STARTS 0, SIZE 5, MANAGED unknown");
        assert_eq!(judgement.expected, "STARTS 1, SIZE 7, MANAGED 0");
    }

    #[test]
    fn what_others_wrote_is_shown_on_one_line_and_not_for_ever() {
        assert_eq!(shown("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(shown(&"é".repeat(200)), format!("{}…", "é".repeat(120)));
        assert_eq!(shown("/usr/lib/libä.so"), "/usr/lib/libä.so");
    }

    #[test]
    fn a_reason_for_not_knowing_is_told() {
        let clause = Clause::unobserved("NVML", "no such\tlibrary", "there");
        let judgement = Judgement::all(&[clause]);

        assert_eq!(judgement.status, Status::Unknown);
        assert_eq!(judgement.observed, "NVML unknown (no such\\tlibrary)");
    }

    #[test]
    fn what_does_not_apply_says_why() {
        let judgement = Judgement::of(&Conditions::NotApplicable("no such thing here"));

        assert_eq!(judgement.status, Status::NotApplicable);
        assert_eq!(judgement.observed, "no such thing here");
    }
}
