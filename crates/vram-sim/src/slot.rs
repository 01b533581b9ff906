//! Plain function pointers for machines that come and go.
//!
//! A driver's functions are told nothing but their arguments, yet each simulated machine has its own
//! state. So every function exists once for each of [`SLOTS`] slots, the slot being a constant in
//! it, and a machine's table holds the functions of the slot that the machine has taken.

use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use crate::error::SimError;

/// How many machines there can be at once: the bits of a word.
pub(crate) const SLOTS: usize = 64;

/// Which slots are taken, and by whom.
#[derive(Debug)]
pub(crate) struct Registry<T> {
    taken: Mutex<Taken>,
    freed: Condvar,
    occupants: [RwLock<Weak<T>>; SLOTS],
}

#[derive(Debug)]
struct Taken {
    bits: u64,
    /// Where to look first: behind the slot taken last, so that a slot rests before it is taken
    /// again and a call through a stale table still finds nobody.
    next: u32,
}

/// A taken slot; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot<T: 'static> {
    registry: &'static Registry<T>,
    index: usize,
}

impl<T> Registry<T> {
    pub(crate) const fn new() -> Self {
        Self {
            taken: Mutex::new(Taken { bits: 0, next: 0 }),
            freed: Condvar::new(),
            occupants: [const { RwLock::new(Weak::new()) }; SLOTS],
        }
    }

    /// Takes a slot, waiting for one for so long.
    pub(crate) fn take(&'static self, wait: Duration) -> Result<Slot<T>, SimError> {
        let deadline = Instant::now().checked_add(wait);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(index) = taken.take() {
                return Ok(Slot {
                    registry: self,
                    index,
                });
            }
            let now = Instant::now();
            let Some(left) = deadline
                .and_then(|deadline| deadline.checked_duration_since(now))
                .filter(|left| !left.is_zero())
            else {
                return Err(SimError::TooManyMachines {
                    slots: SLOTS,
                    waited: wait,
                });
            };
            (taken, _) = self
                .freed
                .wait_timeout(taken, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Who has the slot now.
    pub(crate) fn occupant(&self, index: usize) -> Option<Arc<T>> {
        let occupant = self.occupants.get(index)?;
        occupant
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .upgrade()
    }

    fn set(&self, index: usize, occupant: Weak<T>) {
        if let Some(place) = self.occupants.get(index) {
            *place.write().unwrap_or_else(PoisonError::into_inner) = occupant;
        }
    }
}

impl Taken {
    fn take(&mut self) -> Option<usize> {
        let free = (!self.bits).rotate_right(self.next);
        if free == 0 {
            return None;
        }
        let index = free.trailing_zeros().wrapping_add(self.next) & (u64::BITS.wrapping_sub(1));
        self.bits |= 1_u64.wrapping_shl(index);
        self.next = index.wrapping_add(1) & (u64::BITS.wrapping_sub(1));
        usize::try_from(index).ok()
    }

    fn give(&mut self, index: usize) {
        let index = u32::try_from(index).unwrap_or_default();
        self.bits &= !1_u64.wrapping_shl(index);
    }
}

impl<T> Slot<T> {
    pub(crate) const fn index(&self) -> usize {
        self.index
    }

    /// Says who answers for the slot from now on.
    pub(crate) fn occupy(&self, occupant: &Arc<T>) {
        self.registry.set(self.index, Arc::downgrade(occupant));
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        self.registry.set(self.index, Weak::new());
        let mut taken = self
            .registry
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        taken.give(self.index);
        drop(taken);
        self.registry.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn every_slot_can_be_taken_once_and_then_none() {
        static REGISTRY: Registry<u8> = Registry::new();
        let slots: Vec<_> = (0..SLOTS)
            .map(|_| REGISTRY.take(Duration::ZERO).unwrap())
            .collect();
        let mut indices: Vec<_> = slots.iter().map(Slot::index).collect();
        indices.sort_unstable();
        assert!(indices.iter().copied().eq(0..SLOTS));

        let refused = REGISTRY.take(Duration::from_millis(1)).unwrap_err();
        assert!(matches!(
            refused,
            SimError::TooManyMachines { slots: SLOTS, .. }
        ));
        assert!(refused.is_retriable());
    }

    #[test]
    fn a_freed_slot_rests_until_the_others_had_their_turn() {
        static REGISTRY: Registry<u8> = Registry::new();
        let taken: Vec<_> = (0..SLOTS)
            .map(|_| REGISTRY.take(Duration::ZERO).unwrap().index())
            .collect();
        assert!(taken.into_iter().eq(0..SLOTS));
        assert_eq!(REGISTRY.take(Duration::ZERO).unwrap().index(), 0);
    }

    #[test]
    fn whoever_waits_gets_the_slot_that_becomes_free() {
        static REGISTRY: Registry<u8> = Registry::new();
        let mut slots: Vec<_> = (0..SLOTS)
            .map(|_| REGISTRY.take(Duration::ZERO).unwrap())
            .collect();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| REGISTRY.take(Duration::from_secs(600)).unwrap().index());
            drop(slots.remove(7));
            assert_eq!(waiting.join().unwrap(), 7);
        });
    }

    #[test]
    fn an_occupant_is_found_until_it_is_gone() {
        static REGISTRY: Registry<u8> = Registry::new();
        let slot = REGISTRY.take(Duration::ZERO).unwrap();
        let index = slot.index();
        assert_eq!(REGISTRY.occupant(index), None);

        let occupant = Arc::new(5);
        slot.occupy(&occupant);
        assert_eq!(REGISTRY.occupant(index).as_deref(), Some(&5));
        drop(occupant);
        assert_eq!(REGISTRY.occupant(index), None);
        assert_eq!(REGISTRY.occupant(SLOTS), None);
    }
}
