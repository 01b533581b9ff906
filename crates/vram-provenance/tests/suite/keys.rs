//! Signed with a key.

use std::num::NonZeroU64;

use serde_json::Value;
use vram_provenance::{Bundle, Curve, Error, FileDigest, Layout, PublicKey, Signer, Trust};
use vram_seal::Digest;

use crate::vectors::{Own, PAYLOAD_TYPE, bundle, key, read, text, verify};

const FILES: [(&str, &[u8]); 4] = [
    ("config.json", b"{}"),
    ("empty", b""),
    ("model.safetensors", b"weights of this model"),
    ("sub/folder/notes.txt", b"notes"),
];

#[test]
fn whole_files_are_listed_with_their_digests() {
    for (name, curve) in [("p256", Curve::P256), ("p384", Curve::P384)] {
        let public = format!("{name}.pub");
        let signed = verify(&format!("{name}.sig"), &public).unwrap();

        let manifest = signed.manifest();
        let expected = FILES.map(|(path, bytes)| (path, FileDigest::Whole(Digest::of(bytes))));
        let expected: Vec<_> = expected
            .iter()
            .map(|(path, digest)| (*path, digest))
            .collect();
        assert_eq!(manifest.files().collect::<Vec<_>>(), expected);
        assert_eq!(manifest.model(), "model");
        assert_eq!(manifest.layout(), Layout::WholeFiles);
        assert!(!manifest.follows_links());
        assert!(manifest.single().is_none());
        assert!(manifest.is_ignored(".git") && manifest.is_ignored(".git/HEAD"));
        assert!(!manifest.is_ignored(".gitx") && !manifest.is_ignored("model.safetensors"));
        let Signer::Key(signer) = signed.signer() else {
            panic!("{:?}", signed.signer())
        };
        assert_eq!((signer, signer.curve()), (&key(&public), curve));
    }
}

#[test]
fn pieces_of_files_are_put_together_and_empty_files_have_none() {
    let signed = verify("shards.sig", "p256.pub").unwrap();

    let manifest = signed.manifest();
    let size = NonZeroU64::new(8).unwrap();
    assert_eq!(manifest.layout(), Layout::Pieces { size });
    assert_eq!(manifest.files().len(), 3);
    assert!(manifest.digest_of("empty").is_none());
    for (path, bytes) in FILES {
        let Some(FileDigest::Pieces(pieces)) = manifest.digest_of(path) else {
            assert!(bytes.is_empty(), "{path}");
            continue;
        };
        assert_eq!(pieces.size(), bytes.len() as u64);
        assert_eq!(pieces.piece_size(), size);
        let expected: Vec<_> = bytes.chunks(8).map(Digest::of).collect();
        assert_eq!(pieces.digests(), expected);
    }
}

#[test]
fn a_single_file_is_a_model_too() {
    let signed = verify("single.sig", "p256.pub").unwrap();

    let digest = Digest::of(FILES[2].1);
    assert_eq!(signed.manifest().single(), Some(&FileDigest::Whole(digest)));
    assert_eq!(signed.manifest().files().len(), 1);
}

#[test]
fn what_the_signer_ignored_and_whether_links_were_followed_is_known() {
    let ignoring = verify("ignoring.sig", "p256.pub").unwrap();
    let links = verify("links.sig", "p256.pub").unwrap();

    assert!(ignoring.manifest().is_ignored("sub/folder/notes.txt"));
    assert!(ignoring.manifest().is_ignored("config.json"));
    assert!(ignoring.manifest().digest_of("config.json").is_none());
    assert!(links.manifest().follows_links());
}

/// Covers: PR-1.
#[test]
fn another_key_is_refused_by_name_and_by_signature() {
    let named = verify("p256.sig", "other.pub").unwrap_err();
    let curve = verify("p256.sig", "p384.pub").unwrap_err();
    // Without its hint, the signature itself has to tell.
    let mut bundle: Value = serde_json::from_slice(&read("p256.sig")).unwrap();
    for hint in [Value::Null, Value::from("")] {
        bundle["verificationMaterial"]["publicKey"]["hint"] = hint;
        let unnamed = Bundle::from_json(bundle.to_string().as_bytes()).unwrap();
        let error = unnamed.verify(&Trust::Key(&key("other.pub"))).unwrap_err();
        assert!(matches!(error, Error::Signature), "{error:?}");
        assert!(unnamed.verify(&Trust::Key(&key("p256.pub"))).is_ok());
    }

    assert!(matches!(named, Error::OtherKey { .. }), "{named:?}");
    assert!(matches!(curve, Error::OtherKey { .. }), "{curve:?}");
    assert!(named.is_integrity_failure());
}

