//! Everything that can be refused.

use thiserror::Error as ThisError;
use vram_seal::{Digest, JsonRefusal};

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a signature, a manifest, a checksum file or a cache is refused.
///
/// Text that came from outside is shown on one line, cut where it is long.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// It is no sigstore bundle.
    #[error("it is not a sigstore bundle: {0}")]
    Bundle(#[source] JsonRefusal),
    /// A bundle of another version.
    #[error(
        "the bundle's media type is {found:?}, only {expected} is read. Sign the model again with a signer that writes it"
    )]
    MediaType {
        /// The type found.
        found: String,
        /// The one that is read.
        expected: &'static str,
    },
    /// A bundle signed without a key, through an identity.
    #[error(
        "this is a keyless signature: a certificate issued for an identity, with an entry in a transparency log. Keyless \
         signatures are not verified here. Verify it with `model_signing verify sigstore`, or have the model signed with \
         a key or a certificate"
    )]
    Keyless,
    /// A bundle that holds something else, or more or less than it has to.
    #[error("the bundle {why}")]
    Material {
        /// What it holds.
        why: &'static str,
    },
    /// There is more than is read.
    #[error("{what} of {found} {unit} is over the limit of {limit}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// Of what.
        unit: &'static str,
        /// How much is read.
        limit: usize,
    },
    /// A public key that can't be read or used.
    #[error("the public key is refused: {why}")]
    PublicKey {
        /// What is wrong with it.
        why: String,
    },
    /// A key was given for a bundle signed with a certificate, or the other way round.
    #[error(
        "the model is signed with {signed_with}, and {given} was given to verify it: give {give}"
    )]
    WrongTrust {
        /// What the bundle names.
        signed_with: &'static str,
        /// What it was to be verified with.
        given: &'static str,
        /// What to do.
        give: &'static str,
    },
    /// The bundle names another key.
    #[error(
        "the signature is by another key: the bundle names the key whose PEM has SHA-256 {named}, the given key's is \
         {given}"
    )]
    OtherKey {
        /// The hint in the bundle.
        named: String,
        /// The given key's.
        given: String,
    },
    /// The signature is not by this key over this content.
    #[error(
        "the signature does not verify: it is by another key, or what was signed has been changed. Nothing that it says \
         is to be believed"
    )]
    Signature,
    /// A certificate, or a file of certificates, that can't be read.
    #[error("{which} can't be read: {why}")]
    Certificate {
        /// Which certificate.
        which: String,
        /// What is wrong with it.
        why: String,
    },
    /// No chain of valid certificates leads from the signing certificate to a given root.
    #[error("the signing certificate {subject:?} is not trusted: {why}")]
    Untrusted {
        /// Its subject.
        subject: String,
        /// Why not.
        why: String,
    },
    /// A certificate on the chain is not valid at the moment.
    #[error(
        "certificate {subject:?} {when}. Have the model signed again, or verify as of the start of the signing \
         certificate's validity, if you know that it was signed in time"
    )]
    OutOfDate {
        /// Its subject.
        subject: String,
        /// When it was or will be valid.
        when: String,
    },
    /// A certificate on the chain is for something else.
    #[error("certificate {subject:?} {why}")]
    Usage {
        /// Its subject.
        subject: String,
        /// What it can't be used for.
        why: &'static str,
    },
    /// What was signed is of another type.
    #[error("the signed payload's type is {found:?}, expected {expected}")]
    PayloadType {
        /// The type found.
        found: String,
        /// The type that is read.
        expected: &'static str,
    },
    /// What was signed is no such statement.
    #[error("the signed statement is malformed: {0}")]
    Statement(#[source] JsonRefusal),
    /// What was signed is not about a model, or not in a way that is read.
    #[error("the signed statement's {what} is {found:?}, {read} is read")]
    Unsupported {
        /// Which part of the statement.
        what: &'static str,
        /// Its value.
        found: String,
        /// What is read there.
        read: &'static str,
    },
    /// The manifest's digests don't add up to the digest that the statement is about.
    #[error(
        "the manifest is inconsistent: its digests hash to {computed}, the statement is about {stated}"
    )]
    RootDigest {
        /// The hash of the digests.
        computed: Digest,
        /// The subject's digest.
        stated: Digest,
    },
    /// An entry of the manifest is not what it may be.
    #[error("the manifest's entry {name:?} is refused: {why}")]
    Entry {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A line of a checksum file can't be read.
    #[error("line {line} of the checksum file is refused: {why}")]
    Checksum {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A file in a cache has no digest for its name.
    #[error("{path} {why}")]
    Cache {
        /// The file, as it was named.
        path: String,
        /// What is wrong with it, and what to do.
        why: &'static str,
    },
}

impl Error {
    /// Whether the same call may succeed later with nothing repaired in between: never.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        false
    }

    /// Whether it says that what was signed, or the signer, is not the one expected: what an auditor must hear of.
    /// Everything else is a matter of form.
    #[must_use]
    pub const fn is_integrity_failure(&self) -> bool {
        matches!(
            self,
            Self::OtherKey { .. }
                | Self::Signature
                | Self::Untrusted { .. }
                | Self::OutOfDate { .. }
                | Self::Usage { .. }
                | Self::RootDigest { .. }
        )
    }
}
