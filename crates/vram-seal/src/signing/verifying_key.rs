//! The public half: what signatures are checked with.

use std::fmt;

use pkcs8::{
    Document,
    der::{Decode, Encode, asn1::BitStringRef, pem::LineEnding},
    spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef},
};
use ring::signature::UnparsedPublicKey;

use super::{KeyId, KeyRefusal, SignatureAlgorithm, pem};
use crate::{Error, Result};

/// How long an Ed25519 public key is, in bytes.
const ED25519_LEN: usize = 32;

/// The `y` of every point of edwards25519 whose order divides 8, in every way that 32 bytes give it: little-endian,
/// with the bit above it, which is the sign of `x`, left out. So there are 14 encodings. Those of `p` and `p + 1` are
/// not canonical, nor are those of `1` and `-1` with the sign of an `x` that is zero.
///
/// Under such a key a signature says nothing: 64 bytes that anyone can write hold for one message in eight, or more.
/// RFC 8032 leaves the check to its user; `ring` makes none. The list is the one of table 5 of Chalkias, Garillot and
/// Nikolaenko, "Taming the many `EdDSAs`" (2020), and of libsodium's `ge25519_has_small_order`.
const SMALL_ORDER: [[u8; ED25519_LEN]; 7] = [
    // 0: order 4
    with_ends(0x00, 0x00, 0x00),
    // 1: order 1
    with_ends(0x01, 0x00, 0x00),
    // The two of order 8
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    // p - 1, which is -1: order 2
    with_ends(0xec, 0xff, 0x7f),
    // p, which is 0, and p + 1, which is 1
    with_ends(0xed, 0xff, 0x7f),
    with_ends(0xee, 0xff, 0x7f),
];

const fn with_ends(first: u8, between: u8, last: u8) -> [u8; ED25519_LEN] {
    let mut bytes = [between; ED25519_LEN];
    let [to_first, .., to_last] = &mut bytes;
    *to_first = first;
    *to_last = last;
    bytes
}

/// Whether a public key of Ed25519 is a point of small order.
fn is_of_small_order(public: &[u8]) -> bool {
    let Ok(mut y) = <[u8; ED25519_LEN]>::try_from(public) else {
        return false;
    };
    let [.., last] = &mut y;
    *last &= 0x7f;
    SMALL_ORDER.contains(&y)
}

/// How long an uncompressed point of P-256 is, in bytes, and what it starts with.
const P256_LEN: usize = 65;
const UNCOMPRESSED: u8 = 4;

/// A public key that signatures are checked with.
///
/// Whoever gives one says by it whom they trust: a key that came with the signature proves nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    algorithm: SignatureAlgorithm,
    /// The key as `ring` takes it: 32 bytes, or the uncompressed point.
    public: Vec<u8>,
    /// Its one encoding as a `SubjectPublicKeyInfo`.
    spki: Vec<u8>,
}

impl VerifyingKey {
    /// Reads a `SubjectPublicKeyInfo` in PEM: a file that starts with `-----BEGIN PUBLIC KEY-----`.
    ///
    /// # Errors
    /// [`Error::VerifyingKey`] for another label, or as [`from_spki_der`](Self::from_spki_der).
    pub fn from_spki_pem(text: &str) -> Result<Self> {
        let document = pem::read_public(text).map_err(Error::VerifyingKey)?;
        Self::from_spki_der(document.as_bytes())
    }

    /// Reads a `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    /// [`Error::VerifyingKey`] for another algorithm, a malformed key, or one of Ed25519 that is a point of small order.
    pub fn from_spki_der(der: &[u8]) -> Result<Self> {
        Self::read(der).map_err(Error::VerifyingKey)
    }

    fn read(der: &[u8]) -> Result<Self, KeyRefusal> {
        pem::limit_len(der.len())?;
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|reason| refusal(&reason))?;
        let algorithm = SignatureAlgorithm::of_identifier(&info.algorithm)?;
        let public = info
            .subject_public_key
            .as_bytes()
            .ok_or_else(|| public_key_refusal(algorithm, info.subject_public_key.raw_bytes()))?;
        Self::of_public(algorithm, public)
    }

    /// The key of these bytes, as `ring` gives and takes them.
    pub(super) fn of_public(
        algorithm: SignatureAlgorithm,
        public: &[u8],
    ) -> Result<Self, KeyRefusal> {
        let good = match algorithm {
            SignatureAlgorithm::Ed25519 => public.len() == ED25519_LEN,
            SignatureAlgorithm::EcdsaP256Sha256 => {
                public.len() == P256_LEN && public.first() == Some(&UNCOMPRESSED)
            }
        };
        if !good {
            return Err(public_key_refusal(algorithm, public));
        }
        if algorithm == SignatureAlgorithm::Ed25519 && is_of_small_order(public) {
            return Err(KeyRefusal::SmallOrder);
        }
        let spki = algorithm
            .with_identifier(|identifier| {
                SubjectPublicKeyInfo {
                    algorithm: identifier,
                    subject_public_key: BitStringRef::from_bytes(public)?,
                }
                .to_der()
            })
            .map_err(|reason| refusal(&reason))?;
        Ok(Self {
            algorithm,
            public: public.to_vec(),
            spki,
        })
    }

    /// The algorithm of its signatures.
    #[must_use]
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The key's name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::of_spki_der(&self.spki)
    }

    /// The key as a `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn as_spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The key as a `SubjectPublicKeyInfo` in PEM, as `openssl` reads it.
    ///
    /// # Errors
    /// None is expected: what this type holds can be written.
    pub fn to_spki_pem(&self) -> Result<String> {
        Document::try_from(self.spki.as_slice())
            .and_then(|document| document.to_pem(pem::PUBLIC, LineEnding::LF))
            .map_err(|reason| Error::VerifyingKey(refusal(&reason)))
    }

    /// Checks a signature over `message`.
    ///
    /// # Errors
    /// [`Error::SignatureMismatch`] unless this key's secret half signed exactly this message. That message, signature
    /// or key is malformed is no different.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        UnparsedPublicKey::new(self.algorithm.verification(), &self.public)
            .verify(message, signature)
            .map_err(|_| Error::SignatureMismatch { key: self.id() })
    }
}

