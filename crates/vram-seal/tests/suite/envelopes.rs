//! DSSE envelopes: the protocol's vectors, its rules, and no change to one that goes unseen.

use std::num::NonZeroUsize;

use base64ct::{Base64, Encoding};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};
use vram_seal::{
    Error, SignatureAlgorithm, SigningKey, VerifyingKey,
    dsse::{Envelope, EnvelopeRefusal, pae},
};

use crate::signatures::ed25519;

const TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT: &str = r#"{"_type":"https://in-toto.io/Statement/v1"}"#;

/// The keys of RFC 8032's tests 1 and 2, which the protocol's vectors use.
fn key_a() -> SigningKey {
    ed25519("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
}

fn key_b() -> SigningKey {
    ed25519("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
}

const BY_A: &str =
    "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA==";
const BY_B: &str =
    "c1+67/aT0yqEpwx8PsVY3MLHsj9D0CZ014/Fv/QlG59P+9CobUZ7xECJ/V3USG0Ob9CiE5LjReEZUzNF2l7eBw==";

fn envelope(payload: &str, payload_type: &str, signatures: &[&str]) -> Value {
    let signatures: Vec<Value> = signatures.iter().map(|sig| json!({ "sig": sig })).collect();
    json!({ "payload": payload, "payloadType": payload_type, "signatures": signatures })
}

fn read(envelope: &Value) -> Envelope {
    Envelope::from_json(envelope.to_string().as_bytes()).unwrap()
}

fn statement() -> String {
    Base64::encode_string(STATEMENT.as_bytes())
}

fn refusal(envelope: &Envelope, key: &SigningKey, payload_type: &str) -> EnvelopeRefusal {
    match envelope
        .verify(key.verifying_key(), payload_type)
        .unwrap_err()
    {
        Error::Envelope(refusal) => refusal,
        other => panic!("{other}"),
    }
}

fn threshold(envelope: &Envelope, keys: &[&SigningKey], needed: usize) -> Result<usize, Error> {
    let keys: Vec<VerifyingKey> = keys.iter().map(|key| key.verifying_key().clone()).collect();
    let needed = NonZeroUsize::new(needed).unwrap();
    envelope
        .verify_threshold(&keys, needed, TYPE)
        .map(|verified| verified.signers().len())
}

#[test]
fn the_protocols_example_with_p256_verifies() {
    // Its signature is r and s one after the other; ours are in DER.
    let raw = Base64::decode_vec(
        "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==",
    )
    .unwrap();
    let der = [
        &[0x30, 0x44, 0x02, 0x20],
        &raw[..32],
        &[0x02, 0x20],
        &raw[32..],
    ]
    .concat();
    let public = [
        decimal("46950820868899156662930047687818585632848591499744589407958293238635476079160"),
        decimal("5640078356564379163099075877009565129882514886557779369047442380624545832820"),
    ]
    .concat();
    let spki = [
        hex::decode("3059301306072a8648ce3d020106082a8648ce3d03010703420004").unwrap(),
        public,
    ]
    .concat();
    let key = VerifyingKey::from_spki_der(&spki).unwrap();
    let envelope = read(&envelope(
        "aGVsbG8gd29ybGQ=",
        "http://example.com/HelloWorld",
        &[&Base64::encode_string(&der)],
    ));
    let verified = envelope
        .verify(&key, "http://example.com/HelloWorld")
        .unwrap();
    assert_eq!(verified.bytes(), b"hello world");
    assert_eq!(verified.signers(), [key.id()]);
}

/// A decimal number as 32 bytes, most significant first.
fn decimal(digits: &str) -> Vec<u8> {
    let mut bytes = [0_u8; 32];
    for digit in digits.bytes() {
        let mut carry = u32::from(digit - b'0');
        for byte in bytes.iter_mut().rev() {
            let value = u32::from(*byte) * 10 + carry;
            *byte = (value & 0xff) as u8;
            carry = value >> 8;
        }
        assert_eq!(carry, 0);
    }
    bytes.to_vec()
}

#[test]
fn the_encoding_that_is_signed_is_the_protocols() {
    assert_eq!(
        pae(TYPE, STATEMENT.as_bytes()),
        format!("DSSEv1 28 {TYPE} 43 {STATEMENT}").into_bytes()
    );
    assert_eq!(
        pae("application/vnd.exämple+json", b""),
        "DSSEv1 29 application/vnd.exämple+json 0 ".as_bytes()
    );
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
}

#[test]
fn signing_gives_the_signatures_of_the_protocols_vectors() {
    for (payload_type, payload, signature) in [
        (TYPE, STATEMENT.as_bytes(), BY_A),
        (
            TYPE,
            &[0xfb, 0xff, 0xbf, 0x3e, 0x3f],
            "P+/KHICeR7tI6S/YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU/svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw==",
        ),
        (
            TYPE,
            b"",
            "gSggCAaTLTYyRH6FIDBem6meyIynsYy8RTHVzwx9tnTb7Bg/1jMWnuVgI/gffqmbsC2VX5/jHfkkDqsj7CDbDg==",
        ),
        (
            "application/vnd.exämple+json",
            STATEMENT.as_bytes(),
            "xmSk/ug66ysT7ayhkCIjhAq42zgZXSsEWuzUaNL7w2eGAdF/NU6/fRXPtmfN+5DNSAs5/i2lUnHjbbjPsu0tAw==",
        ),
    ] {
        let signed = Envelope::sign(&key_a(), payload_type, payload.to_vec()).unwrap();
        let json: Value = serde_json::from_slice(&signed.to_json().unwrap()).unwrap();
        assert_eq!(json["signatures"][0]["sig"], signature);
        let read = Envelope::from_json(&signed.to_json().unwrap()).unwrap();
        assert_eq!(read, signed);
        let verified = read.verify(key_a().verifying_key(), payload_type).unwrap();
        assert_eq!(
            (verified.bytes(), verified.payload_type()),
            (payload, payload_type)
        );
    }
}

#[test]
fn either_alphabet_of_base64_verifies() {
    let envelope = read(&envelope(
        "-_-_Pj8=",
        TYPE,
        &[
            "P-_KHICeR7tI6S_YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU_svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw==",
        ],
    ));
    let key = key_a();
    let verified = envelope.verify(key.verifying_key(), TYPE).unwrap();
    assert_eq!(verified.bytes(), [0xfb, 0xff, 0xbf, 0x3e, 0x3f]);
}

#[test]
fn a_payload_of_another_type_is_refused() {
    let swapped = read(&envelope(
        &statement(),
        "application/vnd.example.other+json",
        &[BY_A],
    ));
    assert!(matches!(
        refusal(&swapped, &key_a(), "application/vnd.example.other+json"),
        EnvelopeRefusal::Signatures {
            found: 0,
            needed: 1,
            signatures: 1
        }
    ));
    // Signed as what it says, which isn't what is wanted.
    let empty = read(&envelope(
        &statement(),
        "",
        &[
            "iC3q/+3Rm0+lpAJRueDmDh15PnwCfxKmS0NAfKsbv+zgulXQC/WM9trc+j1XEqlwDIg/vf/uNfebeD6sxInrDg==",
        ],
    ));
    assert!(matches!(
        refusal(&empty, &key_a(), TYPE),
        EnvelopeRefusal::PayloadType { found, .. } if found.is_empty()
    ));
}

#[test]
fn a_threshold_counts_keys_and_not_signatures() {
    let (a, b) = (key_a(), key_b());
    let both = read(&envelope(&statement(), TYPE, &[BY_A, BY_B]));
    assert_eq!(threshold(&both, &[&a, &b], 2).unwrap(), 2);
    let twice = read(&envelope(&statement(), TYPE, &[BY_A, BY_A]));
    assert!(threshold(&twice, &[&a, &b], 2).is_err());
    assert!(threshold(&twice, &[&a, &a], 2).is_err());
    assert_eq!(threshold(&twice, &[&a, &a], 1).unwrap(), 1);
    assert!(threshold(&both, &[], 1).is_err());
}

#[test]
fn signatures_by_unknown_keys_are_counted_and_ignored() {
    let signed = read(&envelope(&statement(), TYPE, &["", BY_B, "AAAA", BY_A]));
    let key = key_a();
    let verified = signed.verify(key.verifying_key(), TYPE).unwrap();
    assert_eq!(verified.ignored_signatures(), 3);
    assert_eq!(verified.signers(), [key.verifying_key().id()]);

    let stranger = SigningKey::generate(SignatureAlgorithm::EcdsaP256Sha256).unwrap();
    assert!(matches!(
        refusal(&signed, &stranger, TYPE),
        EnvelopeRefusal::Signatures {
            found: 0,
            signatures: 4,
            ..
        }
    ));
    let none = read(&envelope(&statement(), TYPE, &[]));
    assert!(matches!(
        refusal(&none, &key, TYPE),
        EnvelopeRefusal::Signatures { signatures: 0, .. }
    ));
}

#[test]
fn key_ids_are_not_believed() {
    let mut document = envelope(&statement(), TYPE, &[BY_A]);
    document["signatures"][0]["keyid"] = key_b().verifying_key().id().to_string().into();
    let envelope = read(&document);
    assert!(envelope.verify(key_a().verifying_key(), TYPE).is_ok());
    assert!(envelope.verify(key_b().verifying_key(), TYPE).is_err());
    assert_eq!(
        envelope.claimed_key_ids().collect::<Vec<_>>(),
        [key_b().verifying_key().id().to_string()]
    );
}

#[test]
fn members_that_are_not_named_are_ignored_and_missing_ones_refused() {
    let mut more = envelope(&statement(), TYPE, &[BY_A]);
    more["more"] = json!({ "payload": [1, null] });
    more["signatures"][0]["cert"] = "x".into();
    assert!(read(&more).verify(key_a().verifying_key(), TYPE).is_ok());

    for missing in ["payload", "payloadType", "signatures"] {
        let mut document = envelope(&statement(), TYPE, &[BY_A]);
        document.as_object_mut().unwrap().remove(missing);
        assert!(
            Envelope::from_json(document.to_string().as_bytes()).is_err(),
            "{missing}"
        );
        document[missing] = Value::Null;
        assert!(
            Envelope::from_json(document.to_string().as_bytes()).is_err(),
            "{missing}"
        );
    }
    let mut document = envelope(&statement(), TYPE, &[BY_A]);
    document["signatures"][0]
        .as_object_mut()
        .unwrap()
        .remove("sig");
    assert!(Envelope::from_json(document.to_string().as_bytes()).is_err());
}

#[test]
fn names_that_come_twice_and_trailing_bytes_are_refused() {
    let text = envelope(&statement(), TYPE, &[BY_A]).to_string();
    for (from, to) in [
        ("\"payload\"", "\"payload\":\"\",\"payload\""),
        ("\"payloadType\"", "\"payloadType\":\"\",\"payloadType\""),
        ("\"sig\"", "\"sig\":\"\",\"sig\""),
        ("\"sig\"", "\"x\":1,\"\\u0078\":1,\"sig\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let error = Envelope::from_json(changed.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.contains("twice"), "{error}");
    }
    assert!(Envelope::from_json(format!(" {text}\r\n").as_bytes()).is_ok());
    for trailing in ["{}", "\0", "}", text.as_str()] {
        assert!(Envelope::from_json(format!("{text}{trailing}").as_bytes()).is_err());
    }
}

#[test]
fn what_is_too_long_too_deep_or_too_many_is_refused() {
    let refused = |document: &Value| {
        Envelope::from_json(document.to_string().as_bytes())
            .unwrap_err()
            .to_string()
    };
    let good = envelope(&statement(), TYPE, &[BY_A]);

    let mut deep = good.clone();
    deep["more"] = json!([[[[[[[[1]]]]]]]]);
    assert!(refused(&deep).contains("deeper than the limit of 8"));

    let mut many = good.clone();
    many["more"] = vec![1; 1024].into();
    assert!(refused(&many).contains("more values than the limit of 1024"));

    let signatures = [BY_A; 17];
    assert!(
        read(&envelope(&statement(), TYPE, &signatures[..16]))
            .verify(key_a().verifying_key(), TYPE)
            .is_ok()
    );
    assert!(
        refused(&envelope(&statement(), TYPE, &signatures)).contains("17 entries, the limit is 16")
    );

    assert!(
        refused(&envelope(&statement(), &"x".repeat(257), &[BY_A])).contains("type has 257 bytes")
    );
    let sig = Base64::encode_string(&vec![0; Envelope::MAX_SIGNATURE_LEN + 1]);
    assert!(refused(&envelope(&statement(), TYPE, &[&sig])).contains("signature has 65537 bytes"));
    let mut key_id = good;
    key_id["signatures"][0]["keyid"] = "x".repeat(1025).into();
    assert!(refused(&key_id).contains("key id has 1025 bytes"));

    let long = vec![b' '; Envelope::MAX_LEN + 1];
    assert!(
        Envelope::from_json(&long)
            .unwrap_err()
            .to_string()
            .contains("the limit is 16777216")
    );
    let payload = vec![0; Envelope::MAX_PAYLOAD_LEN + 1];
    assert!(Envelope::sign(&key_a(), TYPE, payload).is_err());
}

#[test]
fn an_envelope_tells_whether_it_is_as_written() {
    let envelope = Envelope::sign(&key_a(), TYPE, vec![0xff; 5]).unwrap();
    let written = envelope.to_json().unwrap();
    assert!(envelope.is_as_written(&written));
    let pretty =
        serde_json::to_vec_pretty(&serde_json::from_slice::<Value>(&written).unwrap()).unwrap();
    let read = Envelope::from_json(&pretty).unwrap();
    assert!(read.verify(key_a().verifying_key(), TYPE).is_ok());
    assert!(!read.is_as_written(&pretty));
}

#[test]
fn one_payload_can_carry_signatures_of_both_algorithms() {
    let p256 = SigningKey::generate(SignatureAlgorithm::EcdsaP256Sha256).unwrap();
    let mut envelope = Envelope::sign(&key_a(), TYPE, b"{}".to_vec()).unwrap();
    envelope.add_signature(&p256).unwrap();
    let envelope = Envelope::from_json(&envelope.to_json().unwrap()).unwrap();
    assert_eq!(threshold(&envelope, &[&key_a(), &p256], 2).unwrap(), 2);
    let mut full = envelope;
    while full.add_signature(&key_b()).is_ok() {}
    assert_eq!(full.claimed_key_ids().count(), Envelope::MAX_SIGNATURES);
}

#[test]
fn an_unverified_payload_is_not_printed() {
    let envelope = Envelope::sign(&key_a(), TYPE, b"attacker".to_vec()).unwrap();
    assert_eq!(
        format!("{envelope:?}"),
        format!("Envelope {{ payload_type: {TYPE:?}, payload_bytes: 8, signatures: 1 }}")
    );
    let verified = envelope.verify(key_a().verifying_key(), TYPE).unwrap();
    assert_eq!(
        format!("{verified:?}"),
        format!(
            "VerifiedPayload {{ payload_type: {TYPE:?}, bytes: 8, signers: [{:?}], ignored: 0 }}",
            key_a().verifying_key().id()
        )
    );
}

proptest! {
    /// A change is refused, or it touched nothing that is authenticated: then payload and type are those that were
    /// signed, to the byte.
    #[test]
    fn a_changed_byte_never_changes_what_is_verified(
        payload in prop::collection::vec(any::<u8>(), 0..200),
        p256 in any::<bool>(),
        at in any::<Index>(),
        flip in 1..=255_u8,
    ) {
        let key = if p256 {
            SigningKey::from_pkcs8_pem(include_str!("../vectors/keys/p256.pem")).unwrap()
        } else {
            key_a()
        };
        let mut document = Envelope::sign(&key, TYPE, payload.clone()).unwrap().to_json().unwrap();
        let at = at.index(document.len());
        document[at] ^= flip;
        let Ok(envelope) = Envelope::from_json(&document) else { return Ok(()) };
        if let Ok(verified) = envelope.verify(key.verifying_key(), TYPE) {
            prop_assert_eq!(verified.bytes(), payload);
            prop_assert_eq!(verified.payload_type(), TYPE);
            prop_assert_eq!(verified.signers(), [key.verifying_key().id()]);
        }
    }

    /// Covers: HI-3.
    #[test]
    fn what_is_signed_comes_back_to_whoever_has_the_key_and_asks_for_the_type(
        payload in prop::collection::vec(any::<u8>(), 0..400),
        payload_type in "[a-z]{1,20}/[a-z0-9.+-]{1,40}",
        other_type in "[a-z]{1,20}/[a-z0-9.+-]{1,40}",
    ) {
        let key = key_a();
        let signed = Envelope::sign(&key, &payload_type, payload.clone()).unwrap();
        let read = Envelope::from_json(&signed.to_json().unwrap()).unwrap();

        let verified = read.verify(key.verifying_key(), &payload_type).unwrap();
        prop_assert_eq!(verified.bytes(), payload);
        prop_assert!(read.verify(key_b().verifying_key(), &payload_type).is_err());
        prop_assert_eq!(read.verify(key.verifying_key(), &other_type).is_ok(), other_type == payload_type);
    }

    #[test]
    fn arbitrary_bytes_are_refused(document in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Envelope::from_json(&document).is_err());
        let text = String::from_utf8_lossy(&document);
        prop_assert!(VerifyingKey::from_spki_pem(&text).is_err());
        prop_assert!(SigningKey::from_pkcs8_pem(&text).is_err());
        prop_assert!(VerifyingKey::from_spki_der(&document).is_err());
        prop_assert!(SigningKey::from_pkcs8_der(&document).is_err());
    }
}
