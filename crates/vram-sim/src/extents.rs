//! A first-fit allocator of numbered units.

use std::collections::BTreeMap;
use std::ops::Range;

/// Which units are free, lowest first. What is given back is taken again soon: a user of freed
/// memory finds somebody else's bytes in it.
#[derive(Debug)]
pub(crate) struct Extents {
    /// First unit of each free stretch, and the unit after its last. Stretches never touch.
    free: BTreeMap<u64, u64>,
}

impl Extents {
    pub(crate) fn new(units: Range<u64>) -> Self {
        let mut extents = Self {
            free: BTreeMap::new(),
        };
        extents.give(units);
        extents
    }

    /// How many units are free.
    pub(crate) fn free(&self) -> u64 {
        self.free.iter().fold(0, |sum, (start, end)| {
            sum.saturating_add(end.saturating_sub(*start))
        })
    }

    /// Takes `count` units in one piece, the first a multiple of `align`.
    pub(crate) fn take_contiguous(&mut self, count: u64, align: u64) -> Option<Range<u64>> {
        let (start, end, taken) = self.free.iter().find_map(|(&start, &end)| {
            let first = start.checked_next_multiple_of(align)?;
            let last = first.checked_add(count)?;
            (last <= end).then_some((start, end, first..last))
        })?;
        self.free.remove(&start);
        self.give(start..taken.start);
        self.give(taken.end..end);
        Some(taken)
    }

    /// Takes `count` units: in one piece where some stretch is long enough, else scattered.
    pub(crate) fn take(&mut self, count: u64) -> Option<Vec<Range<u64>>> {
        if let Some(whole) = self.take_contiguous(count, 1) {
            return Some(vec![whole]);
        }
        if self.free() < count {
            return None;
        }
        let mut missing = count;
        let mut taken = Vec::new();
        while missing > 0 {
            let (start, end) = self.free.pop_first()?;
            let last = end.min(start.saturating_add(missing));
            self.give(last..end);
            missing = missing.saturating_sub(last.saturating_sub(start));
            taken.push(start..last);
        }
        Some(taken)
    }

    /// Gives units back.
    pub(crate) fn give(&mut self, units: Range<u64>) {
        if units.is_empty() {
            return;
        }
        let Range { mut start, mut end } = units;
        if let Some((&before, &until)) = self.free.range(..start).next_back()
            && until == start
        {
            self.free.remove(&before);
            start = before;
        }
        if let Some(until) = self.free.remove(&end) {
            end = until;
        }
        self.free.insert(start, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_fitting_stretch_is_taken() {
        let mut extents = Extents::new(0..10);
        assert_eq!(extents.take_contiguous(3, 1), Some(0..3));
        assert_eq!(extents.take_contiguous(2, 1), Some(3..5));
        extents.give(0..3);
        assert_eq!(extents.take_contiguous(4, 1), Some(5..9));
        assert_eq!(extents.take_contiguous(2, 1), Some(0..2));
    }

    #[test]
    fn alignment_leaves_the_skipped_units_free() {
        let mut extents = Extents::new(1..20);
        assert_eq!(extents.take_contiguous(4, 8), Some(8..12));
        assert_eq!(extents.free(), 15);
        assert_eq!(extents.take_contiguous(7, 1), Some(1..8));
    }

    #[test]
    fn what_is_scattered_is_still_found() {
        let mut extents = Extents::new(0..6);
        extents.take(6).unwrap();
        extents.give(0..1);
        extents.give(2..3);
        extents.give(4..6);
        assert_eq!(extents.take(3).unwrap(), [0..1, 2..3, 4..5]);
        assert_eq!(extents.take(2), None);
        assert_eq!(extents.free(), 1);
    }

    #[test]
    fn neighbours_given_back_become_one_stretch() {
        let mut extents = Extents::new(0..9);
        extents.take(9).unwrap();
        for units in [0..3, 6..9, 3..6] {
            extents.give(units);
        }
        assert_eq!(extents.take_contiguous(9, 1), Some(0..9));
    }
}
