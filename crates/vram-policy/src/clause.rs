//! Clauses: the single conditions that a check is made of, and how they add up.

use crate::finding::Status;

/// One condition on one observation.
pub(crate) struct Clause {
    /// The driver attribute, shortened to its telling part.
    pub(crate) attribute: &'static str,
    /// What was seen, or `None` where the driver could not say.
    pub(crate) observed: Option<Observation>,
    /// What must be seen.
    pub(crate) wanted: String,
}

/// What one attribute answered.
pub(crate) struct Observation {
    /// Whether it is what the clause wants.
    pub(crate) holds: bool,
    /// How to show it.
    pub(crate) shown: String,
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
        let digit = |flag: bool| if flag { "1" } else { "0" }.to_owned();
        let observed = value.map(|seen| Observation {
            holds: seen == wanted,
            shown: digit(seen),
        });
        Self {
            attribute,
            observed,
            wanted: digit(wanted),
        }
    }

    /// An attribute that must equal a value.
    pub(crate) fn must_equal<T: PartialEq + ToString>(
        attribute: &'static str,
        value: Option<T>,
        wanted: &T,
    ) -> Self {
        let observed = value.map(|seen| Observation {
            holds: seen == *wanted,
            shown: seen.to_string(),
        });
        Self {
            attribute,
            observed,
            wanted: wanted.to_string(),
        }
    }
}

/// What a check's clauses add up to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) status: Status,
    pub(crate) observed: String,
    pub(crate) expected: String,
}

impl Judgement {
    /// Every clause must hold. One that is seen not to hold fails the check whatever the others
    /// say; otherwise one that was not observed leaves it unknown. No clause at all is no
    /// observation, and so unknown too.
    pub(crate) fn all(clauses: &[Clause]) -> Self {
        let broken = clauses
            .iter()
            .any(|c| c.observed.as_ref().is_some_and(|seen| !seen.holds));
        let complete = !clauses.is_empty() && clauses.iter().all(|c| c.observed.is_some());
        let status = match (broken, complete) {
            (true, _) => Status::Fail,
            (false, true) => Status::Pass,
            (false, false) => Status::Unknown,
        };
        let observed = join(clauses, |c| match &c.observed {
            Some(seen) => &seen.shown,
            None => "unknown",
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
}
