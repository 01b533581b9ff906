//! How deep a JSON header nests, found without building anything.

use super::super::error::ModelError;
use super::super::limits::MAX_SAFETENSORS_DEPTH;
use super::{LENGTH_BYTES, length};

/// Refuses a header that opens more objects and arrays inside each other than the format needs.
///
/// It need not understand JSON beyond strings: in what is not JSON at all it may count wrongly, and
/// the parser that comes after refuses that.
pub(super) fn check(header: &str) -> Result<(), ModelError> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (position, byte) in header.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_SAFETENSORS_DEPTH {
            let offset = LENGTH_BYTES.saturating_add(length(position));
            return Err(ModelError::HeaderTooDeep {
                limit: MAX_SAFETENSORS_DEPTH,
                offset,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formats_own_depth_is_accepted() {
        check(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"shape":[]}}"#).unwrap();
    }

    #[test]
    fn one_level_more_is_refused_where_it_opens() {
        let error = check(r#"{"a":{"shape":[[1]]}}"#).unwrap_err();

        assert!(
            matches!(
                error,
                ModelError::HeaderTooDeep {
                    limit: 3,
                    offset: 23
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        check(r#"{"[[[[{{{{":"\"[[[[","\\":"{{{{"}"#).unwrap();
    }

    #[test]
    fn brackets_after_an_escaped_quote_count_only_outside() {
        assert!(check(r#"{"\\":[[[1]]]}"#).is_err());
        assert!(check(r#"{"\"":"[[[[["}"#).is_ok());
    }
}
