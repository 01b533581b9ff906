//! A model file's metadata, as far as it is worth keeping.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::ModelError;
use super::limits::{MAX_METADATA_KEPT, MAX_METADATA_TEXT};
use super::shown::shown;

/// Key-value pairs that a model file carries beside its tensors, in the order of their keys.
///
/// They are the file's own words, checked for size and not for truth. Texts may hold any character:
/// escape them before showing them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Metadata {
    entries: BTreeMap<String, MetadataValue>,
    #[serde(skip)]
    kept: u64,
}

/// One metadata value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MetadataValue {
    /// A text of at most [`MAX_METADATA_TEXT`] bytes.
    Text(String),
    /// A longer text, which was not kept.
    LongText {
        /// Its length in bytes.
        bytes: u64,
    },
    /// An unsigned integer of any width.
    Unsigned(u64),
    /// A signed integer of any width.
    Signed(i64),
    /// A floating-point number of either width.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// An array, whose elements were not kept.
    Array {
        /// GGUF's name for the type of its elements.
        element: &'static str,
        /// How many there are.
        len: u64,
    },
}

impl Metadata {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&MetadataValue> {
        self.entries.get(key)
    }

    /// The value of a key where it is a text that was kept.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(MetadataValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// All pairs, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &MetadataValue)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.as_str(), value))
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a pair, unless the key is there already or the whole grows past its limit.
    pub(super) fn insert(&mut self, key: String, value: MetadataValue) -> Result<(), ModelError> {
        if self.entries.contains_key(&key) {
            return Err(ModelError::DuplicateName {
                what: "metadata key",
                name: shown(&key),
            });
        }
        let text = match &value {
            MetadataValue::Text(text) => text.len(),
            _ => 0,
        };
        let bytes = u64::try_from(key.len().saturating_add(text)).unwrap_or(u64::MAX);
        let kept = self.kept.saturating_add(bytes);
        if kept > MAX_METADATA_KEPT {
            return Err(ModelError::TooLong {
                what: "metadata (keys and texts)".to_owned(),
                len: kept,
                limit: MAX_METADATA_KEPT,
            });
        }
        self.kept = kept;
        self.entries.insert(key, value);
        Ok(())
    }
}

impl MetadataValue {
    /// A text, kept where it is short enough.
    pub(super) fn text(text: String) -> Self {
        match u64::try_from(text.len()) {
            Ok(bytes) if bytes <= MAX_METADATA_TEXT => Self::Text(text),
            Ok(bytes) => Self::LongText { bytes },
            Err(_) => Self::LongText { bytes: u64::MAX },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_up_to_the_limit_are_kept_and_longer_ones_are_measured() {
        let limit = usize::try_from(MAX_METADATA_TEXT).unwrap();

        let kept = MetadataValue::text("x".repeat(limit));
        let measured = MetadataValue::text("x".repeat(limit + 1));

        assert!(matches!(kept, MetadataValue::Text(_)));
        assert_eq!(
            measured,
            MetadataValue::LongText {
                bytes: MAX_METADATA_TEXT + 1
            }
        );
    }

    #[test]
    fn keys_and_texts_are_kept_up_to_the_limit() {
        let limit = usize::try_from(MAX_METADATA_KEPT).unwrap();
        let text = |len| MetadataValue::Text("x".repeat(len));
        let mut metadata = Metadata::default();
        assert!(metadata.is_empty());

        metadata.insert("key".to_owned(), text(limit - 3)).unwrap();
        assert!(!metadata.is_empty());
        let refused = metadata.insert("k".to_owned(), text(0)).unwrap_err();
        assert!(matches!(refused, ModelError::TooLong { .. }), "{refused}");
        assert_eq!(metadata.len(), 1);
    }

    #[test]
    fn a_key_that_comes_twice_is_refused() {
        let mut metadata = Metadata::default();
        metadata
            .insert("a".to_owned(), MetadataValue::Bool(true))
            .unwrap();

        let refused = metadata.insert("a".to_owned(), MetadataValue::Bool(false));

        assert!(matches!(refused, Err(ModelError::DuplicateName { .. })));
        assert_eq!(metadata.get("a"), Some(&MetadataValue::Bool(true)));
    }

    #[test]
    fn metadata_does_not_grow_past_its_limit() {
        let mut metadata = Metadata::default();
        let text = "x".repeat(usize::try_from(MAX_METADATA_TEXT).unwrap());
        let refused = (0..).find_map(|n| {
            metadata
                .insert(format!("{n:04}"), MetadataValue::text(text.clone()))
                .err()
        });

        assert!(matches!(
            refused,
            Some(ModelError::TooLong {
                limit: MAX_METADATA_KEPT,
                ..
            })
        ));
        assert_eq!(metadata.len(), 255);
    }
}
