//! Names that are read from text: of checks, of profiles, of enforcements.

/// A text that names nothing: it is refused rather than guessed at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {kind} is called {name:?}; there is {known}")]
#[non_exhaustive]
pub struct UnknownName {
    /// What was to be named: a check, a profile, an enforcement.
    pub kind: &'static str,
    /// The text: its first 64 characters, where it is longer.
    pub name: String,
    /// The names that there are.
    pub known: String,
}

/// The most characters that are shown of a text that names nothing. No name is as long.
const MAX_SHOWN: usize = 64;

/// The one of `all` that is called `name`.
pub(crate) fn find<T: Copy>(
    kind: &'static str,
    name: &str,
    all: &[T],
    called: impl Fn(T) -> &'static str,
) -> Result<T, UnknownName> {
    let found = all.iter().copied().find(|one| called(*one) == name);
    found.ok_or_else(|| UnknownName {
        kind,
        name: name.chars().take(MAX_SHOWN).collect(),
        known: all
            .iter()
            .map(|one| called(*one))
            .collect::<Vec<_>>()
            .join(", "),
    })
}

#[cfg(test)]
mod tests {
    use crate::{CheckId, Enforcement, Profile};

    #[test]
    fn a_refusal_does_not_repeat_a_long_text() {
        let long = "\0".repeat(10_000);
        for refused in [
            long.parse::<CheckId>().unwrap_err(),
            long.parse::<Profile>().unwrap_err(),
            long.parse::<Enforcement>().unwrap_err(),
        ] {
            assert_eq!(refused.name, "\0".repeat(super::MAX_SHOWN));
            assert!(refused.to_string().len() < 2048, "{refused}");
        }
    }

    #[test]
    fn every_name_is_shorter_than_what_is_shown_of_a_refused_one() {
        let names = CheckId::ALL.iter().map(|id| id.as_str());
        for name in names {
            assert!(name.len() < super::MAX_SHOWN, "{name}");
        }
    }
}
