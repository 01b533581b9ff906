//! Conditions on variables of the environment.

use crate::clause::{Clause, shown};
use crate::facts::{EnvironmentVariable, HostFacts};

/// A clause that wants none of the named variables to be set so that it `counts`, and shows those that are.
pub(super) fn none_of(
    facts: &HostFacts,
    names: &[&str],
    counts: impl Fn(&str, &str) -> bool,
) -> Clause {
    let counting = |variable: &&EnvironmentVariable| {
        names.contains(&&*variable.name) && counts(&variable.name, &variable.value)
    };
    let set: Option<Vec<&EnvironmentVariable>> = facts
        .environment
        .as_ref()
        .map(|all| all.iter().filter(counting).collect());
    Clause::that(
        "environment",
        set,
        format!("without {}", names.join(" ")),
        |set| set.is_empty(),
        |set| match &set[..] {
            [] => "without them".to_owned(),
            set => {
                let each: Vec<String> = set
                    .iter()
                    .map(|variable| format!("{}={}", variable.name, shown(&variable.value)))
                    .collect();
                format!("with {}", each.join(" "))
            }
        },
    )
}

/// Whether a variable that switches something on and off switches it on. What is neither empty nor a
/// usual word for "no" does.
pub(super) fn is_on(value: &str) -> bool {
    let value = value.trim();
    !(value.is_empty() || value == "0" || value.eq_ignore_ascii_case("false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_a_plain_no_switches_on() {
        for on in ["1", "2", "yes", "true", "TRUE", "on", "00", "-1", "no?"] {
            assert!(is_on(on), "{on}");
        }
        for off in ["", "0", " 0 ", "false", "False"] {
            assert!(!is_on(off), "{off}");
        }
    }
}