#[test]
fn another_models_signature_is_not_a_signature_of_this_one() {
    let mut bundle: Value = serde_json::from_slice(&read("p256.sig")).unwrap();
    let other: Value = serde_json::from_slice(&read("shards.sig")).unwrap();
    bundle["dsseEnvelope"]["signatures"] = other["dsseEnvelope"]["signatures"].clone();

    let bundle = Bundle::from_json(bundle.to_string().as_bytes()).unwrap();
    let error = bundle.verify(&Trust::Key(&key("p256.pub"))).unwrap_err();

    assert!(matches!(error, Error::Signature), "{error:?}");
}

/// Covers: PR-1.
#[test]
fn any_changed_byte_is_refused_or_changes_nothing_that_is_signed() {
    let document = read("p256.sig");
    let key = key("p256.pub");
    let expected = verify("p256.sig", "p256.pub").unwrap();
    let mut passed = 0;
    for at in 0..document.len() {
        for bit in [1, 0x20] {
            let mut changed = document.clone();
            changed[at] ^= bit;
            let Ok(bundle) = Bundle::from_json(&changed) else {
                continue;
            };
            if let Ok(signed) = bundle.verify(&Trust::Key(&key)) {
                assert_eq!(signed.manifest(), expected.manifest(), "byte {at}");
                passed += 1;
            }
        }
    }
    // Names of members that nobody reads, and the empty key id.
    assert!(passed < 60, "{passed}");
}

#[test]
fn keys_that_can_not_be_used_are_refused_by_name() {
    for (pem, said) in [
        (text("p521.pub"), "P-521"),
        (text("rsa.pub"), "1.2.840.113549.1.1.1"),
        (text("root.pem"), "CERTIFICATE"),
        ("no PEM".to_owned(), "not PEM"),
        (" ".repeat(PublicKey::MAX_LEN + 1), "limit of 16384"),
    ] {
        let error = PublicKey::from_pem(&pem).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_key_that_is_not_all_of_its_encoding_is_refused() {
    let own = Own::new();
    let pem = text("p256.pub");
    let der: Vec<u8> = {
        use base64ct::{Base64, Encoding as _};
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        Base64::decode_vec(&body).unwrap()
    };
    assert!(PublicKey::from_spki_der(&der).is_ok());
    for len in 0..der.len() {
        assert!(PublicKey::from_spki_der(&der[..len]).is_err(), "{len}");
    }
    assert!(PublicKey::from_spki_der(&[&der[..], &[0]].concat()).is_err());
    let mut compressed = der.clone();
    compressed[26] = 2;
    let error = PublicKey::from_spki_der(&compressed).unwrap_err();
    assert!(error.to_string().contains("uncompressed"), "{error}");
    // A point that is on no curve verifies nothing.
    let mut off = der;
    off[40] ^= 1;
    let off = PublicKey::from_spki_der(&off).unwrap();
    let mut bundle = own.sign(PAYLOAD_TYPE, b"{}");
    bundle["verificationMaterial"]["publicKey"]["hint"] = Value::Null;
    let bundle = Bundle::from_json(bundle.to_string().as_bytes()).unwrap();
    assert!(matches!(
        bundle.verify(&Trust::Key(&off)),
        Err(Error::Signature)
    ));
}

#[test]
fn a_bundle_with_a_certificate_is_not_verified_with_a_key() {
    let error = bundle("chain.sig")
        .verify(&Trust::Key(&key("p256.pub")))
        .unwrap_err();

    assert!(matches!(error, Error::WrongTrust { .. }), "{error:?}");
    assert!(!error.is_integrity_failure());
}
