//! What a checkpoint's signature is made over, and where it stands in its line.

use vram_seal::{SigningKey, VerifyingKey};

use crate::{Error, Result, TrailId};

/// Separates these signatures from all others that the key may have made.
const DOMAIN: &[u8] = b"vram-audit/checkpoint/v1\0";

/// Where the signed bytes of a checkpoint's line end, and its signature begins.
pub(crate) const BEFORE: &str = r#","signature":""#;

/// What follows the signature.
pub(crate) const AFTER: &str = r#""}}"#;

/// The most hexadecimal digits of a signature: 72 bytes, of ECDSA with P-256 in DER.
const MAX_DIGITS: usize = 144;

/// Signs the beginning of a checkpoint's line; in hexadecimal.
pub(crate) fn sign(key: &SigningKey, trail: TrailId, signed: &[u8]) -> Result<String> {
    key.sign(&message(trail, signed))
        .map(hex::encode)
        .map_err(|error| Error::write_failed("signing", std::io::Error::other(error)))
}

/// Whether a checkpoint's line is signed with this key, for this trail.
pub(crate) fn holds(key: &VerifyingKey, trail: TrailId, line: &[u8]) -> bool {
    split(line)
        .is_some_and(|(signed, signature)| key.verify(&message(trail, signed), &signature).is_ok())
}

/// The signed bytes and the signature of a checkpoint's line.
fn split(line: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    let rest = line.strip_suffix(AFTER.as_bytes())?;
    let shortest = rest.len().saturating_sub(MAX_DIGITS.saturating_add(1));
    // The quotation mark before the digits is the last one, and not far away.
    let quote = rest.iter().skip(shortest).rposition(|byte| *byte == b'"')?;
    let (rest, digits) = rest.split_at_checked(shortest.checked_add(quote)?.checked_add(1)?)?;
    let signed = rest.strip_suffix(BEFORE.as_bytes())?;
    let lower = !digits.iter().any(u8::is_ascii_uppercase);
    let signature = hex::decode(digits).ok().filter(|_| lower)?;
    Some((signed, signature))
}

fn message(trail: TrailId, signed: &[u8]) -> Vec<u8> {
    [DOMAIN, trail.as_bytes(), signed].concat()
}

#[cfg(test)]
mod tests {
    use vram_seal::SignatureAlgorithm;

    use super::*;

    fn line(signed: &str, signature: &str) -> Vec<u8> {
        [signed, BEFORE, signature, AFTER].concat().into_bytes()
    }

    #[test]
    fn a_signature_holds_for_its_key_trail_and_bytes_only() {
        for algorithm in SignatureAlgorithm::ALL {
            let key = SigningKey::generate(*algorithm).unwrap();
            let (trail, other) = (TrailId::random().unwrap(), TrailId::random().unwrap());
            let signature = sign(&key, trail, b"line").unwrap();
            let signed = line("line", &signature);
            let public = key.verifying_key();

            assert!(holds(public, trail, &signed), "{algorithm}");
            assert!(!holds(public, other, &signed));
            assert!(!holds(public, trail, &line("Line", &signature)));
            assert!(!holds(
                public,
                trail,
                &line("line", &signature.to_uppercase())
            ));
            let stranger = SigningKey::generate(*algorithm).unwrap();
            assert!(!holds(stranger.verifying_key(), trail, &signed));
        }
    }

    #[test]
    fn a_line_without_a_signature_in_its_place_has_none() {
        assert_eq!(split(&line("a", "00ff")), Some((&b"a"[..], vec![0, 0xff])));
        let longest = "0".repeat(MAX_DIGITS);
        assert!(split(&line("a", &longest)).is_some());
        for bad in [
            line("a", &"0".repeat(MAX_DIGITS + 2)),
            line("a", "0"),
            line("a", "0g"),
            line("a", "\u{1}"),
            b"a\"}}".to_vec(),
            b"".to_vec(),
            b"\"}}".to_vec(),
            line("a", "00")[..12].to_vec(),
        ] {
            assert_eq!(split(&bad), None, "{}", String::from_utf8_lossy(&bad));
        }
    }
}
