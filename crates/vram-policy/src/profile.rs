//! Profiles, and how each lets a check count.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::{self, UnknownName};

/// How strictly a policy judges. The order is from the most to the least demanding.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Profile {
    /// What an auditor wants: what breaks a guarantee refuses, and so does what could not be observed.
    /// Only good practice is left to warnings.
    #[default]
    Strict,
    /// For operation: what breaks the promise refuses; what needs the management library to be seen, and
    /// good practice, warn.
    Standard,
    /// For work on a developer's machine: memory that isn't the device's own still refuses, all else
    /// warns.
    Development,
}

impl Profile {
    /// Every profile, from the most to the least demanding.
    pub const ALL: &'static [Self] = &[Self::Strict, Self::Standard, Self::Development];

    /// The text form that JSON uses too, for example `strict`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Standard => "standard",
            Self::Development => "development",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        names::find("profile", text, Self::ALL, Self::as_str)
    }
}

/// How a check that does not pass counts. The order is from the mildest to the hardest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Enforcement {
    /// It is shown, and changes no verdict.
    Note,
    /// It is tolerated, and the verdict says so.
    Warn,
    /// It stands in the way of acceptance.
    Refuse,
}

impl Enforcement {
    /// Every enforcement, from the mildest to the hardest.
    pub const ALL: &'static [Self] = &[Self::Note, Self::Warn, Self::Refuse];

    /// The text form that JSON uses too, for example `refuse`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Refuse => "refuse",
        }
    }
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Enforcement {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        names::find("enforcement", text, Self::ALL, Self::as_str)
    }
}

/// How one check counts in one profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    /// When it was observed not to be as it should.
    pub(crate) failing: Enforcement,
    /// When it could not be observed.
    pub(crate) unknown: Enforcement,
}

impl Level {
    /// However it does not pass.
    pub(crate) const fn both(enforcement: Enforcement) -> Self {
        Self {
            failing: enforcement,
            unknown: enforcement,
        }
    }

    pub(crate) const fn new(failing: Enforcement, unknown: Enforcement) -> Self {
        Self { failing, unknown }
    }
}

/// How one check counts in each profile: part of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Levels {
    pub(crate) strict: Level,
    pub(crate) standard: Level,
    pub(crate) development: Level,
}

impl Levels {
    /// Without it there is no promise to speak of: no profile lets it pass.
    pub(crate) const ALWAYS: Self = Self {
        strict: Level::both(Enforcement::Refuse),
        standard: Level::both(Enforcement::Refuse),
        development: Level::both(Enforcement::Refuse),
    };

    /// The promise breaks where it fails. In operation, what can't be observed is tolerated.
    pub(crate) const PROMISE: Self = Self {
        strict: Level::both(Enforcement::Refuse),
        standard: Level::new(Enforcement::Refuse, Enforcement::Warn),
        development: Level::both(Enforcement::Warn),
    };

    /// The promise holds without it, and an auditor wants it.
    pub(crate) const GUARD: Self = Self {
        strict: Level::both(Enforcement::Refuse),
        standard: Level::both(Enforcement::Warn),
        development: Level::both(Enforcement::Warn),
    };

    /// Good practice.
    pub(crate) const PRACTICE: Self = Self {
        strict: Level::both(Enforcement::Warn),
        standard: Level::both(Enforcement::Warn),
        development: Level::both(Enforcement::Warn),
    };

    /// Neither good nor bad, and worth knowing. Not to know it is worth a warning where all is to be known.
    pub(crate) const NOTED: Self = Self {
        strict: Level::new(Enforcement::Note, Enforcement::Warn),
        standard: Level::both(Enforcement::Note),
        development: Level::both(Enforcement::Note),
    };

    /// What claims to be protected more than most is to be so; most machines claim nothing.
    pub(crate) const CLAIM: Self = Self {
        strict: Level::new(Enforcement::Refuse, Enforcement::Warn),
        standard: Level::new(Enforcement::Warn, Enforcement::Note),
        development: Level::new(Enforcement::Warn, Enforcement::Note),
    };

    pub(crate) const fn of(&self, profile: Profile) -> Level {
        match profile {
            Profile::Strict => self.strict,
            Profile::Standard => self.standard,
            Profile::Development => self.development,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_read_the_same_in_text_and_in_json() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(*profile));
            assert_eq!(
                serde_json::to_string(profile).unwrap(),
                format!("\"{profile}\"")
            );
        }
        assert_eq!(Profile::default(), Profile::Strict);
        assert!("Strict".parse::<Profile>().is_err());
    }

    #[test]
    fn enforcements_read_the_same_in_text_and_in_json() {
        for enforcement in Enforcement::ALL {
            assert_eq!(enforcement.to_string().parse(), Ok(*enforcement));
            assert_eq!(
                serde_json::to_string(enforcement).unwrap(),
                format!("\"{enforcement}\"")
            );
        }
        assert!("ignore".parse::<Enforcement>().is_err());
    }

    #[test]
    fn refusing_is_harder_than_warning_and_warning_than_noting() {
        assert!(Enforcement::Refuse > Enforcement::Warn);
        assert!(Enforcement::Warn > Enforcement::Note);
    }
}
