//! What model a shard belongs to, in the caller's words.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

const WHAT: &str = "the model reference";

/// A reference to a model: a name, a path or a URL, 1 to 1024 bytes of UTF-8 without control
/// characters. It is recorded and signed as it stands; nothing here follows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelRef(String);

impl ModelRef {
    /// The greatest length, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// The reference as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ModelRef {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::TextEmpty {
                what: WHAT,
                limit: Self::MAX_LEN,
            });
        }
        if text.len() > Self::MAX_LEN {
            let found = text.len();
            return Err(Error::TextTooLong {
                what: WHAT,
                found,
                limit: Self::MAX_LEN,
            });
        }
        match text
            .char_indices()
            .find(|&(_, character)| misleads(character))
        {
            None => Ok(Self(text)),
            Some((position, character)) => Err(Error::TextCharacter {
                what: WHAT,
                character,
                position,
                allowed: "characters that print where they stand, no control characters",
            }),
        }
    }
}

/// Control characters, and those that break or reorder the line they are printed in.
pub(crate) fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

impl FromStr for ModelRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::try_from(text.to_owned())
    }
}

impl From<ModelRef> for String {
    fn from(reference: ModelRef) -> Self {
        reference.0
    }
}

impl AsRef<str> for ModelRef {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_paths_and_urls_are_taken_as_they_are() {
        for text in [
            "llama",
            "/models/a b.gguf",
            "https://example.org/m?x=1#y",
            "模型 v1",
            "../m",
        ] {
            let model: ModelRef = text.parse().unwrap();
            assert_eq!((model.as_str(), model.to_string()), (text, text.to_owned()));
            assert_eq!(AsRef::<str>::as_ref(&model), text);
        }
    }

    /// Covers: IV-005.
    #[test]
    fn control_and_reordering_characters_are_refused() {
        for bad in [
            '\0', '\n', '\r', '\t', '\x1b', '\x7f', '\u{85}', '\u{202e}', '\u{2028}', '\u{2066}',
            '\u{feff}', '\u{200f}', '\u{61c}',
        ] {
            let error = format!("é{bad}").parse::<ModelRef>().unwrap_err();
            assert!(
                matches!(error, Error::TextCharacter { character, position: 2, .. }
                    if character == bad),
                "{error}"
            );
            assert!(!error.to_string().contains(bad));
        }
    }

    #[test]
    fn the_length_is_limited_in_bytes() {
        assert!(matches!(
            "".parse::<ModelRef>(),
            Err(Error::TextEmpty { limit: 1024, .. })
        ));
        assert!("x".repeat(1024).parse::<ModelRef>().is_ok());
        let error = "é".repeat(513).parse::<ModelRef>().unwrap_err();
        assert!(
            matches!(
                error,
                Error::TextTooLong {
                    found: 1026,
                    limit: 1024,
                    ..
                }
            ),
            "{error}"
        );
    }

    /// Covers: VU-6.
    #[test]
    fn json_is_checked_too() {
        assert!(serde_json::from_str::<ModelRef>("\"a\\u0000\"").is_err());
        assert_eq!(
            serde_json::from_str::<ModelRef>("\"a\"").unwrap().as_str(),
            "a"
        );
    }
}
