//! What a tensor's elements are, and how many bytes so many of them take.

use std::fmt;

use serde::{Serialize, Serializer};

/// The type of a tensor's elements: its name in its format, and how the elements are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ElementType {
    name: &'static str,
    block_elements: u64,
    block_bytes: u64,
}

impl ElementType {
    pub(super) const fn new(name: &'static str, block_elements: u64, block_bytes: u64) -> Self {
        Self {
            name,
            block_elements,
            block_bytes,
        }
    }

    /// The name that the file's format has for it: `BF16`, `F8_E4M3`, `Q4_K`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// How many elements are packed together. 1 where each element takes whole bytes of its own.
    #[must_use]
    pub fn block_elements(self) -> u64 {
        self.block_elements
    }

    /// How many bytes [`block_elements`](Self::block_elements) elements take.
    #[must_use]
    pub fn block_bytes(self) -> u64 {
        self.block_bytes
    }

    /// Whether so many elements make up whole blocks.
    pub(super) fn fills_blocks(self, elements: u64) -> bool {
        elements.is_multiple_of(self.block_elements)
    }

    /// The bytes that so many elements take, or `None` where that is more than a `u64` can say.
    pub(super) fn bytes(self, elements: u64) -> Option<u64> {
        elements
            .div_ceil(self.block_elements)
            .checked_mul(self.block_bytes)
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Serialize for ElementType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// The number of elements of a tensor with this shape; a shape with no dimension is one element.
/// `None` where that is more than a `u64` can say.
pub(super) fn elements(shape: &[u64]) -> Option<u64> {
    shape
        .iter()
        .try_fold(1_u64, |product, dimension| product.checked_mul(*dimension))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: ElementType = ElementType::new("F32", 1, 4);
    const PACKED: ElementType = ElementType::new("Q4_0", 32, 18);

    #[test]
    fn a_type_reads_as_its_name() {
        assert_eq!(PLAIN.to_string(), "F32");
        assert_eq!(PACKED.to_string(), PACKED.name());
    }

    #[test]
    fn plain_elements_take_their_own_bytes() {
        assert_eq!(PLAIN.bytes(3), Some(12));
        assert!(PLAIN.fills_blocks(3));
    }

    #[test]
    fn packed_elements_take_whole_blocks() {
        assert_eq!(PACKED.bytes(64), Some(36));
        assert!(PACKED.fills_blocks(64));
        assert!(!PACKED.fills_blocks(65));
    }

    #[test]
    fn sizes_that_overflow_are_none() {
        assert_eq!(PLAIN.bytes(u64::MAX), None);
        assert_eq!(elements(&[1 << 32, 1 << 32]), None);
    }

    #[test]
    fn a_shape_without_dimensions_is_one_element_and_a_zero_makes_none() {
        assert_eq!(elements(&[]), Some(1));
        assert_eq!(elements(&[5, 0, 7]), Some(0));
    }
}
