//! What `tests/vectors/generate.py` wrote, and bundles signed here.

use std::path::Path;

use base64ct::{Base64, Encoding as _};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use vram_provenance::{Bundle, Error, PublicKey, SignedManifest, Trust};
use vram_seal::dsse::pae;

pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

pub(crate) fn read(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    std::fs::read(folder.join(name)).unwrap()
}

pub(crate) fn text(name: &str) -> String {
    String::from_utf8(read(name)).unwrap()
}

pub(crate) fn bundle(name: &str) -> Bundle {
    Bundle::from_json(&read(name)).unwrap()
}

pub(crate) fn key(name: &str) -> PublicKey {
    PublicKey::from_pem(&text(name)).unwrap()
}

/// A vector's bundle, verified with a vector's key.
pub(crate) fn verify(signature: &str, public: &str) -> Result<SignedManifest, Error> {
    bundle(signature).verify(&Trust::Key(&key(public)))
}

/// A key of a test's own.
pub(crate) struct Own {
    pair: EcdsaKeyPair,
    pub(crate) public: PublicKey,
}

impl Own {
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        // A P-256 SubjectPublicKeyInfo is its point behind the same bytes always.
        let mut der = vec![
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
            0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        der.extend(pair.public_key().as_ref());
        let public = PublicKey::from_spki_der(&der).unwrap();
        Self { pair, public }
    }

    /// A bundle with a good signature over anything.
    pub(crate) fn sign(&self, payload_type: &str, payload: &[u8]) -> Value {
        let message = pae(payload_type, payload);
        let signature = self.pair.sign(&SystemRandom::new(), &message).unwrap();
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "publicKey": { "hint": self.public.hint().unwrap() },
                "tlogEntries": [],
            },
            "dsseEnvelope": {
                "payload": Base64::encode_string(payload),
                "payloadType": payload_type,
                "signatures": [{ "sig": Base64::encode_string(signature.as_ref()), "keyid": "" }],
            },
        })
    }

    /// A bundle with a good signature over a statement, read and verified.
    pub(crate) fn verify(&self, statement: &[u8]) -> Result<SignedManifest, Error> {
        let bundle = self.sign(PAYLOAD_TYPE, statement).to_string();
        Bundle::from_json(bundle.as_bytes())?.verify(&Trust::Key(&self.public))
    }
}
