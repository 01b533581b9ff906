//! Pages of memory that hold nothing but one secret.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::slice;

use rustix::mm::{self, MapFlags, ProtFlags};
use zeroize::Zeroize as _;

use crate::{Error, Protection, Result};

/// A private anonymous mapping: whole pages, of which the first `len` bytes are used.
pub(crate) struct Place {
    /// The first byte of a mapping that is this value's alone from `new` to `drop`: readable and writable, `len`
    /// bytes long or longer, zeroed by the system when it was made.
    start: NonNull<u8>,
    /// At least 1.
    len: usize,
    protection: Protection,
}

// SAFETY: the mapping belongs to this value alone and to no thread; moving the value moves the ownership.
unsafe impl Send for Place {}

// SAFETY: through a shared reference the mapping is read only, and it is written through an exclusive one only. That
// the kernel zeroes a forked child's copy happens in another process, before any code of it runs.
unsafe impl Sync for Place {}

impl Place {
    /// So many zeros, at least one.
    pub(crate) fn new(len: usize) -> Result<Self> {
        // SAFETY: the address is left to the system, so the mapping replaces no other.
        let mapped = unsafe {
            mm::mmap_anonymous(
                ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        };
        let start = mapped.map_err(|error| Error::NoMemory {
            source: error.into(),
        })?;
        let start = NonNull::new(start.cast()).ok_or_else(|| Error::NoMemory {
            source: std::io::ErrorKind::OutOfMemory.into(),
        })?;
        Ok(Self {
            start,
            len,
            protection: protect(start.as_ptr().cast(), len),
        })
    }

    pub(crate) const fn bytes(&self) -> &[u8] {
        // SAFETY: `start` and `len` are those of the mapping, which is initialised, stays until `drop`, and is not
        // written while `self` is borrowed.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    pub(crate) const fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; and `self` is borrowed exclusively, so nobody else reads or writes it.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// The last byte as it is now: a fork may have zeroed it behind the compiler's back.
    pub(crate) fn last_byte(&self) -> u8 {
        let last: *const u8 = self.bytes().last().map_or(ptr::null(), ptr::from_ref);
        if last.is_null() {
            return 0;
        }
        // SAFETY: `last` was made of a reference into the mapping, which `self` keeps.
        unsafe { ptr::read_volatile(last) }
    }

    pub(crate) const fn protection(&self) -> Protection {
        self.protection
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Volatile writes, which the compiler keeps though nothing reads them.
        self.bytes_mut().zeroize();
        #[cfg(all(test, target_os = "linux"))]
        tests::WIPED.set(self.bytes().iter().all(|byte| *byte == 0));
        // SAFETY: the mapping is this value's alone, nothing borrows it any more, and it is not used after this.
        let unmapped = unsafe { mm::munmap(self.start.as_ptr().cast(), self.len) };
        // The system refuses only what is no mapping. It is wiped in any case, and lost at worst.
        unmapped.ok();
    }
}

/// Has the system protect a mapping before anything is in it, as far as it does that.
fn protect(start: *mut c_void, len: usize) -> Protection {
    // SAFETY: the range is that of a mapping that the caller has just made.
    let locked = unsafe { mm::mlock(start, len) }.is_ok();
    Protection {
        locked,
        kept_from_dumps: keep_from_dumps(start, len),
        kept_from_forks: keep_from_forks(start, len),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn keep_from_dumps(start: *mut c_void, len: usize) -> bool {
    // SAFETY: the advice changes what a core dump holds, not what the memory holds.
    unsafe { mm::madvise(start, len, mm::Advice::LinuxDontDump) }.is_ok()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn keep_from_forks(start: *mut c_void, len: usize) -> bool {
    // SAFETY: the advice changes what a forked child finds there, which `Place::last_byte` reads as it is.
    unsafe { mm::madvise(start, len, mm::Advice::LinuxWipeOnFork) }.is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
const fn keep_from_dumps(_: *mut c_void, _: usize) -> bool {
    false
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
const fn keep_from_forks(_: *mut c_void, _: usize) -> bool {
    false
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::io;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use super::*;
    use crate::SecretBytes;

    /// What the kernel says of the mapping that holds this address: the letters of `VmFlags` in `smaps`.
    fn flags_of(address: usize) -> Vec<String> {
        let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut is_it = false;
        for line in smaps.lines() {
            let range = line
                .split(' ')
                .next()
                .and_then(|range| range.split_once('-'));
            let hex = |text| usize::from_str_radix(text, 16).ok();
            if let Some((Some(start), Some(end))) = range.map(|(start, end)| (hex(start), hex(end)))
            {
                is_it = (start..end).contains(&address);
            }
            if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| is_it) {
                return flags.split_whitespace().map(str::to_owned).collect();
            }
        }
        panic!("no mapping holds the address")
    }

    /// Covers: XK-3.
    #[test]
    fn the_kernel_confirms_each_protection_that_is_claimed() {
        let place = Place::new(33).unwrap();
        let flags = flags_of(place.start.as_ptr().addr());
        let has = |flag: &str| flags.iter().any(|found| found == flag);
        let Protection {
            locked,
            kept_from_dumps,
            kept_from_forks,
        } = place.protection();

        assert_eq!(
            (locked, kept_from_dumps, kept_from_forks),
            (has("lo"), has("dd"), has("wf")),
            "{flags:?}"
        );
        // Linux has had both since 4.14; whether it locks is the limit's to say.
        assert!(kept_from_dumps && kept_from_forks);
        // Memory that was not protected shows that the flags are those of the protection.
        let plain = vec![0_u8; 1 << 20];
        let flags = flags_of(plain.as_ptr().addr());
        assert!(
            !["lo", "dd", "wf"]
                .iter()
                .any(|flag| flags.iter().any(|found| found == flag))
        );
    }

    thread_local! {
        /// Whether the last place that was dropped held nothing when it was given back.
        pub(super) static WIPED: Cell<bool> = const { Cell::new(false) };
    }

    /// Covers: CI-006, XK-3.
    #[test]
    fn a_secret_is_wiped_before_its_page_is_given_back() {
        WIPED.set(false);

        drop(SecretBytes::copy_of(&[7; 32]).unwrap());

        assert!(WIPED.get());
    }

    /// Covers: XK-3.
    #[test]
    fn two_secrets_share_no_page() {
        let (one, other) = (Place::new(32).unwrap(), Place::new(32).unwrap());
        let page = rustix::param::page_size();
        let page_of = |place: &Place| place.start.as_ptr().addr() / page;
        assert!(one.start.as_ptr().addr().is_multiple_of(page));
        assert_ne!(page_of(&one), page_of(&other));
    }

    /// Covers: XK-3.
    #[test]
    fn a_forked_child_is_told_that_the_secret_is_gone_and_the_parent_keeps_it() {
        let secret = std::sync::Arc::new(SecretBytes::copy_of(&[7; 32]).unwrap());
        let childs = std::sync::Arc::clone(&secret);
        let mut child = Command::new("true");
        let look = move || match childs.expose() {
            Err(Error::Forked) => Err(io::Error::from_raw_os_error(4242)),
            _ => Ok(()),
        };
        // SAFETY: the closure reads memory and makes an error of a number: nothing that a fork could have left locked.
        unsafe { child.pre_exec(look) };

        let error = child.spawn().unwrap_err();

        assert_eq!(error.raw_os_error(), Some(4242), "{error}");
        assert_eq!(secret.expose().unwrap(), [7; 32]);
    }
}
