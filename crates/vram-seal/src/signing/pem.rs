//! Reading PEM with one label.

use pkcs8::{Document, SecretDocument};

use super::KeyRefusal;

/// The greatest length of a key that is read, PEM or DER, in bytes. Keys of both algorithms take less than 300.
pub(super) const MAX_LEN: usize = 16 * 1024;

const PRIVATE: &str = "PRIVATE KEY";
pub(super) const PUBLIC: &str = "PUBLIC KEY";

pub(super) fn limit_len(found: usize) -> Result<(), KeyRefusal> {
    if found <= MAX_LEN {
        return Ok(());
    }
    Err(KeyRefusal::TooLong {
        found,
        limit: MAX_LEN,
    })
}

pub(super) fn read_private(text: &str) -> Result<SecretDocument, KeyRefusal> {
    limit_len(text.len())?;
    let (label, document) = SecretDocument::from_pem(text).map_err(|reason| pem(&reason))?;
    expect_label(label, PRIVATE)?;
    Ok(document)
}

pub(super) fn read_public(text: &str) -> Result<Document, KeyRefusal> {
    limit_len(text.len())?;
    let (label, document) = Document::from_pem(text).map_err(|reason| pem(&reason))?;
    expect_label(label, PUBLIC)?;
    Ok(document)
}

fn pem(reason: &pkcs8::der::Error) -> KeyRefusal {
    KeyRefusal::Pem {
        reason: reason.to_string(),
    }
}

fn expect_label(found: &str, expected: &'static str) -> Result<(), KeyRefusal> {
    if found == expected {
        return Ok(());
    }
    let advice = match found {
        "ENCRYPTED PRIVATE KEY" => {
            "keys under a password are not read; decrypt it with `openssl pkcs8` into a file with mode 0600"
        }
        "EC PRIVATE KEY" | "RSA PRIVATE KEY" => "convert it with `openssl pkcs8 -topk8 -nocrypt`",
        "CERTIFICATE" => "give the key alone: `openssl x509 -pubkey -noout`",
        PRIVATE => "this is the secret half; give the public one: `openssl pkey -pubout`",
        PUBLIC => "this is the public half, which can't sign; give the private one",
        _ => "give one key in the form of RFC 7468",
    };
    Err(KeyRefusal::Label {
        found: found.to_owned(),
        expected,
        advice,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_16_kibibytes_are_read() {
        limit_len(16_384).unwrap();
        let refused = limit_len(16_385);
        assert!(matches!(
            refused,
            Err(KeyRefusal::TooLong {
                found: 16_385,
                limit: 16_384
            })
        ));
    }

    #[test]
    fn a_file_of_another_kind_is_told_what_to_do() {
        for (found, says) in [
            ("ENCRYPTED PRIVATE KEY", "decrypt it"),
            ("EC PRIVATE KEY", "-topk8"),
            ("RSA PRIVATE KEY", "-topk8"),
            ("CERTIFICATE", "openssl x509"),
            (PRIVATE, "this is the secret half"),
            ("SECRETS", "RFC 7468"),
        ] {
            match expect_label(found, PUBLIC) {
                Err(KeyRefusal::Label { advice, .. }) => {
                    assert!(advice.contains(says), "{found}: {advice}");
                }
                other => panic!("{found}: {other:?}"),
            }
        }
        assert!(matches!(
            expect_label(PUBLIC, PRIVATE),
            Err(KeyRefusal::Label { advice, .. }) if advice.contains("this is the public half")
        ));
        assert!(expect_label(PUBLIC, PUBLIC).is_ok());
    }
}
