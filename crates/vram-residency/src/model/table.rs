//! The tensors of a model file, by position and by name.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::element::ElementType;
use super::error::ModelError;
use super::limits::MAX_TENSOR_NAME;
use super::shown::shown;

/// One tensor of a model file: what it is, and where its bytes lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    name: Arc<str>,
    element: ElementType,
    shape: Box<[u64]>,
    range: Range<u64>,
}

impl Tensor {
    pub(super) fn new(
        name: &str,
        element: ElementType,
        shape: Vec<u64>,
        range: Range<u64>,
    ) -> Self {
        Self {
            name: Arc::from(name),
            element,
            shape: shape.into_boxed_slice(),
            range,
        }
    }

    /// Its name: 1 to [`MAX_TENSOR_NAME`] bytes, no control characters.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of its elements.
    #[must_use]
    pub fn element(&self) -> ElementType {
        self.element
    }

    /// Its dimensions, in the file's order: slowest first in SafeTensors, fastest first in GGUF.
    /// None for a single element.
    #[must_use]
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Where its bytes lie, counted from the start of the file. It lies inside the file and
    /// overlaps no other tensor's; it may be empty.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }
}

impl Serialize for Tensor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Tensor", 4)?;
        fields.serialize_field("name", &*self.name)?;
        fields.serialize_field("element", &self.element)?;
        fields.serialize_field("shape", &self.shape)?;
        fields.serialize_field("range", &self.range)?;
        fields.end()
    }
}

/// The tensors of a model file in the order in which they lie in it. Names are unique.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TensorTable {
    tensors: Vec<Tensor>,
    by_name: HashMap<Arc<str>, usize>,
}

impl TensorTable {
    /// Orders tensors and refuses a name that comes twice.
    pub(super) fn new(mut tensors: Vec<Tensor>) -> Result<Self, ModelError> {
        tensors.sort_unstable_by(|a, b| {
            let key = |tensor: &Tensor| (tensor.range.start, tensor.range.end);
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        let mut by_name = HashMap::with_capacity(tensors.len());
        for (position, tensor) in tensors.iter().enumerate() {
            match by_name.entry(Arc::clone(&tensor.name)) {
                Entry::Vacant(entry) => {
                    entry.insert(position);
                }
                Entry::Occupied(_) => {
                    let name = shown(&tensor.name);
                    return Err(ModelError::DuplicateName {
                        what: "tensor",
                        name,
                    });
                }
            }
        }
        Ok(Self { tensors, by_name })
    }

    /// The tensor of a name. Takes the same time however many there are.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.by_name
            .get(name)
            .and_then(|position| self.tensors.get(*position))
    }

    /// All tensors, in the order in which they lie in the file.
    #[must_use]
    pub fn as_slice(&self) -> &[Tensor] {
        &self.tensors
    }

    /// All tensors, in the order in which they lie in the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Tensor> {
        self.tensors.iter()
    }

    /// How many tensors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }
}

impl<'a> IntoIterator for &'a TensorTable {
    type Item = &'a Tensor;
    type IntoIter = std::slice::Iter<'a, Tensor>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for TensorTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.tensors.serialize(serializer)
    }
}

/// Refuses a tensor's name that is empty, longer than the limit or holds a control character.
pub(super) fn check_name(name: &str) -> Result<(), ModelError> {
    let len = u64::try_from(name.len()).unwrap_or(u64::MAX);
    if len > MAX_TENSOR_NAME {
        let what = format!("name of tensor `{}`", shown(name));
        return Err(ModelError::TooLong {
            what,
            len,
            limit: MAX_TENSOR_NAME,
        });
    }
    let refused = |reason| {
        Err(ModelError::BadName {
            what: "tensor",
            name: shown(name),
            reason,
        })
    };
    if name.is_empty() {
        return refused("is empty");
    }
    if name.chars().any(char::is_control) {
        return refused("holds a control character");
    }
    Ok(())
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the tests compute on known values"
)]
mod tests {
    use super::*;

    const BYTE: ElementType = ElementType::new("U8", 1, 1);

    fn tensor(name: &str, range: Range<u64>) -> Tensor {
        Tensor::new(name, BYTE, vec![range.end - range.start], range)
    }

    #[test]
    fn tensors_are_found_by_name_and_listed_by_position() {
        let table = TensorTable::new(vec![
            tensor("z", 0..4),
            tensor("b", 8..9),
            tensor("a", 4..8),
        ])
        .unwrap();

        let names: Vec<&str> = table.iter().map(Tensor::name).collect();

        assert_eq!(names, ["z", "a", "b"]);
        let slice: Vec<&str> = table.as_slice().iter().map(Tensor::name).collect();
        assert_eq!(slice, names);
        assert_eq!(table.get("a").unwrap().range(), 4..8);
        assert_eq!(table.get("c"), None);
    }

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        let refused = TensorTable::new(vec![tensor("a", 0..4), tensor("a", 4..8)]);

        let message = refused.unwrap_err().to_string();
        assert!(message.contains("tensor `a`"), "{message}");
    }

    #[test]
    fn names_are_bounded_and_hold_no_control_characters() {
        let limit = usize::try_from(MAX_TENSOR_NAME).unwrap();

        assert!(check_name(&"n".repeat(limit)).is_ok());
        assert!(check_name("unicode.ÄÖ.ok").is_ok());
        assert!(matches!(
            check_name(&"n".repeat(limit + 1)),
            Err(ModelError::TooLong { .. })
        ));
        for bad in ["", "nul\0", "line\n", "escape\u{1b}", "c1\u{85}"] {
            assert!(
                matches!(check_name(bad), Err(ModelError::BadName { .. })),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_table_is_written_as_a_list_of_its_tensors() {
        let table = TensorTable::new(vec![tensor("a", 4..8)]).unwrap();

        let json = serde_json::to_string(&table).unwrap();

        let wanted = r#"[{"name":"a","element":"U8","shape":[4],"range":{"start":4,"end":8}}]"#;
        assert_eq!(json, wanted);
    }
}
