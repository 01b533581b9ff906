//! Memory as the program sees it: a range of addresses with something behind it.

use crate::handle::Handle;

/// What may be done with memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protection {
    /// Nothing: mapped, but not yet made accessible, or not mapped at all.
    #[default]
    None,
    /// Reading.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// Which function the memory came from, and so what the driver says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AllocationKind {
    /// `cuMemCreate`: device memory under virtual memory management.
    Virtual,
    /// `cuMemAlloc`: plain device memory, always writable.
    Plain,
    /// `cuMemAllocManaged`: memory that wanders between device and host.
    Managed,
    /// `cuMemHostAlloc`: page-locked host memory.
    PinnedHost,
    /// `cuMemHostRegister`: the program's own memory, page-locked.
    RegisteredHost,
}

impl AllocationKind {
    /// Whether the bytes lie in the host's memory.
    #[must_use]
    pub const fn is_host(self) -> bool {
        matches!(self, Self::PinnedHost | Self::RegisteredHost)
    }

    /// Whether the host may use the address.
    #[must_use]
    pub const fn is_host_accessible(self) -> bool {
        matches!(
            self,
            Self::PinnedHost | Self::RegisteredHost | Self::Managed
        )
    }
}

/// A mapped range.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) start: u64,
    /// Bytes that the program may use.
    pub(crate) size: u64,
    /// Which function it came from.
    pub(crate) kind: AllocationKind,
    /// Index of the device that it belongs to; for host memory, of the context it was made in.
    pub(crate) device: usize,
    /// The context it was made in; none for virtual memory management, which has none.
    pub(crate) context: Option<Handle>,
    pub(crate) protection: Protection,
    /// Whether kernels may use it: always, but for host memory that wasn't mapped for the device.
    pub(crate) device_mapped: bool,
    /// The allocation behind it. Registered host memory has an id and nothing behind it.
    pub(crate) allocation: u64,
}

impl Region {
    pub(crate) const fn end(&self) -> u64 {
        self.start.saturating_add(self.size)
    }

    pub(crate) const fn contains(&self, address: u64) -> bool {
        self.start <= address && address < self.end()
    }

    /// Whether work of a device may reach it at all, whatever its protection.
    pub(crate) const fn is_reachable_from(&self, device: usize) -> bool {
        if self.kind.is_host() {
            true
        } else {
            self.device == device
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_may_use_its_own_memory_and_managed_memory() {
        let usable = [
            AllocationKind::Managed,
            AllocationKind::PinnedHost,
            AllocationKind::RegisteredHost,
        ];
        let out_of_reach = [AllocationKind::Virtual, AllocationKind::Plain];

        assert!(usable.into_iter().all(AllocationKind::is_host_accessible));
        assert!(
            !out_of_reach
                .into_iter()
                .any(AllocationKind::is_host_accessible)
        );
    }
}
