//! Seal records, envelopes, evidence and keys.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use vram_seal::dsse::Envelope;
use vram_seal::evidence::{EnvelopeForm, Expectations, Profile, verify_evidence};
use vram_seal::{
    SealKey, SealRecord, SealedRecord, SigningKey, VerifyingKey, sign, statement, verify,
};

use crate::short;

/// The key of RFC 8032's first test vector: everybody's, so that anybody can make seeds.
pub fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let der = "302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        SigningKey::from_pkcs8_der(&hex::decode(der).unwrap()).unwrap()
    })
}

fn seal_key() -> SealKey {
    SealKey::from_bytes(&[0x42; 32]).unwrap()
}

/// The canonical encoding of a record: what is read is what would be written.
pub fn seal_record(bytes: &[u8]) {
    match SealRecord::decode(bytes) {
        Ok(record) => {
            assert_eq!(record.encode(), bytes);
            require_signable(&record);
        }
        Err(error) => short(&error),
    }
}

/// A record and its tag as JSON.
pub fn seal_json(document: &[u8]) {
    match serde_json::from_slice::<SealedRecord>(document) {
        Ok(sealed) => {
            let json = serde_json::to_vec(&sealed).unwrap();
            assert_eq!(
                serde_json::from_slice::<SealedRecord>(&json).unwrap(),
                sealed
            );
            assert!(sealed.verify(&seal_key()).is_err(), "nobody knows the key");
            require_signable(&sealed.record);
        }
        Err(error) => short(&error),
    }
}

fn require_signable(record: &SealRecord) {
    let encoding = record.encode();
    assert_eq!(&SealRecord::decode(&encoding).unwrap(), record);
    let key = seal_key();
    let tag = sign(&key, record);
    // A record that names another key is refused by its name; one that names this key verifies.
    assert_eq!(
        verify(&key, record, &tag).is_ok(),
        record.key_id == key.id()
    );
}

/// A DSSE envelope from whoever, which nobody that is trusted has signed.
pub fn envelope(document: &[u8]) {
    match Envelope::from_json(document) {
        Ok(envelope) => {
            let written = envelope.to_json().unwrap();
            assert!(envelope.is_as_written(&written));
            let again = Envelope::from_json(&written).unwrap();
            assert_eq!(again.to_json().unwrap(), written);
            drop(envelope.verify(key().verifying_key(), statement::PAYLOAD_TYPE));
        }
        Err(error) => short(&error),
    }
}

/// A statement whose signature is good: what a trusted signer who went mad could send.
pub fn evidence(payload: &[u8]) {
    let signed = Envelope::sign(key(), statement::PAYLOAD_TYPE, payload.to_vec());
    let document = match signed {
        Ok(envelope) => envelope.to_json().unwrap(),
        Err(error) => return short(&error),
    };
    // One day after the seeds were made, and nothing demanded that can be left out.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let mut expected = Expectations::new(now, None);
    expected.max_age = Duration::from_secs(u64::from(u32::MAX));
    expected.least_profile = Profile::Development;
    expected.accept_warnings = true;
    expected.accept_lowered_checks = true;
    expected.accept_unproven_residency = true;
    expected.accept_simulated = true;
    expected.form = EnvelopeForm::AnyDsse;
    match verify_evidence(&document, key().verifying_key(), &expected) {
        Ok(verified) => {
            assert_eq!(verified.signer(), key().verifying_key().id());
            verified.statement().to_json().unwrap();
        }
        Err(refused) => {
            assert!(refused.failures().count() > 0);
            refused
                .failures()
                .take(4)
                .for_each(|failure| short(failure));
        }
    }
}

/// Keys, in PEM or DER.
pub fn keys(bytes: &[u8]) {
    let mut verifying = vec![VerifyingKey::from_spki_der(bytes)];
    let mut signing = vec![SigningKey::from_pkcs8_der(bytes)];
    if let Ok(text) = str::from_utf8(bytes) {
        verifying.push(VerifyingKey::from_spki_pem(text));
        signing.push(SigningKey::from_pkcs8_pem(text));
        match vram_provenance::PublicKey::from_pem(text) {
            Ok(key) => drop((key.hint(), key.fingerprint())),
            Err(error) => short(&error),
        }
    }
    drop(vram_provenance::PublicKey::from_spki_der(bytes));
    for key in verifying {
        match key {
            Ok(key) => {
                assert_eq!(VerifyingKey::from_spki_der(key.as_spki_der()).unwrap(), key);
                assert_eq!(
                    VerifyingKey::from_spki_pem(&key.to_spki_pem().unwrap()).unwrap(),
                    key
                );
                assert!(key.verify(b"message", &[0; 64]).is_err());
            }
            Err(error) => short(&error),
        }
    }
    for key in signing {
        match key {
            Ok(key) => {
                let signature = key.sign(b"message").unwrap();
                key.verifying_key().verify(b"message", &signature).unwrap();
            }
            Err(error) => short(&error),
        }
    }
}
