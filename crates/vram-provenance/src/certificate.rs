//! Certificates: from the one that signed to a root that was given.
//!
//! `rustls-webpki` builds and verifies the path: signatures, dates, `BasicConstraints`, path length, name constraints,
//! extended key usage, critical extensions. It takes a root as a name and a key, and passes over `KeyUsage`: roots and
//! usages are looked at here.

use std::time::Duration;

use pkcs8::{
    ObjectIdentifier,
    der::{Decode as _, Encode as _},
};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime, pem::PemObject as _};
use vram_seal::Digest;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage as Purpose, anchor_from_trusted_cert};
use x509_cert::{
    Certificate,
    ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage},
};

use crate::shown::shown;
use crate::{Error, PublicKey, Result};

/// The greatest length of a certificate, in bytes.
pub(crate) const MAX_CERTIFICATE_LEN: usize = 16 << 10;

/// `id-kp-codeSigning` of RFC 5280: its number, and the bytes that stand for it in DER.
const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
const CODE_SIGNING_DER: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 3];

/// The moment at which certificates have to be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateTime {
    /// This one, counted from 1970 in UTC: the present, usually.
    At(Duration),
    /// The one at which the signing certificate began to be valid. Nothing in a bundle proves when it was signed, so an
    /// expired certificate then counts as much as a valid one: whoever got hold of its key since can sign with it. It is
    /// what the reference implementation does.
    StartOfSigning,
}

/// The certificates that are trusted.
#[derive(Clone, Debug)]
pub struct Roots(Vec<CertificateDer<'static>>);

/// Certificates that may lie between a signing certificate and a root. Nothing is trusted for their sake.
#[derive(Clone, Debug, Default)]
pub struct Intermediates(Vec<CertificateDer<'static>>);

/// The certificate that signed, after it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateSummary {
    /// Its subject (RFC 4514), fit to be shown.
    pub subject: String,
    /// SHA-256 of it in DER: `openssl x509 -outform DER | sha256sum`.
    pub fingerprint: Digest,
    /// The subject of the root that it leads to.
    pub root: String,
    /// SHA-256 of that root in DER.
    pub root_fingerprint: Digest,
}

impl Roots {
    /// The greatest number of roots, and of intermediates.
    pub const MAX_CERTIFICATES: usize = 64;
    /// The greatest length of the PEM, in bytes.
    pub const MAX_LEN: usize = 1 << 20;

    /// Reads one or more certificates in PEM.
    ///
    /// # Errors
    /// [`Error::Certificate`] where there is none, or one can't be read; [`Error::TooMuch`] over the limits.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        certificates(pem, "root certificate").map(Self)
    }
}

impl Intermediates {
    /// Reads one or more certificates in PEM, within the limits of [`Roots`].
    ///
    /// # Errors
    /// As [`Roots::from_pem`].
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        certificates(pem, "certificate of the chain").map(Self)
    }
}

fn certificates(pem: &[u8], which: &str) -> Result<Vec<CertificateDer<'static>>> {
    let limit = |what, found, unit, limit| {
        if found <= limit {
            return Ok(());
        }
        Err(Error::TooMuch {
            what,
            found,
            unit,
            limit,
        })
    };
    limit("a file of certificates", pem.len(), "bytes", Roots::MAX_LEN)?;
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|why| unreadable(which, &why.to_string()))?;
        certificates.push(certificate);
        let found = certificates.len();
        limit("a file", found, "certificates", Roots::MAX_CERTIFICATES)?;
    }
    for certificate in &certificates {
        limit(
            "a certificate",
            certificate.len(),
            "bytes",
            MAX_CERTIFICATE_LEN,
        )?;
        Facts::of(certificate, which)?;
    }
    if certificates.is_empty() {
        let why = "there is no -----BEGIN CERTIFICATE-----";
        return Err(unreadable(which, why));
    }
    Ok(certificates)
}

