//! What errors say, and what they ask of the caller.

use super::*;

#[test]
fn reading_may_be_tried_again_and_is_not_evidence_of_tampering() {
    let error = Error::Read {
        read: 5,
        source: io::ErrorKind::TimedOut.into(),
    };
    assert!(error.is_retriable() && !error.is_fatal());
    assert_eq!(error.to_string(), "reading failed after 5 bytes: timed out");
}

#[test]
fn a_wrong_tag_is_fatal_and_not_tried_again() {
    for error in [
        Error::TagMismatch,
        Error::TagZero,
        Error::TagLength { found: 31 },
    ] {
        assert!(error.is_fatal() && !error.is_retriable(), "{error}");
    }
}

#[test]
fn bad_input_is_the_callers_to_correct() {
    let errors = [
        Error::RecordMagic,
        Error::TextEmpty {
            what: "the shard id",
            limit: 256,
        },
        Error::TokenTooShort {
            found: 3,
            minimum: 32,
        },
        Error::SetPosition { index: 4, total: 4 },
    ];
    for error in errors {
        assert!(!error.is_fatal() && !error.is_retriable(), "{error}");
    }
}

#[test]
fn an_error_names_what_was_refused_the_value_and_the_limit() {
    let error = Error::TextTooLong {
        what: "the shard id",
        found: 257,
        limit: 256,
    };
    assert_eq!(
        error.to_string(),
        "the shard id is 257 bytes long, the limit is 256: shorten it"
    );
}
