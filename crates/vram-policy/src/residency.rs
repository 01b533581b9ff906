//! Is a region in the device's own memory? Judged by how fast the device reads it.
//!
//! What a driver says of memory is a claim. What no claim can change is how much the link between host
//! and device carries: a region that is read several times as fast can't lie behind it. The evidence is
//! measured elsewhere; here it is judged, in integers and without a clock.
//!
//! # Which figure counts
//!
//! - **The region's rate** is that of its slowest window, by the median of its passes, after taking off what the
//!   cache could have answered. A window is several times as large as the cache, so most of each pass came
//!   from memory, and no window of a large region hides behind the others. One pass that a clock saw wrong,
//!   or that another program held up, changes no median.
//! - **The link's ceiling** is the largest of what its generation and width carry in one direction, and of what
//!   a copy from page-locked memory was seen to reach. A virtual machine may be told of a narrower link than it has;
//!   the copy then says so. Where a chip-to-chip link is there, or can't be ruled out, its rate counts too.
//! - **The margin** is the first over the second. It must be [`NEEDED_MARGIN`]. One over the margin is the part of
//!   a window that could have come through the link at most, which the verdict states.
//!
//! # Why four
//!
//! A copy reaches 80 to 90 % of a link, half of it from a far host memory; a link that is told one generation or half
//! its width too small is wrong by a factor of two. Both together are four, and still the ceiling is not above
//! what the link does. Discrete cards read their memory 8 to 130 times as fast as their link carries.
//!
//! # Slow is not yet elsewhere
//!
//! A device that is throttled or busy reads its own memory slowly too. So a region counts as contradicted
//! only if the same device, pass by pass in turns with it, reads scratch memory of its own several times as fast.

mod evidence;
mod link;
mod rate;
mod verdict;

pub use evidence::{LinkEvidence, RateSource, ResidencyEvidence, Streamed};
pub use link::LinkKind;
pub use rate::Rate;
pub use verdict::{ResidencyReason, ResidencyStatus, ResidencyVerdict};

use link::Ceiling;

/// How many times the link's ceiling a region's rate must be to prove anything; and how many times a
/// region's rate that of the control must be to contradict it.
pub const NEEDED_MARGIN: u64 = 4;

/// How many times the cache's size a window must have.
pub const NEEDED_CACHES: u64 = 4;

/// How many passes a contradiction needs: so many that a median is one.
pub const NEEDED_PASSES: u32 = 3;

impl ResidencyEvidence {
    /// Judges the evidence. The same evidence always gives the same verdict; a slower region or a faster
    /// link never gives a better one.
    #[must_use]
    pub fn judge(&self) -> ResidencyVerdict {
        let window_needed = self.window_needed();
        let ceiling = self.link.ceiling();
        let rate = self.region.and_then(|region| self.beyond_cache(region));
        let (status, reason) = self.decide(window_needed, ceiling, rate);
        let limit = ceiling.map(|ceiling| ceiling.rate);
        ResidencyVerdict {
            status,
            reason,
            simulated: self.simulated,
            source: self.source,
            bytes: self.region.map_or(0, Streamed::bytes),
            windows: self.region.map_or(0, Streamed::windows),
            passes: self.region.map_or(0, Streamed::passes),
            rate,
            observed_rate: self.region.and_then(Streamed::rate),
            control_rate: self.control.and_then(|control| self.beyond_cache(control)),
            link: ceiling.map(|ceiling| ceiling.kind),
            ceiling: limit,
            measured_copy: self.link.measured_copy,
            threshold: limit.and_then(|limit| limit.times(NEEDED_MARGIN)),
            margin_permille: rate
                .zip(limit)
                .and_then(|(rate, limit)| rate.permille_of(limit)),
            behind_link_permille: rate
                .zip(limit)
                .and_then(|(rate, limit)| limit.permille_of(rate))
                .map(|part| part.min(1000)),
            window_needed,
        }
    }

    /// Bytes that a window must have for its rate to be memory's, and not the cache's.
    #[must_use]
    pub fn window_needed(&self) -> Option<u64> {
        self.cache_bytes?
            .checked_mul(NEEDED_CACHES)
            .filter(|bytes| *bytes > 0)
    }

    fn decide(
        &self,
        window_needed: Option<u64>,
        ceiling: Option<Ceiling>,
        rate: Option<Rate>,
    ) -> (ResidencyStatus, ResidencyReason) {
        use ResidencyReason as Why;
        let unproven = |why| (ResidencyStatus::Unproven, why);
        let Some(region) = self.region else {
            return unproven(Why::NotTimed);
        };
        match self.link.integrated {
            Some(false) => {}
            Some(true) => return unproven(Why::NoOwnMemory),
            None => return unproven(Why::OwnMemoryUnknown),
        }
        let Some(needed) = window_needed else {
            return unproven(Why::CacheUnknown);
        };
        if region.window_bytes() < needed {
            return unproven(Why::TooSmall);
        }
        let Some(ceiling) = ceiling else {
            return unproven(Why::LinkUnknown);
        };
        if self.link.measured_copy.is_none() {
            return unproven(Why::LinkNotMeasured);
        }
        let Some((rate, threshold)) = rate.zip(ceiling.rate.times(NEEDED_MARGIN)) else {
            return unproven(Why::OutOfRange);
        };
        if rate >= threshold {
            return (ResidencyStatus::Proven, Why::FasterThanLink);
        }
        if rate > ceiling.rate {
            return unproven(Why::BelowThreshold);
        }
        self.contradict(region, needed)
    }

    /// The region is as slow as the link: is the device that slow, or the region elsewhere?
    fn contradict(&self, region: Streamed, needed: u64) -> (ResidencyStatus, ResidencyReason) {
        use ResidencyReason as Why;
        let unproven = |why| (ResidencyStatus::Unproven, why);
        let Some(control) = self
            .control
            .filter(|control| control.window_bytes() >= needed)
        else {
            return unproven(Why::NoControl);
        };
        if region.passes().min(control.passes()) < NEEDED_PASSES {
            return unproven(Why::TooFewPasses);
        }
        // The most that the region can have done, beside the least that the control has.
        let most = region.rate().and_then(|rate| rate.times(NEEDED_MARGIN));
        match self.beyond_cache(control).zip(most) {
            Some((control, most)) if control >= most => {
                (ResidencyStatus::Contradicted, Why::SlowAsLink)
            }
            Some(_) => unproven(Why::DeviceSlow),
            None => unproven(Why::OutOfRange),
        }
    }

    /// The rate without what the cache could have answered.
    fn beyond_cache(&self, streamed: Streamed) -> Option<Rate> {
        let bytes = streamed.window_bytes().checked_sub(self.cache_bytes?)?;
        Rate::of(bytes, streamed.window_nanos())
    }
}
