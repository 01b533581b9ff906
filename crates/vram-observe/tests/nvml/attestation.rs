//! A card's own attestation, as the library gives it.

use vram_observe::{Answer, Card, CardAttestation, Error, Witness as _};

use crate::stand_in::{CARD, SLICE, StandIn};

const NONCE: [u8; 32] = *b"a nonce that a statement is for.";

fn attestation(library: &StandIn, card: &Card<'_>) -> Answer<CardAttestation> {
    library.machine().attestation(card, &NONCE)
}

#[test]
fn a_report_is_over_the_nonce_and_as_long_as_the_library_says() {
    let Some(library) = StandIn::new() else {
        return;
    };

    let found = attestation(&library, &CARD).unwrap();

    assert_eq!(found.report, [b"report ".as_slice(), &NONCE].concat());
    assert_eq!(found.certificates, vec![b'c'; 5120]);
}

#[test]
fn a_slices_card_attests() {
    let Some(library) = StandIn::new() else {
        return;
    };

    let found = attestation(&library, &SLICE).unwrap();

    assert!(found.report.ends_with(&NONCE));
}

#[test]
fn a_size_that_can_not_be_is_refused() {
    let sizes = [
        ("report-size", 0),
        ("report-size", 8193),
        ("report-size", 0xffff_ffff),
        ("certificate-size", 0),
        ("certificate-size", 5121),
    ];
    for (key, size) in sizes {
        let Some(mut library) = StandIn::new() else {
            return;
        };
        library.says(key, size);

        let refused = attestation(&library, &CARD).unwrap_err();

        let said = refused.to_string();
        assert!(matches!(refused, Error::Refused { .. }), "{said}");
        assert!(said.contains(&size.to_string()), "{said}");
    }
}

#[test]
fn a_card_that_does_not_attest_says_so() {
    for function in [
        "nvmlDeviceGetConfComputeGpuAttestationReport",
        "nvmlDeviceGetConfComputeGpuCertificate",
        "nvmlDeviceIsMigDeviceHandle",
    ] {
        let Some(mut library) = StandIn::new() else {
            return;
        };
        library.fails(function, 3);

        let refused = attestation(&library, &CARD).unwrap_err();

        assert!(matches!(refused, Error::NotSupported { .. }), "{refused}");
    }
}

#[test]
fn an_old_library_has_no_attestation() {
    let Some(library) = StandIn::old() else {
        return;
    };

    let refused = attestation(&library, &CARD).unwrap_err();

    assert!(
        matches!(refused, Error::FunctionMissing { .. }),
        "{refused}"
    );
}

#[test]
fn certificates_are_as_long_as_the_library_says() {
    let Some(mut library) = StandIn::new() else {
        return;
    };
    library.says("certificate-size", 17);
    let raw = vram_sys::Nvml::load(library.path().as_os_str()).unwrap();

    let certificates = raw.attestation_certificates(c"GPU-01234567-89ab-cdef-0011-223344556677");

    assert_eq!(certificates.unwrap(), [b'c'; 17]);
}

/// What weakens it is told apart from whether it is on: one can be true without the other.
#[test]
fn confidential_settings_are_told_one_by_one() {
    for (on, debugged) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let Some(mut library) = StandIn::new() else {
            return;
        };
        library.says("confidential", on);
        library.says("developer-tools", debugged);

        let found = library.machine().confidential_settings(&CARD).unwrap();

        assert_eq!(
            (found.enabled, found.developer_tools),
            (on == 1, debugged == 1)
        );
    }
}

/// A question that failed has no answer: only a library that doesn't know it says that there is none.
#[test]
fn a_failed_question_about_confidential_computing_is_no_answer() {
    for (code, unsupported) in [(3, true), (999, false)] {
        let Some(mut library) = StandIn::new() else {
            return;
        };
        library.fails("nvmlSystemGetConfComputeSettings", code);

        let refused = library.machine().confidential_settings(&CARD).unwrap_err();

        let said_so = matches!(refused, Error::NotSupported { .. });
        assert_eq!(said_so, unsupported, "{refused}");
    }
}
