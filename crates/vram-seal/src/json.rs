//! Reading JSON from outside: within limits, and with no name twice in one object.
//!
//! A reader that takes the last of two members of one name, and one that takes the first, read two documents out of one
//! signature. `serde` refuses this for the members it knows; here it is refused for all of them.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use thiserror::Error as ThisError;

/// How much JSON is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The greatest length in bytes.
    pub bytes: usize,
    /// How deep objects and arrays may lie in each other.
    pub depth: u32,
    /// How many values there may be in all, counting objects, arrays and what is in them.
    pub values: u32,
}

/// Why JSON is refused.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum JsonRefusal {
    /// It is too long to be looked at.
    #[error("it is {found} bytes long, the limit is {limit}")]
    TooLong {
        /// Its length in bytes.
        found: usize,
        /// The greatest length read, in bytes.
        limit: usize,
    },
    /// It is not JSON, or not JSON of the expected form. This covers a name that comes twice, depth, the number of
    /// values, and bytes after the end.
    #[error("{what}")]
    Form {
        /// What is wrong and where, shortened where it quotes more of the document than a reader wants.
        what: String,
    },
}

/// The most that is said of a document that is refused, in bytes.
const MAX_SAID: usize = 512;

/// Nothing is said of the document beside this: the error of `serde_json` quotes names and texts whole, however long.
impl From<serde_json::Error> for JsonRefusal {
    fn from(error: serde_json::Error) -> Self {
        let mut what = error.to_string();
        if what.len() > MAX_SAID {
            what.truncate(what.floor_char_boundary(MAX_SAID));
            what = format!(
                "{what} […] at line {} column {}",
                error.line(),
                error.column()
            );
        }
        Self::Form { what }
    }
}

/// Reads a whole document.
///
/// ```
/// use vram_seal::json::{Limits, read};
///
/// let limits = Limits { bytes: 64, depth: 4, values: 16 };
/// assert_eq!(read::<Vec<u8>>(b"[1, 2]", limits)?, [1, 2]);
/// assert!(read::<serde_json::Value>(br#"{"a":1,"a":2}"#, limits).is_err());
/// # Ok::<(), vram_seal::JsonRefusal>(())
/// ```
///
/// # Errors
/// [`JsonRefusal`] for a document over the limits, with a name twice in one object, with bytes after its end, or not of
/// the form of `T`.
pub fn read<'d, T: Deserialize<'d>>(document: &'d [u8], limits: Limits) -> Result<T, JsonRefusal> {
    let found = document.len();
    if found > limits.bytes {
        return Err(JsonRefusal::TooLong {
            found,
            limit: limits.bytes,
        });
    }
    let mut values = limits.values;
    let mut walk = serde_json::Deserializer::from_slice(document);
    Walk {
        depth: limits.depth,
        limits,
        values: &mut values,
    }
    .deserialize(&mut walk)?;
    walk.end()?;
    Ok(serde_json::from_slice(document)?)
}

/// Looks at every value of a document, and keeps none.
struct Walk<'v> {
    /// How many levels may still be entered.
    depth: u32,
    limits: Limits,
    /// How many values may still come.
    values: &'v mut u32,
}

impl Walk<'_> {
    fn enter<E: de::Error>(&mut self) -> Result<Walk<'_>, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| {
            E::custom(format_args!(
                "it is nested deeper than the limit of {}",
                self.limits.depth
            ))
        })?;
        Ok(Walk {
            depth,
            limits: self.limits,
            values: self.values,
        })
    }

    fn count<E: de::Error>(&mut self) -> Result<(), E> {
        *self.values = self.values.checked_sub(1).ok_or_else(|| {
            E::custom(format_args!(
                "it holds more values than the limit of {}",
                self.limits.values
            ))
        })?;
        Ok(())
    }
}

