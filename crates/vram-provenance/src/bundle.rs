//! The bundle: a signature, what it is over, and what it is to be verified with.

use std::fmt;

use base64ct::{Base64, Encoding as _};
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use serde_json::Value;
use vram_seal::{
    dsse::pae,
    json::{self, Limits},
};

use crate::certificate::{self, CertificateSummary, CertificateTime, Intermediates, Roots};
use crate::shown::shown;
use crate::{Error, Manifest, PublicKey, Result, UnverifiedManifest, statement};

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A sigstore bundle over a statement about a model, read and not verified.
pub struct Bundle {
    material: Material,
    payload_type: String,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// What the bundle says it was signed with.
enum Material {
    Key { hint: Option<String> },
    Certificates(Vec<CertificateDer<'static>>),
}

/// What a bundle is verified with.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Trust<'a> {
    /// The signer's public key.
    Key(&'a PublicKey),
    /// Certificates that stand for all signers that they lead to.
    Certificates {
        /// Where chains have to end.
        roots: &'a Roots,
        /// What may lie between, beside what the bundle brings.
        intermediates: &'a Intermediates,
        /// The moment at which the certificates have to be valid.
        time: CertificateTime,
    },
}

/// Who signed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Signer {
    /// The given public key.
    Key(PublicKey),
    /// The certificate that leads to a given root.
    Certificate(CertificateSummary),
}

/// A manifest whose signature was verified. Nothing else makes one.
#[derive(Clone, Debug)]
pub struct SignedManifest {
    manifest: Manifest,
    signer: Signer,
}

impl SignedManifest {
    /// What was signed.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Who signed it.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }
}

/// Members that are not named are ignored, as protocol buffers do.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BundleForm {
    media_type: String,
    verification_material: MaterialForm,
    dsse_envelope: Option<EnvelopeForm>,
    message_signature: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MaterialForm {
    public_key: Option<PublicKeyForm>,
    x509_certificate_chain: Option<ChainForm>,
    /// A single certificate is how keyless bundles have it.
    certificate: Option<Value>,
}

#[derive(Deserialize)]
struct PublicKeyForm {
    #[serde(default)]
    hint: Option<String>,
}

#[derive(Deserialize)]
struct ChainForm {
    certificates: Vec<CertificateForm>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CertificateForm {
    raw_bytes: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeForm {
    payload: String,
    payload_type: String,
    signatures: Vec<SignatureForm>,
}

#[derive(Deserialize)]
struct SignatureForm {
    sig: String,
}

impl Bundle {
    /// The greatest length of a bundle, in bytes.
    pub const MAX_LEN: usize = 64 << 20;
    /// How deep its JSON's objects and arrays may lie in each other.
    pub const MAX_DEPTH: u32 = 16;
    /// How many values its JSON may hold.
    pub const MAX_VALUES: u32 = 4096;
    /// The greatest length of a signature, in bytes.
    pub const MAX_SIGNATURE_LEN: usize = 1024;
    /// The greatest number of certificates that it may bring.
    pub const MAX_CERTIFICATES: usize = 8;

    /// Reads a bundle. It says nothing about who signed it; [`verify`](Self::verify) does.
    ///
    /// # Errors
    /// [`Error::Keyless`] for a keyless one; [`Error::MediaType`], [`Error::Bundle`], [`Error::Material`] and
    /// [`Error::TooMuch`] for what is not a bundle of this kind.
    pub fn from_json(document: &[u8]) -> Result<Self> {
        let limits = Limits {
            bytes: Self::MAX_LEN,
            depth: Self::MAX_DEPTH,
            values: Self::MAX_VALUES,
        };
        let form: BundleForm = json::read(document, limits).map_err(Error::Bundle)?;
        if form.media_type != MEDIA_TYPE {
            return Err(Error::MediaType {
                found: shown(&form.media_type),
                expected: MEDIA_TYPE,
            });
        }
        let material = material(form.verification_material)?;
        let envelope = match (form.dsse_envelope, form.message_signature) {
            (Some(envelope), None) => envelope,
            (None, _) => {
                return Err(Error::Material {
                    why: "holds no DSSE envelope: it signs something other than a model's manifest",
                });
            }
            (Some(_), Some(_)) => {
                return Err(Error::Material {
                    why: "holds an envelope and a message signature; it has to be one",
                });
            }
        };
        let [signature] = envelope.signatures.as_slice() else {
            return Err(Error::Material {
                why: "holds no signature, or several; it has to be one",
            });
        };
        let signature = decode(&signature.sig)?;
        limit(
            "a signature",
            signature.len(),
            "bytes",
            Self::MAX_SIGNATURE_LEN,
        )?;
        let payload = decode(&envelope.payload)?;
        limit("a statement", payload.len(), "bytes", statement::MAX_LEN)?;
        Ok(Self {
            material,
            payload_type: envelope.payload_type,
            payload,
            signature,
        })
    }

    /// The manifest, if this signer signed it.
    ///
    /// # Errors
    /// [`Error::OtherKey`], [`Error::Signature`], [`Error::Untrusted`], [`Error::OutOfDate`] and [`Error::Usage`] for a
    /// signature that is not to be believed; [`Error::WrongTrust`] where it can't be verified with what was given; and
    /// for what was signed [`Error::PayloadType`], [`Error::Statement`], [`Error::Unsupported`], [`Error::RootDigest`],
    /// [`Error::Entry`].
    pub fn verify(&self, trust: &Trust<'_>) -> Result<SignedManifest> {
        let (key, signer) = self.signer(trust)?;
        key.verify(&pae(&self.payload_type, &self.payload), &self.signature)?;
        Ok(SignedManifest {
            manifest: self.read()?,
            signer,
        })
    }

    /// What the bundle claims, before it was verified: to be shown, not to be believed.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), for what was signed.
    pub fn claims(&self) -> Result<UnverifiedManifest> {
        self.read().map(UnverifiedManifest)
    }

    /// Whose key has to have signed.
    fn signer(&self, trust: &Trust<'_>) -> Result<(PublicKey, Signer)> {
        match (&self.material, trust) {
            (Material::Key { hint }, Trust::Key(key)) => {
                let given = key.hint()?;
                if let Some(named) = hint.as_ref().filter(|hint| **hint != given) {
                    let named = shown(named);
                    return Err(Error::OtherKey { named, given });
                }
                Ok(((*key).clone(), Signer::Key((*key).clone())))
            }
            (
                Material::Certificates(chain),
                Trust::Certificates {
                    roots,
                    intermediates,
                    time,
                },
            ) => {
                let (key, summary) = certificate::verify(chain, intermediates, roots, *time)?;
                Ok((key, Signer::Certificate(summary)))
            }
            (Material::Key { .. }, Trust::Certificates { .. }) => Err(Error::WrongTrust {
                signed_with: "a key alone",
                given: "a root certificate",
                give: "the signer's public key",
            }),
            (Material::Certificates(_), Trust::Key(_)) => Err(Error::WrongTrust {
                signed_with: "a certificate",
                given: "a public key",
                give: "the root certificate that it leads to",
            }),
        }
    }

    fn read(&self) -> Result<Manifest> {
        if self.payload_type != PAYLOAD_TYPE {
            return Err(Error::PayloadType {
                found: shown(&self.payload_type),
                expected: PAYLOAD_TYPE,
            });
        }
        statement::read(&self.payload)
    }
}

/// Lengths; nothing of what may not have been verified.
impl fmt::Debug for Bundle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Bundle")
            .field("payload_bytes", &self.payload.len())
            .field("signature_bytes", &self.signature.len())
            .finish_non_exhaustive()
    }
}

fn material(form: MaterialForm) -> Result<Material> {
    match (
        form.certificate,
        form.public_key,
        form.x509_certificate_chain,
    ) {
        (Some(_), None, None) => Err(Error::Keyless),
        (None, Some(key), None) => Ok(Material::Key {
            // Signers of early releases left it out, or empty.
            hint: key.hint.filter(|hint| !hint.is_empty()),
        }),
        (None, None, Some(chain)) => chain_of(chain).map(Material::Certificates),
        (None, None, None) => Err(Error::Material {
            why: "doesn't say what it was signed with: there is no key and no certificate",
        }),
        _ => Err(Error::Material {
            why: "names several kinds of what it was signed with; it has to be one",
        }),
    }
}

fn chain_of(form: ChainForm) -> Result<Vec<CertificateDer<'static>>> {
    let found = form.certificates.len();
    limit("a chain", found, "certificates", Bundle::MAX_CERTIFICATES)?;
    if found == 0 {
        return Err(Error::Material {
            why: "brings a chain of no certificates",
        });
    }
    let read = |form: &CertificateForm| {
        let der = decode(&form.raw_bytes)?;
        let limit_len = certificate::MAX_CERTIFICATE_LEN;
        limit("a certificate", der.len(), "bytes", limit_len)?;
        Ok(CertificateDer::from(der))
    };
    form.certificates.iter().map(read).collect()
}

fn decode(text: &str) -> Result<Vec<u8>> {
    Base64::decode_vec(text).map_err(|_| Error::Material {
        why: "holds a value that is not base64 as RFC 4648 defines it, with padding",
    })
}

fn limit(what: &'static str, found: usize, unit: &'static str, limit: usize) -> Result<()> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::TooMuch {
        what,
        found,
        unit,
        limit,
    })
}
