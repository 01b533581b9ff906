//! Where the expected digests of a model come from: signed manifests, checksum files, caches named by digest.
//!
//! This crate parses and verifies; it opens no file. What it gives are digests that somebody stands for, and paths
//! they are to be found under. Comparing them with bytes is the caller's part: `vram-residency` does it while it seals.
//!
//! # Signed models
//!
//! The format is `OpenSSF` Model Signing's, as the package `model-signing` 1.1.1 writes it: a sigstore bundle (v0.3)
//! around a DSSE envelope around an in-toto statement, whose predicate lists every file of a folder with its digest.
//!
//! ```no_run
//! use vram_provenance::{Bundle, PublicKey, Trust};
//!
//! # let (model_sig, key_pub) = (Vec::new(), String::new());
//! let bundle = Bundle::from_json(&model_sig)?;
//! let key = PublicKey::from_pem(&key_pub)?;
//! let signed = bundle.verify(&Trust::Key(&key))?;
//! for (path, digest) in signed.manifest().files() {
//!     println!("{path}: {digest:?}");
//! }
//! # Ok::<(), vram_provenance::Error>(())
//! ```
//!
//! What is checked is what the reference implementation checks, and more:
//!
//! | | the reference | here |
//! | --- | --- | --- |
//! | keys | ECDSA with P-256, P-384, P-521, in X.509's encoding, points compressed or not | P-256 and P-384, uncompressed; `ring` has no P-521 |
//! | the key's hint in the bundle | refused if it is another key's | the same |
//! | signatures in the envelope | the first of any number | exactly one |
//! | a certificate's dates | at the moment at which the signing certificate began to be valid, so expired ones pass | now, unless [`CertificateTime::StartOfSigning`] is asked for |
//! | its use | `KeyUsage` has `digitalSignature`, or else `ExtendedKeyUsage` has `codeSigning` | one of them is there, and each that is there allows it (RFC 5280, 4.2.1.12) |
//! | issuers | `BasicConstraints`, path length, `KeyUsage`, dates, critical extensions | the same, the given root included; a root need not be self-signed: what is given is trusted |
//! | revocation | none | none |
//! | statement | type, predicate type, one subject, root digest over the resources | the same, and each name once, each path inside the folder, shards without gap or overlap |
//! | JSON names that come twice | the last counts | refused |
//! | hash methods | SHA-256, `BLAKE2b`, BLAKE3 | SHA-256 |
//! | signatures of releases before 1.0 | accepted, by two work-arounds | refused by name |
//! | keyless bundles | verified with sigstore's services | refused by name: out of scope |
//!
//! A bundle that passes here passes there. Whether a folder does is for whoever compares its files: `vram-residency` refuses
//! symbolic links and special files where the reference does, the model's own path and ignored paths included.
//!
//! # Known ways to fail, and what answers them
//!
//! | weakness | answer |
//! | --- | --- |
//! | a manifest used before its signature was checked | [`SignedManifest`] is made by [`Bundle::verify`] alone |
//! | a path that leads out of the folder | refused as it is read: no `..`, no leading `/`, no empty part, no NUL |
//! | a file ignored by the signer's own list, and sealed all the same | a path can't be both; whoever seals a file asks [`Manifest::digest_of`] for it, and gets none |
//! | a certificate for another purpose | its usages are looked at, and those of its issuers |
//! | exhaustion by hostile input | see the limits of [`Bundle`], [`Manifest`], [`Roots`], [`checksums`] |
#![forbid(unsafe_code)]

mod bundle;
pub mod cache;
mod certificate;
pub mod checksums;
mod error;
mod manifest;
mod pieces;
mod public_key;
mod shown;
mod statement;

pub use self::{
    bundle::{Bundle, SignedManifest, Signer, Trust},
    certificate::{CertificateSummary, CertificateTime, Intermediates, Roots},
    error::{Error, Result},
    manifest::{FileDigest, Layout, Manifest, UnverifiedManifest},
    pieces::PieceDigests,
    public_key::{Curve, PublicKey},
};
