//! What the host hashes of what is sealed.

use vram_residency::SealRequest;
use vram_seal::VerityDigest;

/// What the host hashes while a file is sealed.
#[derive(Clone, Copy, Debug)]
pub(super) enum HostWork {
    /// The content digest and the verity digest.
    Both,
    /// The verity digest.
    Verity,
    /// Nothing: the verity digest is known.
    Nothing(VerityDigest),
}

/// The request with the host doing no more than that; nothing where this version can't do so.
pub(super) fn hashing(request: SealRequest<'_>, work: HostWork) -> Option<SealRequest<'_>> {
    match work {
        HostWork::Both => Some(request),
        // Sealing always hashes both so far.
        HostWork::Verity | HostWork::Nothing(_) => None,
    }
}

/// Why a way to seal was not measured.
pub(super) const NOT_YET: &str = "this version always hashes both digests on the host";
