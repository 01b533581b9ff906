//! Bundles that are none, or not of the kind that is verified here; and bytes of any kind.

use proptest::prelude::*;
use serde_json::{Value, json};
use vram_provenance::{Bundle, Error, PublicKey, Roots, checksums::Checksums};

use crate::vectors::{Own, PAYLOAD_TYPE, read};

fn good() -> Value {
    serde_json::from_slice(&read("p256.sig")).unwrap()
}

fn refusal(bundle: &Value) -> Error {
    Bundle::from_json(bundle.to_string().as_bytes()).unwrap_err()
}

#[test]
fn a_keyless_bundle_is_refused_by_name() {
    let error = Bundle::from_json(&read("keyless.sig")).unwrap_err();

    assert!(matches!(error, Error::Keyless), "{error:?}");
    assert!(error.to_string().contains("keyless"), "{error}");
}

#[test]
fn bundles_of_another_version_are_refused_by_name() {
    let mut bundle = good();
    bundle["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2".into();

    assert!(refusal(&bundle).to_string().contains("version=0.2"));
}

#[test]
fn there_is_one_signature_one_envelope_and_one_kind_of_signer() {
    let chain = json!({"certificates": [{"rawBytes": "AAAA"}]});
    let signature = good()["dsseEnvelope"]["signatures"][0].clone();
    let mut cases = Vec::new();
    let mut with = |change: &dyn Fn(&mut Value)| {
        let mut bundle = good();
        change(&mut bundle);
        cases.push(bundle);
    };
    with(&|bundle| bundle["dsseEnvelope"]["signatures"] = json!([]));
    with(&|bundle| bundle["dsseEnvelope"]["signatures"] = json!([signature, signature]));
    with(&|bundle| bundle["messageSignature"] = json!({}));
    with(&|bundle| {
        bundle.as_object_mut().unwrap().remove("dsseEnvelope");
    });
    with(&|bundle| bundle["verificationMaterial"] = json!({}));
    with(&|bundle| bundle["verificationMaterial"]["x509CertificateChain"] = chain.clone());
    with(&|bundle| bundle["verificationMaterial"]["certificate"] = json!({}));
    with(&|bundle| {
        bundle["verificationMaterial"] = json!({"x509CertificateChain": {"certificates": []}});
    });
    with(&|bundle| bundle["dsseEnvelope"]["payload"] = "not base64!".into());
    for case in &cases {
        let error = refusal(case);
        assert!(
            matches!(error, Error::Material { .. }),
            "{error:?} for {case}"
        );
    }
}

/// Covers: HI-3.
#[test]
fn limits_are_held() {
    let mut many = good();
    let certificate = json!({"rawBytes": "AAAA"});
    many["verificationMaterial"] = json!({"x509CertificateChain": {"certificates": vec![certificate; Bundle::MAX_CERTIFICATES + 1]}});
    assert!(refusal(&many).to_string().contains("limit of 8"));
    let mut long = good();
    long["dsseEnvelope"]["signatures"][0]["sig"] = "AAAA".repeat(400).into();
    assert!(refusal(&long).to_string().contains("limit of 1024"));
    let mut deep = good();
    deep["more"] = (0..20).fold(Value::Null, |inner, _| json!([inner]));
    assert!(refusal(&deep).to_string().contains("nested deeper"));
    let mut full = good();
    full["more"] = vec![Value::Null; 5000].into();
    assert!(refusal(&full).to_string().contains("more values"));
    let document = vec![b' '; Bundle::MAX_LEN + 1];
    assert!(
        Bundle::from_json(&document)
            .unwrap_err()
            .to_string()
            .contains("the limit is")
    );
}

#[test]
fn names_from_outside_are_shown_without_what_moves_a_cursor() {
    let mut bundle = good();
    bundle["mediaType"] = "a\u{1b}[31m\nb".into();

    assert!(
        refusal(&bundle)
            .to_string()
            .contains(r"a\\u{1b}[31m\\u{a}b")
    );
}

proptest! {
    /// Covers: HI-3.
    #[test]
    fn no_bytes_at_all_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), seed in any::<u64>()) {
        let parse = |bytes: &[u8]| {
            Bundle::from_json(bytes).ok();
            Roots::from_pem(bytes).ok();
            PublicKey::from_spki_der(bytes).ok();
            Checksums::parse(bytes).ok();
        };
        parse(&bytes);
        // Good ones with something changed.
        for name in ["p256.sig", "chain.sig", "root.pem", "p384.pub"] {
            let mut file = read(name);
            let at = usize::try_from(seed).unwrap_or(0) % file.len();
            let end = file.len().min(at + bytes.len() % 8);
            file.splice(at..end, bytes.iter().copied().take(4));
            parse(&file);
            if let Ok(bundle) = Bundle::from_json(&file) {
                bundle.claims().ok();
            }
        }
    }

    #[test]
    fn no_statement_at_all_makes_the_reader_panic(statement in "[\\{\\}\\[\\]\",:a-z0-9_]{0,80}") {
        let bundle = Own::new().sign(PAYLOAD_TYPE, statement.as_bytes()).to_string();
        let claims = Bundle::from_json(bundle.as_bytes()).unwrap().claims();
        prop_assert!(claims.is_err());
    }
}