/// The algorithm and the key's name.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VerifyingKey({} {})", self.algorithm, self.id())
    }
}

fn refusal(reason: &pkcs8::der::Error) -> KeyRefusal {
    KeyRefusal::Der {
        expected: "a SubjectPublicKeyInfo",
        reason: reason.to_string(),
    }
}

fn public_key_refusal(algorithm: SignatureAlgorithm, public: &[u8]) -> KeyRefusal {
    KeyRefusal::PublicKey {
        algorithm,
        found: public.len(),
        expected: match algorithm {
            SignatureAlgorithm::Ed25519 => "32 bytes",
            SignatureAlgorithm::EcdsaP256Sha256 => "the 65 bytes of an uncompressed point",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SubjectPublicKeyInfo` of an Ed25519 key before its 32 bytes (RFC 8410, section 4).
    const SPKI_PREFIX: [u8; 12] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];

    /// The points of small order as they may be encoded: with either sign, and two of them also with `p` added.
    fn encodings() -> impl Iterator<Item = [u8; ED25519_LEN]> {
        let between =
            |first: &str, byte: &str, last: &str| [first, &byte.repeat(30), last].concat();
        let order_8 = |last: &str| {
            let ends = [
                "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc",
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03",
            ];
            [format!("{}{last}", ends[0]), format!("{}{last}", ends[1])]
        };
        let texts = [
            [between("00", "00", "00"), between("00", "00", "80")],
            [between("01", "00", "00"), between("01", "00", "80")],
            [between("ec", "ff", "7f"), between("ec", "ff", "ff")],
            [between("ed", "ff", "7f"), between("ed", "ff", "ff")],
            [between("ee", "ff", "7f"), between("ee", "ff", "ff")],
            [order_8("05")[0].clone(), order_8("85")[0].clone()],
            [order_8("7a")[1].clone(), order_8("fa")[1].clone()],
        ];
        let bytes = |text: &String| hex::decode(text).unwrap().try_into().unwrap();
        let encodings: Vec<_> = texts.as_flattened().iter().map(bytes).collect();
        encodings.into_iter()
    }

    fn read(public: &[u8; ED25519_LEN]) -> Result<VerifyingKey> {
        VerifyingKey::from_spki_der(&[&SPKI_PREFIX[..], public].concat())
    }

    #[test]
    fn a_key_of_small_order_is_refused_in_each_of_its_fourteen_encodings() {
        assert_eq!(encodings().count(), 14);
        for public in encodings() {
            let refused = read(&public).unwrap_err();
            assert!(
                matches!(refused, Error::VerifyingKey(KeyRefusal::SmallOrder)),
                "{}: {refused}",
                hex::encode(public)
            );
        }
    }

    /// What makes the refusal necessary: `ring` takes each of these keys, and signatures that nobody signed.
    #[test]
    fn under_each_of_them_anyone_could_sign() {
        for public in encodings() {
            let key = UnparsedPublicKey::new(&ring::signature::ED25519, public);
            let forged = (0_u8..=255).any(|message| {
                encodings().any(|point| {
                    let signature = [point, [0; ED25519_LEN]].concat();
                    key.verify(&[message], &signature).is_ok()
                })
            });
            assert!(forged, "{}", hex::encode(public));
        }
    }

    #[test]
    fn a_key_that_differs_from_one_of_them_in_a_bit_is_read() {
        for public in encodings() {
            for byte in [1, 15, 30] {
                let mut other = public;
                other[byte] ^= 0x10;
                read(&other).unwrap();
            }
        }
    }

    #[test]
    fn a_point_is_uncompressed_and_whole() {
        let refused = |public: &[u8]| {
            let key = VerifyingKey::of_public(SignatureAlgorithm::EcdsaP256Sha256, public);
            matches!(key, Err(KeyRefusal::PublicKey { found, .. }) if found == public.len())
        };

        assert!(refused(&[UNCOMPRESSED; P256_LEN - 1]));
        assert!(refused(&[UNCOMPRESSED; P256_LEN + 1]));
        assert!(refused(&[2; P256_LEN]));
        assert!(refused(&[]));
    }

    #[test]
    fn a_key_shows_its_algorithm_and_its_name() {
        let key = read(&[7; ED25519_LEN]).unwrap();

        assert_eq!(
            format!("{key:?}"),
            format!("VerifyingKey(ed25519 {})", key.id())
        );
    }
}
