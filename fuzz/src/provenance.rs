//! What others say of a model: signed manifests, certificates, checksum files.

use std::sync::OnceLock;
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use vram_provenance::{
    Bundle, CertificateTime, Intermediates, PublicKey, Roots, Trust, checksums as lists,
};

use crate::short;

/// When certificates are looked at: the seeds' are valid then.
const WHEN: Duration = Duration::from_secs(1_798_761_600);

/// The key that signed the seeds.
fn signers_key() -> &'static PublicKey {
    static KEY: OnceLock<PublicKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let pem = include_str!("../../crates/vram-provenance/tests/vectors/p256.pub");
        PublicKey::from_pem(pem).unwrap()
    })
}

/// The root that the seeds' certificates lead to.
fn root() -> &'static Roots {
    static ROOT: OnceLock<Roots> = OnceLock::new();
    ROOT.get_or_init(|| {
        let pem = include_bytes!("../../crates/vram-provenance/tests/vectors/root.pem");
        Roots::from_pem(pem).unwrap()
    })
}

/// A sigstore bundle: read, shown, and verified by a key and by a chain of certificates.
pub fn bundle(document: &[u8]) {
    let bundle = match Bundle::from_json(document) {
        Ok(bundle) => bundle,
        Err(error) => return short(&error),
    };
    if let Err(error) = bundle.claims() {
        short(&error);
    }
    let intermediates = Intermediates::default();
    let by_chain = |time| Trust::Certificates {
        roots: root(),
        intermediates: &intermediates,
        time,
    };
    for trust in [
        Trust::Key(signers_key()),
        by_chain(CertificateTime::At(WHEN)),
        by_chain(CertificateTime::StartOfSigning),
    ] {
        if let Err(error) = bundle.verify(&trust) {
            short(&error);
        }
    }
}

/// The statement within a bundle: a manifest that was signed by whoever.
pub fn manifest(payload: &[u8]) {
    let document = format!(
        r#"{{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{{"publicKey":{{}}}},"dsseEnvelope":{{"payloadType":"application/vnd.in-toto+json","payload":"{}","signatures":[{{"sig":"AA=="}}]}}}}"#,
        Base64::encode_string(payload)
    );
    let bundle = match Bundle::from_json(document.as_bytes()) {
        Ok(bundle) => bundle,
        Err(error) => return short(&error),
    };
    match bundle.claims() {
        Ok(claims) => drop((claims.model(), claims.file_count())),
        Err(error) => short(&error),
    }
}

/// Certificates in PEM.
pub fn certificates(pem: &[u8]) {
    for error in [
        Roots::from_pem(pem).err(),
        Intermediates::from_pem(pem).err(),
    ] {
        error.iter().for_each(|error| short(error));
    }
}

/// A file of checksums, and its lines one by one.
pub fn checksums(file: &[u8]) {
    match lists::Checksums::parse(file) {
        Ok(list) => assert_eq!(list.is_empty(), list.len() == 0),
        Err(error) => short(&error),
    }
    for line in file.split(|byte| *byte == b'\n') {
        drop(lists::parse_line(line));
    }
}