impl<'d> DeserializeSeed<'d> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'d>>(mut self, deserializer: D) -> Result<(), D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'d> Visitor<'d> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'d>>(mut self, mut array: A) -> Result<(), A::Error> {
        while array.next_element_seed(self.enter()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'d>>(mut self, mut object: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = object.next_key::<String>()? {
            object.next_value_seed(self.enter()?)?;
            if let Some(twice) = names.replace(name) {
                let shown: String = twice.chars().take(64).collect();
                return Err(de::Error::custom(format_args!(
                    "an object holds the name {shown:?} twice"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_refusal_does_not_repeat_the_document() {
        let long = format!("\"{}\"", "é\\f".repeat(10_000));
        let limits = Limits {
            bytes: 1 << 20,
            depth: 4,
            values: 16,
        };

        let refused = read::<u8>(long.as_bytes(), limits).unwrap_err();

        let said = refused.to_string();
        assert!(said.len() < 600, "{} bytes", said.len());
        assert!(said.ends_with("[…] at line 1 column 40002"), "{said}");
        assert!(std::error::Error::source(&refused).is_none());
    }

    const LIMITS: Limits = Limits {
        bytes: 64,
        depth: 3,
        values: 6,
    };

    #[test]
    fn what_is_as_long_as_may_be_is_said_whole() {
        let said = |len: usize| {
            let error = <serde_json::Error as de::Error>::custom("x".repeat(len));
            JsonRefusal::from(error).to_string()
        };
        assert_eq!(said(MAX_SAID), "x".repeat(MAX_SAID));
        let shortened = said(MAX_SAID + 1);
        assert_eq!(
            shortened,
            format!("{} […] at line 0 column 0", "x".repeat(MAX_SAID))
        );
    }

    fn refusal(document: &str) -> String {
        read::<Value>(document.as_bytes(), LIMITS)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn json_within_the_limits_is_read() {
        for document in [
            "{}",
            " [1, -2, 3.5, null]\n",
            r#"{"a":{"b":[true]},"c":"d"}"#,
            r#""text""#,
        ] {
            assert_eq!(
                read::<Value>(document.as_bytes(), LIMITS).unwrap(),
                serde_json::from_str::<Value>(document).unwrap()
            );
        }
    }

    /// Covers: HI-3.
    #[test]
    fn a_name_that_comes_twice_is_refused_at_every_level_and_however_it_is_written() {
        for document in [
            r#"{"a":1,"a":1}"#,
            r#"[{"b":{"a":1,"a":2}}]"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            assert!(refusal(document).contains("\"a\" twice"), "{document}");
        }
        assert!(read::<Value>(br#"[{"a":1},{"a":1}]"#, LIMITS).is_ok());
    }

    #[test]
    fn length_depth_and_number_of_values_are_limited() {
        assert!(read::<Value>(format!("\"{}\"", "x".repeat(62)).as_bytes(), LIMITS).is_ok());
        assert_eq!(
            refusal(&format!("\"{}\"", "x".repeat(63))),
            "it is 65 bytes long, the limit is 64"
        );
        assert!(read::<Value>(b"[[[1]]]", LIMITS).is_ok());
        assert!(refusal("[[[[1]]]]").contains("deeper than the limit of 3"));
        assert!(read::<Value>(b"[1,2,3,4,5]", LIMITS).is_ok());
        assert!(refusal("[1,2,3,4,5,6]").contains("more values than the limit of 6"));
        assert!(refusal(&"[".repeat(60)).contains("deeper"));
    }

    #[test]
    fn what_follows_the_end_is_refused() {
        for document in ["{} {}", "{}x", "1 2", "{},"] {
            assert!(refusal(document).contains("trailing"), "{document}");
        }
        for document in ["", "{", "{\"a\":}", "nul", "\u{feff}{}"] {
            assert!(read::<Value>(document.as_bytes(), LIMITS).is_err());
        }
        assert!(read::<Value>(b"\"\xff\"", LIMITS).is_err());
    }
}
