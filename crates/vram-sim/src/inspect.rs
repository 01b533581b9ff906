//! Looking into a machine from outside the driver: what a test can know and no program can.

use std::io;

use crate::error::SimError;
use crate::machine::{Machine, existing};
use crate::physical::Block;
use crate::region::{AllocationKind, Protection};
use crate::state::State;

/// A live allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AllocationView {
    /// Its id, which no other allocation of the machine has or had.
    pub id: u64,
    /// Bytes that were asked for.
    pub size: u64,
    /// Which function it came from.
    pub kind: AllocationKind,
    /// What may be done with it where it is mapped; the most, if it is mapped twice.
    pub protection: Protection,
}

/// How much of what a program must release is not released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Live {
    /// Retains of primary contexts without a release.
    pub contexts: u64,
    /// Allocations of `cuMemCreate` whose pages are held, by a handle or by a mapping.
    pub physical_allocations: usize,
    /// Ranges of `cuMemAddressReserve`.
    pub reservations: usize,
    /// Mappings of `cuMemMap`.
    pub mappings: usize,
    /// Allocations of `cuMemAlloc`.
    pub plain_allocations: usize,
    /// Allocations of `cuMemAllocManaged`.
    pub managed_allocations: usize,
    /// Allocations of `cuMemHostAlloc` and ranges of `cuMemHostRegister`.
    pub host_allocations: usize,
    /// Streams.
    pub streams: usize,
    /// Events.
    pub events: usize,
    /// Modules.
    pub modules: usize,
    /// Work that no one has waited for.
    pub queued_work: usize,
    /// Objects that a context still had when it was released for the last time, which frees them:
    /// leaks that would otherwise be hidden.
    pub left_behind: usize,
}

impl Live {
    /// Whether everything was released, by whoever took it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Machine {
    /// What the program has not released.
    #[must_use]
    pub fn live(&self) -> Live {
        let state = self.state();
        let of_kind = |wanted: &[AllocationKind]| {
            state
                .allocations
                .values()
                .filter(|one| wanted.contains(&one.kind))
                .count()
        };
        Live {
            contexts: state.devices.iter().fold(0, |sum, device| {
                sum.saturating_add(device.context.retained())
            }),
            physical_allocations: of_kind(&[AllocationKind::Virtual]),
            reservations: state.space.reservations(),
            mappings: state
                .space
                .regions()
                .filter(|region| region.kind == AllocationKind::Virtual)
                .count(),
            plain_allocations: of_kind(&[AllocationKind::Plain]),
            managed_allocations: of_kind(&[AllocationKind::Managed]),
            host_allocations: of_kind(&[
                AllocationKind::PinnedHost,
                AllocationKind::RegisteredHost,
            ]),
            streams: state
                .streams
                .values()
                .filter(|stream| !stream.is_destroyed())
                .count(),
            events: state.events.len(),
            modules: state.modules.len(),
            queued_work: state
                .streams
                .values()
                .fold(0, |sum, stream| sum.saturating_add(stream.queued())),
            left_behind: state.left_behind,
        }
    }

    /// The live allocations of a device, oldest first; host memory counts to the device whose
    /// context it was made in.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchDevice`].
    pub fn allocations(&self, device: usize) -> Result<Vec<AllocationView>, SimError> {
        let state = self.state();
        existing(&state, device)?;
        let protection = |id| {
            let regions = state
                .space
                .regions()
                .filter(|region| region.allocation == id);
            regions
                .map(|region| region.protection)
                .max()
                .unwrap_or_default()
        };
        Ok(state
            .allocations
            .iter()
            .filter(|(_, allocation)| allocation.device == device)
            .map(|(&id, allocation)| AllocationView {
                id,
                size: allocation.size,
                kind: allocation.kind,
                protection: protection(id),
            })
            .collect())
    }

