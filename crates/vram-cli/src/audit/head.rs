//! The end of a trail, as somebody noted it.

use vram_audit::{Head, RecordHash};

/// `SEQ:HASH`.
pub(crate) fn parse_head(text: &str) -> Result<Head, String> {
    let expected = || "give SEQ:HASH, as `vram` noted it when the trail was closed".to_owned();
    let (seq, hash) = text.split_once(':').ok_or_else(expected)?;
    // Digits alone: what is printed has no sign.
    let digits = !seq.is_empty() && seq.bytes().all(|byte| byte.is_ascii_digit());
    let seq = digits.then(|| seq.parse().ok()).flatten();
    let seq = seq.ok_or_else(expected)?;
    let hash = hash.parse::<RecordHash>().map_err(|_invalid| expected())?;
    Ok(Head { seq, hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_a_number_and_a_hash() {
        let hash = "ab".repeat(32);

        let head = parse_head(&format!("17:{hash}")).unwrap();

        assert_eq!((head.seq, head.hash), (17, hash.parse().unwrap()));
        for bad in [
            "",
            ":",
            "17",
            "17:",
            &format!(":{hash}"),
            &format!("-1:{hash}"),
            &format!("+1:{hash}"),
            &format!("17:{hash}0"),
            &format!("18446744073709551616:{hash}"),
        ] {
            let refused = parse_head(bad).unwrap_err();
            assert!(refused.contains("SEQ:HASH"), "{bad:?}");
        }
    }
}
