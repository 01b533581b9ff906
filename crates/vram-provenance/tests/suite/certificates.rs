//! Signed with a certificate.

use std::time::Duration;

use vram_provenance::{
    CertificateTime, Error, Intermediates, Roots, SignedManifest, Signer, Trust,
};

use crate::vectors::{bundle, read, verify};

/// In 2026: within the dates of everything that is meant to be valid.
const NOW: CertificateTime = CertificateTime::At(Duration::from_secs(1_780_000_000));

fn verify_with(
    signature: &str,
    root: &str,
    intermediate: Option<&str>,
    time: CertificateTime,
) -> Result<SignedManifest, Error> {
    let roots = Roots::from_pem(&read(root)).unwrap();
    let intermediates = intermediate.map(|name| Intermediates::from_pem(&read(name)).unwrap());
    bundle(signature).verify(&Trust::Certificates {
        roots: &roots,
        intermediates: &intermediates.unwrap_or_default(),
        time,
    })
}

fn refusal(signature: &str, root: &str) -> Error {
    verify_with(signature, root, None, NOW).unwrap_err()
}

#[test]
fn a_chain_to_a_given_root_is_trusted_and_says_who_signed() {
    let signed = verify_with("chain.sig", "root.pem", None, NOW).unwrap();

    assert_eq!(
        signed.manifest(),
        verify("p256.sig", "p256.pub").unwrap().manifest()
    );
    let Signer::Certificate(summary) = signed.signer() else {
        panic!("{:?}", signed.signer())
    };
    assert_eq!(
        (summary.subject.as_str(), summary.root.as_str()),
        ("CN=Signer", "CN=Root")
    );
    assert_ne!(summary.fingerprint, summary.root_fingerprint);
}

#[test]
fn what_the_bundle_does_not_bring_can_be_given() {
    assert!(verify_with("chain-alone.sig", "root.pem", Some("intermediate.pem"), NOW).is_ok());
    // An intermediate that is trusted itself needs no root above it.
    assert!(verify_with("chain-alone.sig", "intermediate.pem", None, NOW).is_ok());

    let error = refusal("chain-alone.sig", "root.pem");
    assert!(matches!(error, Error::Untrusted { .. }), "{error:?}");
}

/// Covers: PR-1.
#[test]
fn another_root_of_the_same_name_is_not_the_root() {
    let error = refusal("chain.sig", "other-root.pem");

    assert!(matches!(error, Error::Untrusted { .. }), "{error:?}");
    assert!(error.is_integrity_failure());
}

/// Covers: PR-1.
#[test]
fn an_expired_certificate_passes_only_as_of_its_start() {
    let expired = refusal("chain-expired.sig", "root.pem");
    let future = refusal("chain-future.sig", "root.pem");
    let then = CertificateTime::StartOfSigning;

    assert!(matches!(expired, Error::OutOfDate { .. }), "{expired:?}");
    assert!(
        expired.to_string().contains("was valid until 2020-01-31"),
        "{expired}"
    );
    assert!(matches!(future, Error::OutOfDate { .. }), "{future:?}");
    assert!(verify_with("chain-expired.sig", "root.pem", None, then).is_ok());
    assert!(verify_with("chain-future.sig", "root.pem", None, then).is_ok());
}

#[test]
fn the_edges_of_a_certificates_dates_are_within_them() {
    // From 2020-01-01 to 2020-01-31, both at midnight.
    let (start, end) = (1_577_836_800, 1_580_428_800);
    let at = |seconds| {
        let time = CertificateTime::At(Duration::from_secs(seconds));
        verify_with("chain-expired.sig", "root.pem", None, time).is_ok()
    };

    assert_eq!(
        [start - 1, start, end, end + 1].map(at),
        [false, true, true, false]
    );
}

#[test]
fn an_expired_root_is_no_root() {
    let error = refusal("chain-old-root.sig", "old-root.pem");

    assert!(
        matches!(&error, Error::OutOfDate { subject, .. } if subject == "CN=Old"),
        "{error:?}"
    );
    let then = CertificateTime::StartOfSigning;
    assert!(verify_with("chain-old-root.sig", "old-root.pem", None, then).is_ok());
}

#[test]
fn a_certificate_for_something_else_signs_no_models() {
    assert!(verify_with("chain-code-only.sig", "root.pem", None, NOW).is_ok());
    for (signature, said) in [
        ("chain-no-usage.sig", "neither"),
        ("chain-wrong-usage.sig", "no digitalSignature"),
        ("chain-server.sig", "no codeSigning"),
    ] {
        let error = refusal(signature, "root.pem");
        assert!(
            matches!(error, Error::Usage { .. }),
            "{signature}: {error:?}"
        );
        assert!(error.to_string().contains(said), "{error}");
    }
    for signature in ["chain-authority.sig", "chain-critical.sig"] {
        let error = refusal(signature, "root.pem");
        assert!(
            matches!(error, Error::Untrusted { .. }),
            "{signature}: {error:?}"
        );
    }
}

#[test]
fn what_may_not_issue_certificates_has_issued_none() {
    for signature in ["chain-by-signer.sig", "chain-too-long.sig"] {
        let error = refusal(signature, "root.pem");
        assert!(
            matches!(error, Error::Untrusted { .. }),
            "{signature}: {error:?}"
        );
    }
    for (signature, root, said) in [
        ("chain-by-mute.sig", "root.pem", "no keyCertSign"),
        ("chain-flat-root.sig", "flat-root.pem", "can't be a root"),
    ] {
        let error = refusal(signature, root);
        assert!(
            matches!(error, Error::Usage { .. }),
            "{signature}: {error:?}"
        );
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn a_signer_that_is_itself_trusted_needs_no_authority() {
    assert!(verify_with("self-signed.sig", "flat-root.pem", None, NOW).is_ok());
    assert!(matches!(
        refusal("self-signed.sig", "root.pem"),
        Error::Untrusted { .. }
    ));
}

#[test]
fn a_signers_key_on_another_curve_is_refused_by_name() {
    let error = refusal("chain-p521.sig", "root.pem");

    assert!(error.to_string().contains("P-521"), "{error}");
}

#[test]
fn a_bundle_with_a_key_is_not_verified_with_a_root() {
    let error = refusal("p256.sig", "root.pem");

    assert!(matches!(error, Error::WrongTrust { .. }), "{error:?}");
}

#[test]
fn files_of_certificates_are_read_whole_or_not_at_all() {
    let root = read("root.pem");
    let refused = |pem: &[u8]| Roots::from_pem(pem).unwrap_err().to_string();

    assert!(Roots::from_pem(&[read("other-root.pem"), root.clone()].concat()).is_ok());
    assert!(refused(b"").contains("no -----BEGIN CERTIFICATE-----"));
    assert!(refused(&read("p256.pub")).contains("no -----BEGIN CERTIFICATE-----"));
    assert!(refused(&root[..root.len() / 2]).contains("can't be read"));
    let many = root.repeat(Roots::MAX_CERTIFICATES + 1);
    assert!(refused(&many).contains("limit of 64"));
    assert!(refused(&vec![b' '; Roots::MAX_LEN + 1]).contains("limit of 1048576"));
}
