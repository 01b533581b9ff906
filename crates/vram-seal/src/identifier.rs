//! Names of shards and workers: validated once, by types that can't hold a bad one.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The greatest length of an identifier, in bytes, which for these characters is the same in
/// characters.
const MAX_LEN: usize = 256;

/// What an identifier is made of, in words.
const ALLOWED: &str = "a-z A-Z 0-9 - _ . :";

macro_rules! identifier {
    ($(#[$attribute:meta])* $name:ident, $what:literal) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The greatest length, in characters.
            pub const MAX_LEN: usize = MAX_LEN;

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                check($what, &text)?;
                Ok(Self(text))
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                check($what, text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }
    };
}

identifier! {
    /// A shard's name: 1 to 256 characters of `a-z A-Z 0-9 - _ . :`, with no `..` anywhere and
    /// no `.` in front. It can be part of a file name, a log line or a metric without escaping.
    ///
    /// ```
    /// # use vram_seal::ShardId;
    /// let id: ShardId = "llama-3.1:8b_shard-0001".parse()?;
    /// assert_eq!(id.as_str(), "llama-3.1:8b_shard-0001");
    /// assert!("../etc/passwd".parse::<ShardId>().is_err());
    /// # Ok::<(), vram_seal::Error>(())
    /// ```
    ShardId, "the shard id"
}
identifier! {
    /// The name of the worker that seals: of the same characters as a [`ShardId`]. Each worker
    /// derives a key of its own.
    WorkerId, "the worker id"
}

fn check(what: &'static str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::TextEmpty {
            what,
            limit: MAX_LEN,
        });
    }
    if text.len() > MAX_LEN {
        return Err(Error::TextTooLong {
            what,
            found: text.len(),
            limit: MAX_LEN,
        });
    }
    let allowed = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | ':')
    };
    if let Some((position, character)) = text
        .char_indices()
        .find(|&(_, character)| !allowed(character))
    {
        return Err(Error::TextCharacter {
            what,
            character,
            position,
            allowed: ALLOWED,
        });
    }
    if let Some(position) = text.find("..") {
        return Err(Error::TextDotDot { what, position });
    }
    if text.starts_with('.') {
        return Err(Error::TextLeadingDot { what });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Error {
        let error = text.parse::<ShardId>().unwrap_err();
        // However it arrives, it is refused alike.
        assert_eq!(
            ShardId::try_from(text.to_owned()).unwrap_err().to_string(),
            error.to_string()
        );
        let json = serde_json::to_string(text).unwrap();
        assert!(serde_json::from_str::<ShardId>(&json).is_err());
        assert!(text.parse::<WorkerId>().is_err());
        error
    }

    /// Covers: IV-003.
    #[test]
    fn test_valid_shard_id_alphanumeric() {
        for text in [
            "a",
            "Z",
            "0",
            "shard42",
            "A-b_c.d:e",
            "-",
            "_",
            ":",
            "a.b.c",
            "a.",
        ] {
            let id: ShardId = text.parse().unwrap();
            assert_eq!(id.as_str(), text);
            assert_eq!(id.to_string(), text);
            assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
            assert_eq!(text.parse::<WorkerId>().unwrap().as_str(), text);
        }
        for text in [
            "a b",
            "a/b",
            "a\\b",
            "é",
            "a\u{202e}",
            "a%",
            "a;b",
            "a$b",
            "ａ",
        ] {
            assert!(
                matches!(refused(text), Error::TextCharacter { .. }),
                "{text:?}"
            );
        }
    }

    /// Covers: FN-4.2.
    #[test]
    fn a_shard_id_has_1_to_256_characters() {
        assert!(matches!(refused(""), Error::TextEmpty { limit: 256, .. }));
        assert!("x".repeat(256).parse::<ShardId>().is_ok());
        let error = refused(&"x".repeat(257));
        assert!(
            matches!(
                error,
                Error::TextTooLong {
                    found: 257,
                    limit: 256,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(ShardId::MAX_LEN, 256);
    }

    /// Covers: IV-005, VU-6.
    #[test]
    fn test_null_byte_injection_rejected() {
        for (text, at) in [
            ("\0", 0),
            ("shard\0", 5),
            ("shard\0.bin", 5),
            ("\0shard", 0),
        ] {
            let error = refused(text);
            assert!(
                matches!(error, Error::TextCharacter { character: '\0', position, .. }
                    if position == at),
                "{error}"
            );
            // The character is shown escaped, so that it can't act on a terminal or a log.
            assert!(error.to_string().contains(r"'\0'"), "{error}");
            assert!(!error.to_string().contains('\0'), "{error}");
        }
        for control in (0..=0x1f)
            .chain(0x7f..=0x9f)
            .map(|code| char::from_u32(code).unwrap())
        {
            let error = refused(&format!("a{control}b"));
            assert!(
                matches!(error, Error::TextCharacter { character, position: 1, .. }
                    if character == control)
            );
            assert!(!error.to_string().contains(control));
        }
    }

    /// Covers: VU-5.
    #[test]
    fn test_path_traversal_with_dotdot_rejected() {
        for (text, at) in [
            ("..", 0),
            ("a..b", 1),
            ("shard..", 5),
            ("a.b...", 3),
            ("...", 0),
        ] {
            let error = refused(text);
            assert!(
                matches!(error, Error::TextDotDot { position, .. } if position == at),
                "{error}"
            );
        }
        for text in [
            "../etc/passwd",
            "a/../b",
            "..\\b",
            "%2e%2e/",
            "/etc/passwd",
            "~root",
        ] {
            refused(text);
        }
    }

    /// Covers: IV-003.
    #[test]
    fn a_leading_dot_is_refused() {
        assert!(matches!(refused(".hidden"), Error::TextLeadingDot { .. }));
        assert!(matches!(refused("."), Error::TextLeadingDot { .. }));
    }

    #[test]
    fn an_error_names_the_kind_of_name() {
        let error = "".parse::<WorkerId>().unwrap_err().to_string();
        assert_eq!(error, "the worker id is empty: give 1 to 256 characters");
    }
}
