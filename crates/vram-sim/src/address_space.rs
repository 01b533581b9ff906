//! The addresses that a machine's devices use: real ones, with real page protection.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::ptr;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mmap_anonymous, mprotect, munmap};
use vram_sys::CUresult;

use crate::answer::Answer;
use crate::error::{SimError, os};
use crate::extents::Extents;
use crate::physical::Block;
use crate::region::{Protection, Region};

/// What device addresses are aligned to, and what lies between two reservations at least: 2 MiB.
pub(crate) const GRANULARITY: u64 = 2 << 20;

/// A range of addresses that belongs to the program: `cuMemAddressReserve`'s.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) start: u64,
    /// Bytes asked for.
    pub(crate) size: u64,
}

/// One stretch of this process's addresses, inaccessible but for what is mapped into it.
///
/// Nothing else of the process is ever placed there, so an address that was a device's can't come
/// to point at something else.
#[derive(Debug)]
pub(crate) struct AddressSpace {
    base: u64,
    len: u64,
    units: Extents,
    reservations: BTreeMap<u64, Reservation>,
    regions: BTreeMap<u64, Region>,
    handed_out: Vec<u64>,
}

impl AddressSpace {
    pub(crate) fn new(len: u64) -> Result<Self, SimError> {
        let len = len.next_multiple_of(GRANULARITY);
        let room = usize::try_from(len.saturating_add(GRANULARITY)).unwrap_or(usize::MAX);
        // SAFETY: no address is asked for, so nothing that exists is replaced.
        let start = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                room,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }
        .map_err(os("reserve address space"))?;
        let base = start.expose_provenance() as u64;
        let first = base.div_ceil(GRANULARITY);
        let count = len.checked_div(GRANULARITY).unwrap_or_default();
        Ok(Self {
            base,
            len: room as u64,
            units: Extents::new(first..first.saturating_add(count)),
            reservations: BTreeMap::new(),
            regions: BTreeMap::new(),
            handed_out: Vec::new(),
        })
    }

    /// Takes addresses for `size` bytes, with an inaccessible page in front of and behind them.
    pub(crate) fn reserve(&mut self, size: u64, align: u64) -> Answer<u64> {
        let count = size.div_ceil(GRANULARITY);
        let align = align.div_ceil(GRANULARITY).max(1);
        // The unit after the last is the guard; what lies before the first is another's guard,
        // or outside.
        let with_guard = count
            .checked_add(1)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        let units = self
            .units
            .take_contiguous(with_guard, align)
            .ok_or(CUresult::CUDA_ERROR_OUT_OF_MEMORY)?;
        let start = units.start.saturating_mul(GRANULARITY);
        self.handed_out.push(start);
        Ok(start)
    }

    /// Gives addresses back that [`reserve`](Self::reserve) took for `size` bytes.
    pub(crate) fn unreserve(&mut self, start: u64, size: u64) {
        let first = start.checked_div(GRANULARITY).unwrap_or_default();
        let count = size.div_ceil(GRANULARITY).saturating_add(1);
        self.units.give(first..first.saturating_add(count));
    }

    pub(crate) fn add_reservation(&mut self, start: u64, size: u64) {
        self.reservations.insert(start, Reservation { start, size });
    }

    pub(crate) fn remove_reservation(&mut self, start: u64) -> Option<Reservation> {
        self.reservations.remove(&start)
    }

    pub(crate) fn reservations(&self) -> usize {
        self.reservations.len()
    }

    /// The reservation that the address lies in.
    pub(crate) fn reservation(&self, address: u64) -> Option<&Reservation> {
        let (_, found) = self.reservations.range(..=address).next_back()?;
        (address < found.start.saturating_add(found.size)).then_some(found)
    }

    /// Every address given to the program since the machine was made.
    pub(crate) fn handed_out(&self) -> &[u64] {
        &self.handed_out
    }

    pub(crate) fn insert(&mut self, region: Region) {
        self.regions.insert(region.start, region);
    }

    pub(crate) fn remove(&mut self, start: u64) -> Option<Region> {
        self.regions.remove(&start)
    }

    pub(crate) fn regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.values()
    }

    /// The region that the address lies in.
    pub(crate) fn region(&self, address: u64) -> Option<&Region> {
        let (_, found) = self.regions.range(..=address).next_back()?;
        found.contains(address).then_some(found)
    }

    pub(crate) fn region_at(&self, start: u64) -> Option<&Region> {
        self.regions.get(&start)
    }

    pub(crate) fn region_at_mut(&mut self, start: u64) -> Option<&mut Region> {
        self.regions.get_mut(&start)
    }

    /// Whether any region has a byte in `start .. start + len`.
    pub(crate) fn is_occupied(&self, start: u64, len: u64) -> bool {
        let end = start.saturating_add(len);
        self.regions
            .range(..end)
            .next_back()
            .is_some_and(|(_, region)| region.end() > start)
    }

    /// Whether any byte of the range is a simulated device's address, mapped or not.
    pub(crate) fn overlaps(&self, start: u64, len: u64) -> bool {
        start < self.base.saturating_add(self.len) && start.saturating_add(len) > self.base
    }

    /// The regions that cover `start .. start + len` without a gap, in order.
    pub(crate) fn cover(&self, start: u64, len: u64) -> Option<Vec<&Region>> {
        let end = start.checked_add(len)?;
        let mut at = start;
        let mut covering = Vec::new();
        while at < end {
            let region = self.region(at)?;
            at = region.end();
            covering.push(region);
        }
        Some(covering)
    }

    /// Maps a block's bytes to `start`.
    pub(crate) fn map(
        &self,
        start: u64,
        file: BorrowedFd<'_>,
        block: &Block,
        size: u64,
        protection: Protection,
    ) -> Answer {
        let mut at = start;
        let mut missing = size;
        for piece in block.pieces() {
            let len = missing.min(piece.end.saturating_sub(piece.start));
            if len == 0 {
                break;
            }
            let place = self.place(at, len)?;
            let count = usize::try_from(len).map_err(|_| CUresult::CUDA_ERROR_INVALID_VALUE)?;
            // SAFETY: `place` checked that the range lies in the stretch that this space owns, where
            // nothing but simulated memory is, which only the simulation refers to.
            unsafe {
                mmap(
                    place,
                    count,
                    protection.of_mapping(),
                    MapFlags::SHARED | MapFlags::FIXED | MapFlags::NORESERVE,
                    file,
                    piece.start,
                )
            }
            .map_err(|_| CUresult::CUDA_ERROR_OUT_OF_MEMORY)?;
            at = at.saturating_add(len);
            missing = missing.saturating_sub(len);
        }
        Ok(())
    }

    /// Makes a range inaccessible and forgets what was mapped there.
    pub(crate) fn unmap(&self, start: u64, len: u64) -> Answer {
        let place = self.place(start, len)?;
        let count = usize::try_from(len).map_err(|_| CUresult::CUDA_ERROR_INVALID_VALUE)?;
        // SAFETY: as in `map`.
        unsafe {
            mmap_anonymous(
                place,
                count,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
            )
        }
        .map_err(|_| CUresult::CUDA_ERROR_OUT_OF_MEMORY)?;
        Ok(())
    }

    /// Changes what may be done with a mapped range.
    pub(crate) fn protect(&self, start: u64, len: u64, protection: Protection) -> Answer {
        let place = self.place(start, len)?;
        let count = usize::try_from(len).map_err(|_| CUresult::CUDA_ERROR_INVALID_VALUE)?;
        // SAFETY: as in `map`; changing the protection of simulated memory is what a device does.
        unsafe { mprotect(place, count, protection.of_change()) }
            .map_err(|_| CUresult::CUDA_ERROR_OUT_OF_MEMORY)
    }

    /// The address as a pointer, after checking that the range is this space's own.
    fn place(&self, start: u64, len: u64) -> Answer<*mut core::ffi::c_void> {
        let end = start
            .checked_add(len)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        if start < self.base || end > self.base.saturating_add(self.len) {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let address = usize::try_from(start).map_err(|_| CUresult::CUDA_ERROR_INVALID_VALUE)?;
        Ok(ptr::with_exposed_provenance_mut(address))
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        let (Ok(base), Ok(len)) = (usize::try_from(self.base), usize::try_from(self.len)) else {
            return;
        };
        // SAFETY: the stretch is this space's own, made in `new`; with the space gone, no simulated
        // device refers to it.
        let unmapped = unsafe { munmap(ptr::with_exposed_provenance_mut(base), len) };
        if let Err(errno) = unmapped {
            tracing::error!(%errno, "a simulated address space could not be given back");
        }
    }
}

impl Protection {
    fn of_mapping(self) -> ProtFlags {
        match self {
            Self::None => ProtFlags::empty(),
            Self::Read => ProtFlags::READ,
            Self::ReadWrite => ProtFlags::READ | ProtFlags::WRITE,
        }
    }

    fn of_change(self) -> MprotectFlags {
        match self {
            Self::None => MprotectFlags::empty(),
            Self::Read => MprotectFlags::READ,
            Self::ReadWrite => MprotectFlags::READ | MprotectFlags::WRITE,
        }
    }
}
