//! Evidence to the byte: the page's example, and that no byte can be changed.

use proptest::{prelude::*, sample::Index};
use vram_seal::evidence::verify_evidence;

use crate::{
    evidence::failures,
    evidence_sample::{expectations, key, signed, statement},
};

/// What stands between a fence of this language and its end in `docs/spec/evidence.md`.
fn fenced(language: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/evidence.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, block) = page.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("\n```").unwrap().0.to_owned()
}

/// Covers: EV-5.
#[test]
fn the_pages_example_is_what_is_written_to_the_byte() {
    let payload = String::from_utf8(statement().to_json().unwrap()).unwrap();
    let envelope = String::from_utf8(signed(|_| {})).unwrap();
    assert_eq!(fenced("json statement"), payload);
    assert_eq!(fenced("json envelope"), envelope);
    assert_eq!(
        fenced("text public key"),
        key().verifying_key().to_spki_pem().unwrap().trim()
    );
    assert!(failures(fenced("json envelope").as_bytes(), &expectations()).is_empty());
    let nonce = statement().confidential_compute_nonce().unwrap();
    assert_eq!(fenced("text nonce"), hex::encode(nonce));
}

proptest! {
    // A document has thousands of bytes.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(512),
        ..ProptestConfig::default()
    })]

    /// Covers: EV-1.
    #[test]
    fn a_changed_byte_is_refused(at in any::<Index>(), flip in 1..=255_u8) {
        let mut document = signed(|_| {});
        let at = at.index(document.len());
        document[at] ^= flip;
        prop_assert!(verify_evidence(&document, key().verifying_key(), &expectations()).is_err());
    }

    /// Covers: EV-1.
    #[test]
    fn a_cut_or_longer_document_is_refused(at in any::<Index>(), more in prop::collection::vec(any::<u8>(), 1..4)) {
        let document = signed(|_| {});
        let cut = &document[..at.index(document.len())];
        prop_assert!(verify_evidence(cut, key().verifying_key(), &expectations()).is_err());
        let longer = [&document[..], &more].concat();
        prop_assert!(verify_evidence(&longer, key().verifying_key(), &expectations()).is_err());
    }
}