fn unreadable(which: &str, why: &str) -> Error {
    Error::Certificate {
        which: format!("the {which}"),
        why: shown(why),
    }
}

/// What is looked at in a certificate beside what `rustls-webpki` does.
struct Facts {
    subject: String,
    certificate: Certificate,
}

impl Facts {
    fn of(der: &CertificateDer<'_>, which: &str) -> Result<Self> {
        let certificate =
            Certificate::from_der(der).map_err(|why| unreadable(which, &why.to_string()))?;
        Ok(Self {
            subject: shown(&certificate.tbs_certificate().subject().to_string()),
            certificate,
        })
    }

    fn usage(&self, why: &'static str) -> Error {
        Error::Usage {
            subject: self.subject.clone(),
            why,
        }
    }

    fn untrusted(&self, why: String) -> Error {
        Error::Untrusted {
            subject: self.subject.clone(),
            why,
        }
    }

    /// One of its extensions, if it has it.
    fn extension<T>(&self) -> Result<Option<T>>
    where
        T: for<'d> pkcs8::der::Decode<'d, Error = pkcs8::der::Error> + pkcs8::AssociatedOid,
    {
        let found = self.certificate.tbs_certificate().get_extension::<T>();
        let found = found.map_err(|_| self.usage("has an extension that can't be read"))?;
        Ok(found.map(|(_, extension)| extension))
    }

