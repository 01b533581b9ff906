//! Memory for the kernels to work on: where reading or writing one byte too many shows.

use std::ffi::c_void;
use std::ops::Range;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use vram_kernels::cpu::{self, CpuFault};
use vram_kernels::{KernelArgs, THREADS_PER_BLOCK};

/// What every byte that a kernel should leave alone is set to, and every byte it should not read.
pub(crate) const POISON: u8 = 0xA5;

/// Pages of this process between two pages that fault on any access.
pub(crate) struct Arena {
    base: *mut c_void,
    mapped: usize,
    page: usize,
}

impl Arena {
    /// Room for `bytes`, poisoned.
    pub(crate) fn new(bytes: usize) -> Self {
        let page = rustix::param::page_size();
        let usable = bytes.next_multiple_of(page).max(page);
        let mapped = usable + 2 * page;
        // SAFETY: a fresh mapping that replaces none.
        let base = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                mapped,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        }
        .unwrap();
        let mut arena = Self { base, mapped, page };
        arena.bytes_mut().fill(POISON);
        arena.protect_at(0, page, MprotectFlags::empty());
        arena.protect_at(page + usable, page, MprotectFlags::empty());
        arena
    }

    /// The digests that a kernel wrote at `at`, up to the faulting page. Before them it wrote nothing.
    pub(crate) fn digests(&self, at: &Range<usize>) -> Vec<[u8; 32]> {
        let (before, digests) = self.bytes().split_at(at.start);
        assert!(
            before.iter().all(|byte| *byte == POISON),
            "wrote before its digests"
        );
        digests
            .chunks(32)
            .map(|digest| digest.try_into().unwrap())
            .collect()
    }

    /// Holds `bytes` with their last byte before the faulting page.
    pub(crate) fn ending_with(bytes: &[u8]) -> (Self, Range<usize>) {
        let mut arena = Self::new(bytes.len());
        let end = arena.len();
        let at = end - bytes.len()..end;
        arena.bytes_mut()[at.clone()].copy_from_slice(bytes);
        (arena, at)
    }

    /// Holds `bytes`, `offset` bytes behind the start of a page.
    pub(crate) fn starting_with(bytes: &[u8], offset: usize) -> (Self, Range<usize>) {
        let mut arena = Self::new(offset + bytes.len() + 16);
        let at = offset..offset + bytes.len();
        arena.bytes_mut()[at.clone()].copy_from_slice(bytes);
        (arena, at)
    }

    /// Usable bytes: whole pages.
    pub(crate) fn len(&self) -> usize {
        self.mapped - 2 * self.page
    }

    /// The address of a usable byte.
    pub(crate) fn address(&self, offset: usize) -> u64 {
        (self.base.expose_provenance() + self.page + offset) as u64
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the usable bytes are mapped, initialised, and borrowed with `self`.
        unsafe {
            std::slice::from_raw_parts(self.base.cast::<u8>().wrapping_add(self.page), self.len())
        }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the usable bytes are mapped, initialised, and borrowed with `self`.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.base.cast::<u8>().wrapping_add(self.page),
                self.len(),
            )
        }
    }

    /// Protects the usable page that begins at `offset`, and what follows it.
    pub(crate) fn protect_from(&self, offset: usize, protection: MprotectFlags) {
        self.protect_at(self.page + offset, self.len() - offset, protection);
    }

    pub(crate) fn page(&self) -> usize {
        self.page
    }

    fn protect_at(&self, offset: usize, bytes: usize, protection: MprotectFlags) {
        // SAFETY: the range lies in the arena's own mapping, to which no reference lives.
        unsafe { mprotect(self.base.wrapping_byte_add(offset), bytes, protection) }.unwrap();
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the arena's own mapping, which nothing refers to any more.
        unsafe { munmap(self.base, self.mapped) }.unwrap();
    }
}

/// The arguments with something changed.
pub(crate) fn changed<A: KernelArgs>(args: &A, change: impl FnOnce(&mut A)) -> A {
    let mut args = *args;
    change(&mut args);
    args
}

/// Launches a kernel over `grid` blocks, all on this thread.
///
/// The addresses in `args` must lie in arenas or be unmapped.
pub(crate) fn launch<A: KernelArgs>(args: &A, grid: u32) -> Result<(), CpuFault> {
    launch_range(args, grid, 0..grid)
}

/// Launches the blocks `blocks` of `grid`.
pub(crate) fn launch_range<A: KernelArgs>(
    args: &A,
    grid: u32,
    blocks: Range<u32>,
) -> Result<(), CpuFault> {
    let args: *const A = args;
    // SAFETY: the argument struct is that of the kernel, and its addresses lie in the tests' arenas, or
    // where every access faults.
    unsafe { cpu::launch(A::KERNEL, grid, THREADS_PER_BLOCK, blocks, args.cast()) }
}
