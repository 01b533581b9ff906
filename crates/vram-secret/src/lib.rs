//! Secret bytes on pages of their own.
//!
//! [`SecretBytes`] holds a token or a key. What it does for them, and where:
//!
//! | danger | answer | where |
//! | --- | --- | --- |
//! | the page is written to swap | `mlock(2)`, where the limit `RLIMIT_MEMLOCK` permits it; [`SecretBytes::protection`] says | Unix |
//! | the page is in a core dump | `MADV_DONTDUMP` | Linux |
//! | a forked child inherits it | `MADV_WIPEONFORK`; the child is told that the bytes are gone, never given zeros | Linux |
//! | other data shares its page, so that it is copied with it | pages of its own | Unix |
//! | it stays in memory that is given back | wiped when dropped | everywhere |
//! | a growing buffer leaves copies behind | the room is taken once and never moves | everywhere |
//! | it is printed, logged, cloned, serialized, compared | no such implementation, but a `Debug` that prints a fixed word | everywhere |
//!
//! Where a protection can't be had the bytes are held without it, and said to be: a container with no right to lock
//! memory still has to be able to hold a key.
//!
//! ```
//! use vram_secret::SecretBytes;
//!
//! let secret = SecretBytes::copy_of(b"thirty-two bytes of randomness..")?;
//! assert_eq!(secret.expose()?.len(), 32);
//! assert_eq!(format!("{secret:?}"), "SecretBytes(secret)");
//! println!("locked: {}", secret.is_locked());
//! # Ok::<(), vram_secret::Error>(())
//! ```
//!
//! It guards against copies left where nobody thinks of them. It does not guard against whoever may read this
//! process's memory while it runs, and not what [`SecretBytes::expose`] gives out: whoever takes it must not copy it.

#[cfg(unix)]
mod descriptor;
mod error;
#[cfg(not(all(unix, not(miri))))]
mod heap;
#[cfg(all(unix, not(miri)))]
mod pages;
mod secret_bytes;

#[cfg(not(all(unix, not(miri))))]
use heap as place;
#[cfg(all(unix, not(miri)))]
use pages as place;

pub use error::{Error, Result};
pub use secret_bytes::{Protection, SecretBytes};
