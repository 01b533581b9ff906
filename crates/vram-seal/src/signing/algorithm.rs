//! The two signature algorithms, and how DER names them.

use std::{fmt, str::FromStr};

use pkcs8::{
    AlgorithmIdentifierRef, ObjectIdentifier, der::asn1::AnyRef, spki::AlgorithmIdentifier,
};

use super::KeyRefusal;

/// `id-Ed25519` of RFC 8410.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// `id-ecPublicKey` of RFC 5480.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// `secp256r1` of RFC 5480.
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// How signatures are made and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// Ed25519 (RFC 8032): signatures of 64 bytes, the same for the same message.
    Ed25519,
    /// ECDSA with P-256 and SHA-256 (FIPS 186-5): signatures in ASN.1 DER, each with a new nonce.
    EcdsaP256Sha256,
}

impl SignatureAlgorithm {
    /// Every algorithm.
    pub const ALL: &'static [Self] = &[Self::Ed25519, Self::EcdsaP256Sha256];

    /// The name that [`FromStr`] reads: `ed25519` or `ecdsa-p256-sha256`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
        }
    }

    /// The algorithm that a key's `AlgorithmIdentifier` names, if it is one of ours.
    pub(super) fn of_identifier(
        identifier: &AlgorithmIdentifierRef<'_>,
    ) -> Result<Self, KeyRefusal> {
        match (identifier.oid, identifier.parameters) {
            (ED25519, None) => Ok(Self::Ed25519),
            (EC_PUBLIC_KEY, Some(curve)) if curve.decode_as() == Ok(P256) => {
                Ok(Self::EcdsaP256Sha256)
            }
            _ => Err(KeyRefusal::Algorithm {
                found: describe(identifier),
            }),
        }
    }

    /// The `AlgorithmIdentifier` of this algorithm's public keys.
    pub(super) fn with_identifier<T>(
        self,
        use_it: impl FnOnce(AlgorithmIdentifierRef<'_>) -> T,
    ) -> T {
        match self {
            Self::Ed25519 => use_it(AlgorithmIdentifier {
                oid: ED25519,
                parameters: None,
            }),
            Self::EcdsaP256Sha256 => {
                let curve: AnyRef<'_> = (&P256).into();
                use_it(AlgorithmIdentifier {
                    oid: EC_PUBLIC_KEY,
                    parameters: Some(curve),
                })
            }
        }
    }

    /// How `ring` checks signatures of this algorithm.
    pub(super) fn verification(self) -> &'static dyn ring::signature::VerificationAlgorithm {
        match self {
            Self::Ed25519 => &ring::signature::ED25519,
            Self::EcdsaP256Sha256 => &ring::signature::ECDSA_P256_SHA256_ASN1,
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = crate::Error;

    fn from_str(text: &str) -> crate::Result<Self> {
        let known = Self::ALL
            .iter()
            .find(|algorithm| algorithm.as_str() == text);
        known.copied().ok_or_else(|| {
            crate::Error::SigningKey(KeyRefusal::Algorithm {
                found: text.chars().take(40).flat_map(char::escape_debug).collect(),
            })
        })
    }
}

/// Names what is not supported: by word where it is common, else by number.
fn describe(identifier: &AlgorithmIdentifierRef<'_>) -> String {
    let number = identifier.oid.to_string();
    let name = match number.as_str() {
        "1.2.840.113549.1.1.1" => "RSA",
        "1.2.840.113549.1.1.10" => "RSA-PSS",
        "1.3.101.113" => "Ed448",
        "1.3.101.110" => "X25519",
        "1.3.101.112" => return "Ed25519 with parameters".to_owned(),
        "1.2.840.10045.2.1" => {
            let curve = identifier
                .parameters
                .and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
            return match curve {
                Some(curve) => format!("an elliptic curve other than P-256 ({curve})"),
                None => "an elliptic curve that is not named".to_owned(),
            };
        }
        _ => return number,
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(oid: &str, parameters: Option<AnyRef<'_>>) -> String {
        let refused = SignatureAlgorithm::of_identifier(&AlgorithmIdentifier {
            oid: ObjectIdentifier::new_unwrap(oid),
            parameters,
        });
        match refused {
            Err(KeyRefusal::Algorithm { found }) => found,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let p384 = ObjectIdentifier::new_unwrap("1.3.132.0.34");
        for (oid, parameters, name) in [
            ("1.2.840.113549.1.1.1", None, "RSA"),
            ("1.2.840.113549.1.1.10", None, "RSA-PSS"),
            ("1.3.101.113", None, "Ed448"),
            ("1.3.101.110", None, "X25519"),
            (
                "1.3.101.112",
                Some((&P256).into()),
                "Ed25519 with parameters",
            ),
            (
                "1.2.840.10045.2.1",
                Some((&p384).into()),
                "an elliptic curve other than P-256 (1.3.132.0.34)",
            ),
            (
                "1.2.840.10045.2.1",
                None,
                "an elliptic curve that is not named",
            ),
            ("1.2.3.4", None, "1.2.3.4"),
        ] {
            let found = found(oid, parameters);
            assert!(found.starts_with(name), "{oid}: {found}");
        }
    }

    #[test]
    fn an_algorithm_reads_as_it_prints() {
        for algorithm in SignatureAlgorithm::ALL {
            let text = algorithm.to_string();
            assert_eq!(text.parse::<SignatureAlgorithm>().unwrap(), *algorithm);
            assert_eq!(
                algorithm
                    .with_identifier(
                        |identifier| SignatureAlgorithm::of_identifier(&identifier).unwrap()
                    ),
                *algorithm
            );
        }
        assert_eq!(format!("{:>9}", SignatureAlgorithm::Ed25519), "  ed25519");
    }
}