    /// Whether it may sign what isn't a certificate.
    fn require_signing(&self) -> Result<()> {
        let usage: Option<KeyUsage> = self.extension()?;
        let purposes: Option<ExtendedKeyUsage> = self.extension()?;
        if usage.is_some_and(|usage| !usage.digital_signature()) {
            return Err(
                self.usage("can't be used for signing: its KeyUsage has no digitalSignature")
            );
        }
        match purposes {
            None if usage.is_none() => Err(self.usage(
                "can't be used for signing: it has neither KeyUsage with digitalSignature nor ExtendedKeyUsage with \
                 codeSigning",
            )),
            Some(purposes) if !purposes.0.contains(&CODE_SIGNING) => {
                Err(self.usage("can't be used for signing models: its ExtendedKeyUsage has no codeSigning"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it may sign certificates, as far as its usage says.
    fn require_issuing(&self) -> Result<()> {
        match self.extension::<KeyUsage>()? {
            Some(usage) if !usage.key_cert_sign() => {
                Err(self.usage("can't sign certificates: its KeyUsage has no keyCertSign"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is an authority's.
    fn require_authority(&self) -> Result<()> {
        match self.extension::<BasicConstraints>()? {
            Some(constraints) if constraints.ca => Ok(()),
            _ => Err(self.usage(
                "can't be a root: its BasicConstraints don't say that it is an authority's",
            )),
        }
    }

    /// Whether it is valid at a moment.
    fn require_date(&self, at: Duration) -> Result<()> {
        let validity = self.certificate.tbs_certificate().validity();
        let (start, end) = (validity.not_before, validity.not_after);
        let when = if at < start.to_unix_duration() {
            format!("is valid from {start} on")
        } else if at > end.to_unix_duration() {
            format!("was valid until {end}")
        } else {
            return Ok(());
        };
        Err(Error::OutOfDate {
            subject: self.subject.clone(),
            when,
        })
    }

    fn start(&self) -> Duration {
        let validity = self.certificate.tbs_certificate().validity();
        validity.not_before.to_unix_duration()
    }
}

/// The key of the first certificate, if it leads to a root.
pub(crate) fn verify(
    chain: &[CertificateDer<'static>],
    given: &Intermediates,
    roots: &Roots,
    time: CertificateTime,
) -> Result<(PublicKey, CertificateSummary)> {
    let (signing, brought) = chain.split_first().ok_or(Error::Material {
        why: "brings a chain of no certificates",
    })?;
    let facts = Facts::of(signing, "signing certificate")?;
    let at = match time {
        CertificateTime::At(at) => at,
        CertificateTime::StartOfSigning => facts.start(),
    };
    facts.require_date(at)?;
    facts.require_signing()?;

    let between: Vec<_> = brought.iter().chain(&given.0).cloned().collect();
    let anchors = anchors(roots)?;
    let end = EndEntityCert::try_from(signing).map_err(|why| refusal(&facts, &why))?;
    let path = end
        .verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &anchors,
            &between,
            UnixTime::since_unix_epoch(at),
            Purpose::required_if_present(CODE_SIGNING_DER),
            None,
            None,
        )
        .map_err(|why| refusal(&facts, &why))?;

    for issuer in path.intermediate_certificates() {
        Facts::of(&issuer.der(), "certificate of the chain")?.require_issuing()?;
    }
    let (root, root_facts) = root(roots, path.anchor(), signing, at)?;
    let key = facts
        .certificate
        .tbs_certificate()
        .subject_public_key_info();
    let key = key
        .to_der()
        .map_err(|why| unreadable("signing certificate's key", &why.to_string()))?;
    let summary = CertificateSummary {
        subject: facts.subject,
        fingerprint: Digest::of(signing),
        root: root_facts.subject,
        root_fingerprint: Digest::of(root),
    };
    Ok((PublicKey::from_spki_der(&key)?, summary))
}

fn anchors(roots: &Roots) -> Result<Vec<TrustAnchor<'_>>> {
    let anchor = |root| {
        anchor_from_trusted_cert(root)
            .map_err(|why| unreadable("root certificate", &why.to_string()))
    };
    roots.0.iter().map(anchor).collect()
}

/// The root that the path ends at: several may have one name and one key, and one of them has to be good.
fn root<'r>(
    roots: &'r Roots,
    anchor: &TrustAnchor<'_>,
    signing: &CertificateDer<'_>,
    at: Duration,
) -> Result<(&'r CertificateDer<'static>, Facts)> {
    let check = |root: &'r CertificateDer<'static>| {
        let facts = Facts::of(root, "root certificate")?;
        facts.require_date(at)?;
        // A signing certificate that is itself trusted issues nothing.
        if root != signing {
            facts.require_authority()?;
            facts.require_issuing()?;
        }
        Ok((root, facts))
    };
    let mut refused = None;
    for root in &roots.0 {
        if anchor_from_trusted_cert(root).is_ok_and(|its| its == *anchor) {
            match check(root) {
                Ok(root) => return Ok(root),
                Err(why) => refused = Some(why),
            }
        }
    }
    Err(refused.unwrap_or_else(|| unreadable("root certificate", "it is not among those given")))
}

/// What `rustls-webpki` refused, in words.
fn refusal(signing: &Facts, why: &webpki::Error) -> Error {
    use webpki::Error as Why;
    let said = match why {
        Why::UnknownIssuer => {
            "no certificate given or brought issued it, up to a given root".to_owned()
        }
        Why::CertExpired { .. } => "a certificate that it depends on has expired".to_owned(),
        Why::CertNotValidYet { .. } => {
            "a certificate that it depends on is not valid yet".to_owned()
        }
        Why::CaUsedAsEndEntity => {
            "it is an authority's certificate, which signs certificates and not models".to_owned()
        }
        Why::UnsupportedCriticalExtension => {
            "it, or a certificate that it depends on, has a critical extension that is not known here".to_owned()
        }
        Why::PathLenConstraintViolated => {
            "the chain is longer than one of its authorities allows".to_owned()
        }
        Why::EndEntityUsedAsCa => "it was issued by a certificate that is no authority's".to_owned(),
        Why::InvalidSignatureForPublicKey => {
            "it, or a certificate that it depends on, is not signed by its issuer".to_owned()
        }
        other => format!("{other}"),
    };
    signing.untrusted(said)
}
