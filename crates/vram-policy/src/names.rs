//! Names that are read from text: of checks, of profiles, of enforcements.

/// A text that names nothing: it is refused rather than guessed at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {kind} is called {name:?}; there is {known}")]
#[non_exhaustive]
pub struct UnknownName {
    /// What was to be named: a check, a profile, an enforcement.
    pub kind: &'static str,
    /// The text.
    pub name: String,
    /// The names that there are.
    pub known: String,
}

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
        name: name.to_owned(),
        known: all
            .iter()
            .map(|one| called(*one))
            .collect::<Vec<_>>()
            .join(", "),
    })
}
