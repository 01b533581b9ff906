//! How tensors have to lie in a file: inside it, one after the other, with nothing between.

use std::ops::Range;

use super::error::ModelError;
use super::shown::shown;
use super::table::{Tensor, TensorTable};

/// Rounds up to a multiple of `alignment`, which is a power of two. `None` where that is more than
/// a `u64` can say.
pub(super) fn align_up(position: u64, alignment: u64) -> Option<u64> {
    position.checked_next_multiple_of(alignment)
}

/// Checks that tensors fill `data` exactly: each starts at the multiple of `alignment` that follows
/// the one before, and the last ends where the data does, or less than `alignment` before.
///
/// A count or length in the header that was lied about shows here at the latest, because bytes are
/// then claimed twice or by nobody.
pub(super) fn check(
    table: &TensorTable,
    data: &Range<u64>,
    alignment: u64,
) -> Result<(), ModelError> {
    let mut end = data.start;
    let mut previous: Option<&Tensor> = None;
    for tensor in table {
        check_within(tensor, data)?;
        let Range { start, .. } = tensor.range();
        let expected = align_up(end, alignment).unwrap_or(u64::MAX);
        if start < expected {
            return Err(ModelError::Overlap {
                tensor: shown(tensor.name()),
                begin: start,
                other: previous.map_or_else(|| "the header".to_owned(), |t| shown(t.name())),
                end,
            });
        }
        if start > expected {
            let tensor = shown(tensor.name());
            return Err(ModelError::Gap {
                tensor,
                begin: start,
                expected,
            });
        }
        end = tensor.range().end;
        previous = Some(tensor);
    }
    let padded = align_up(end, alignment).unwrap_or(u64::MAX);
    if data.end > padded {
        return Err(ModelError::TrailingBytes {
            end,
            file_len: data.end,
        });
    }
    Ok(())
}

fn check_within(tensor: &Tensor, data: &Range<u64>) -> Result<(), ModelError> {
    let range = tensor.range();
    if range.start < data.start || range.end > data.end {
        return Err(ModelError::OutOfRange {
            tensor: shown(tensor.name()),
            begin: range.start,
            end: range.end,
            data_begin: data.start,
            file_len: data.end,
        });
    }
    Ok(())
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the tests compute on known values"
)]
mod tests {
    use super::super::element::ElementType;
    use super::*;

    fn table(ranges: &[(u64, u64)]) -> TensorTable {
        let byte = ElementType::new("U8", 1, 1);
        let tensor = |(n, &(begin, end)): (usize, &(u64, u64))| {
            Tensor::new(&format!("t{n}"), byte, vec![end - begin], begin..end)
        };
        TensorTable::new(ranges.iter().enumerate().map(tensor).collect()).unwrap()
    }

    #[test]
    fn tensors_back_to_back_are_accepted() {
        check(&table(&[(10, 14), (14, 14), (14, 20)]), &(10..20), 1).unwrap();
    }

    #[test]
    fn padding_up_to_the_alignment_is_accepted_between_and_behind() {
        check(&table(&[(32, 40), (64, 65)]), &(32..65), 32).unwrap();
        check(&table(&[(32, 40), (64, 65)]), &(32..96), 32).unwrap();
    }

    #[test]
    fn an_overlap_names_both_tensors() {
        let error = check(&table(&[(0, 8), (7, 9)]), &(0..9), 1).unwrap_err();

        let message = error.to_string();
        assert!(
            message.contains("`t1`") && message.contains("`t0`"),
            "{message}"
        );
        assert!(matches!(
            error,
            ModelError::Overlap {
                begin: 7,
                end: 8,
                ..
            }
        ));
    }

    #[test]
    fn a_gap_before_the_first_or_between_is_refused() {
        let before = check(&table(&[(1, 8)]), &(0..8), 1);
        let between = check(&table(&[(0, 8), (9, 10)]), &(0..10), 1);
        let beyond_padding = check(&table(&[(0, 8), (64, 65)]), &(0..65), 32);

        assert!(matches!(
            before,
            Err(ModelError::Gap {
                begin: 1,
                expected: 0,
                ..
            })
        ));
        assert!(matches!(
            between,
            Err(ModelError::Gap {
                begin: 9,
                expected: 8,
                ..
            })
        ));
        assert!(matches!(
            beyond_padding,
            Err(ModelError::Gap {
                begin: 64,
                expected: 32,
                ..
            })
        ));
    }

    #[test]
    fn a_tensor_outside_the_data_is_refused() {
        let behind = check(&table(&[(0, 8), (8, 11)]), &(0..10), 1);
        let before = check(&table(&[(4, 8)]), &(8..10), 1);

        assert!(matches!(
            behind,
            Err(ModelError::OutOfRange {
                end: 11,
                file_len: 10,
                ..
            })
        ));
        assert!(matches!(
            before,
            Err(ModelError::OutOfRange { begin: 4, .. })
        ));
    }

    #[test]
    fn bytes_that_no_tensor_claims_are_refused() {
        let behind = check(&table(&[(0, 8)]), &(0..9), 1);
        let behind_padding = check(&table(&[(0, 8)]), &(0..33), 32);
        let no_tensor = check(&table(&[]), &(0..1), 1);

        assert!(matches!(
            behind,
            Err(ModelError::TrailingBytes {
                end: 8,
                file_len: 9
            })
        ));
        assert!(matches!(
            behind_padding,
            Err(ModelError::TrailingBytes { .. })
        ));
        assert!(matches!(no_tensor, Err(ModelError::TrailingBytes { .. })));
    }
}