    /// Reads an allocation's bytes from the memory itself, whatever its protection.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchAllocation`], [`SimError::OutOfRange`] past the allocation's size.
    pub fn peek(&self, id: u64, offset: u64, len: usize) -> Result<Vec<u8>, SimError> {
        let state = self.state();
        let (block, host, device) = place(&state, id, offset, len)?;
        let mut bytes = vec![0; len];
        let memory = memory(&state, host, device)?;
        memory.read(block, offset, &mut bytes).map_err(reading)?;
        Ok(bytes)
    }

    /// Writes bytes of an allocation in the memory itself, whatever its protection, as a fault of
    /// the memory would.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchAllocation`], [`SimError::OutOfRange`] past the allocation's size.
    pub fn poke(&self, id: u64, offset: u64, bytes: &[u8]) -> Result<(), SimError> {
        let state = self.state();
        let (block, host, device) = place(&state, id, offset, bytes.len())?;
        memory(&state, host, device)?
            .write(block, offset, bytes)
            .map_err(|source| SimError::Os {
                what: "write simulated memory",
                source,
            })
    }

    /// Flips one bit of an allocation where it lies; bit 0 is the lowest.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchAllocation`], [`SimError::OutOfRange`], [`SimError::NoSuchBit`] over 7.
    pub fn flip_bit(&self, id: u64, offset: u64, bit: u8) -> Result<(), SimError> {
        let mask = 1_u8
            .checked_shl(u32::from(bit))
            .ok_or(SimError::NoSuchBit { bit })?;
        let bytes: Vec<u8> = self
            .peek(id, offset, 1)?
            .iter()
            .map(|byte| byte ^ mask)
            .collect();
        self.poke(id, offset, &bytes)
    }

    /// The 4096-byte pages of all device memory and of all page-locked host memory in which these
    /// bytes begin, released memory included: what a wipe must leave none of.
    ///
    /// # Errors
    ///
    /// [`SimError::Os`] if the memory can't be read.
    pub fn physical_pages_containing(&self, needle: &[u8]) -> Result<usize, SimError> {
        let state = self.state();
        let mut pages = state.host.pages_containing(needle).map_err(reading)?;
        for device in &state.devices {
            let of_device = device.memory.pages_containing(needle).map_err(reading)?;
            pages = pages.saturating_add(of_device);
        }
        Ok(pages)
    }

    /// Every device or page-locked host address that the driver has given the program since the
    /// machine was made, freed ones included: numbers that must not show in what the program prints.
    #[must_use]
    pub fn addresses(&self) -> Vec<u64> {
        self.state().space.handed_out().to_vec()
    }

    /// Bytes of a device that the program's allocations hold, in whole pages.
    ///
    /// # Errors
    ///
    /// [`SimError::NoSuchDevice`].
    pub fn bytes_in_use(&self, device: usize) -> Result<u64, SimError> {
        let state = self.state();
        existing(&state, device)?;
        let memory = state.devices.get(device).map(|device| &device.memory);
        Ok(memory.map_or(0, |memory| memory.size().saturating_sub(memory.free())))
    }
}

fn reading(source: io::Error) -> SimError {
    SimError::Os {
        what: "read simulated memory",
        source,
    }
}

/// Finds the pages of a place in an allocation, and which memory they are of.
fn place(
    state: &State,
    id: u64,
    offset: u64,
    len: usize,
) -> Result<(&Block, bool, usize), SimError> {
    let allocation = state
        .allocations
        .get(&id)
        .ok_or(SimError::NoSuchAllocation { id })?;
    let block = allocation
        .block
        .as_ref()
        .ok_or(SimError::NoSuchAllocation { id })?;
    let size = allocation.size;
    match offset.checked_add(len as u64) {
        Some(end) if end <= size => Ok((block, allocation.kind.is_host(), allocation.device)),
        _ => Err(SimError::OutOfRange {
            id,
            offset,
            len,
            size,
        }),
    }
}

fn memory(
    state: &State,
    host: bool,
    device: usize,
) -> Result<&crate::physical::Physical, SimError> {
    if host {
        return Ok(&state.host);
    }
    let count = state.devices.len();
    let found = state.devices.get(device).map(|device| &device.memory);
    found.ok_or(SimError::NoSuchDevice { device, count })
}
