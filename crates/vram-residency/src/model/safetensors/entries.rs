//! The entries of a SafeTensors header, read strictly and within limits.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::super::error::ModelError;
use super::super::limits::{MAX_DIMENSIONS, MAX_METADATA_ENTRIES, MAX_TENSORS};
use super::super::metadata::{Metadata, MetadataValue};
use super::super::shown::shown;
use super::super::table;
use super::length;

/// The name under which a header keeps its metadata.
const METADATA: &str = "__metadata__";

/// What a header says. Names are checked one by one; two tensors may still share one.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) tensors: Vec<(String, Entry)>,
    pub(super) metadata: Metadata,
}

/// What a header says about one tensor. A field that is not known is refused: it could change what
/// the tensor's bytes mean.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) dtype: String,
    pub(super) shape: Shape,
    pub(super) data_offsets: (u64, u64),
}

/// A shape of at most [`MAX_DIMENSIONS`].
#[derive(Debug)]
pub(super) struct Shape(pub(super) Vec<u64>);

/// Reads a header's JSON.
pub(super) fn parse(header: &str) -> Result<Entries, ModelError> {
    if !header.starts_with('{') {
        let message = "it does not begin with `{`".to_owned();
        return Err(ModelError::HeaderSyntax {
            entry: None,
            message,
        });
    }
    let mut state = State::default();
    let mut json = serde_json::Deserializer::from_str(header);
    let parsed = Header { state: &mut state }
        .deserialize(&mut json)
        .and_then(|()| json.end());
    match (parsed, state.refusal) {
        (_, Some(refusal)) => Err(refusal),
        (Ok(()), None) => Ok(state.entries),
        (Err(error), None) => Err(ModelError::HeaderSyntax {
            entry: state.entry.as_deref().map(shown),
            message: shown_message(&error),
        }),
    }
}

/// The JSON parser's message can quote the file at any length.
fn shown_message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    if message.len() <= 160 {
        message
    } else {
        shown(&message)
    }
}

/// What a parse has come to. It stands outside the JSON parser so that a refusal keeps its type on
/// the way through the parser's own errors.
#[derive(Default)]
struct State {
    entries: Entries,
    metadata_seen: bool,
    entry: Option<String>,
    refusal: Option<ModelError>,
}

impl State {
    /// Keeps a refusal and gives the parser an error to stop with.
    fn stop<T, E: serde::de::Error>(&mut self, result: Result<T, ModelError>) -> Result<T, E> {
        result.map_err(|refusal| {
            self.refusal = Some(refusal);
            E::custom("refused")
        })
    }
}

/// Reads the header's object.
struct Header<'a> {
    state: &'a mut State,
}

impl<'de> DeserializeSeed<'de> for Header<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Header<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an entry for each tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let state = self.state;
        while let Some(name) = map.next_key::<String>()? {
            state.entry = Some(name.clone());
            if name == METADATA {
                let first = !std::mem::replace(&mut state.metadata_seen, true);
                let what = "header entry";
                state.stop(
                    first
                        .then_some(())
                        .ok_or_else(|| ModelError::DuplicateName {
                            what,
                            name: METADATA.to_owned(),
                        }),
                )?;
                map.next_value_seed(Texts { state: &mut *state })?;
            } else {
                let count = length(state.entries.tensors.len()).saturating_add(1);
                state.stop(within_limit("tensors", count, MAX_TENSORS))?;
                state.stop(table::check_name(&name))?;
                let entry = map.next_value()?;
                state.entries.tensors.push((name, entry));
            }
            state.entry = None;
        }
        Ok(())
    }
}

/// Reads the metadata's object: texts by key.
struct Texts<'a> {
    state: &'a mut State,
}

impl<'de> DeserializeSeed<'de> for Texts<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Texts<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let state = self.state;
        while let Some((key, text)) = map.next_entry::<String, String>()? {
            let count = length(state.entries.metadata.len()).saturating_add(1);
            state.stop(within_limit(
                "metadata entries",
                count,
                MAX_METADATA_ENTRIES,
            ))?;
            let inserted = state
                .entries
                .metadata
                .insert(key, MetadataValue::text(text));
            state.stop(inserted)?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Dimensions;

        impl<'de> Visitor<'de> for Dimensions {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of dimensions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                let mut dimensions = Vec::new();
                while let Some(dimension) = seq.next_element()? {
                    if dimensions.len() >= MAX_DIMENSIONS {
                        let limit = format!("`shape` has more than {MAX_DIMENSIONS} dimensions");
                        return Err(A::Error::custom(limit));
                    }
                    dimensions.push(dimension);
                }
                Ok(Shape(dimensions))
            }
        }

        deserializer.deserialize_seq(Dimensions)
    }
}

fn within_limit(what: &str, count: u64, limit: u64) -> Result<(), ModelError> {
    if count > limit {
        return Err(ModelError::TooMany {
            what: what.to_owned(),
            count,
            limit,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(header: &str) -> String {
        match parse(header) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{header} was read"),
        }
    }

    #[test]
    fn what_is_of_another_kind_is_told_beside_what_it_should_be() {
        let metadata = refused(r#"{"__metadata__":5}"#);
        assert!(metadata.contains("an object of texts"), "{metadata}");
        let shape = refused(r#"{"a":{"dtype":"U8","shape":"x","data_offsets":[0,1]}}"#);
        assert!(shape.contains("an array of dimensions"), "{shape}");
    }

    #[test]
    fn a_long_message_is_cut() {
        let shown = |len: usize| {
            let message = "x".repeat(len);
            shown_message(&<serde_json::Error as serde::de::Error>::custom(&message))
        };
        assert_eq!(shown(160), "x".repeat(160));
        assert!(shown(161).len() < 161, "{}", shown(161));
    }
}
