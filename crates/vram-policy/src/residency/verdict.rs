//! The verdict, with the numbers that it came from.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::evidence::RateSource;
use super::link::LinkKind;
use super::rate::Rate;
use super::{NEEDED_MARGIN, NEEDED_PASSES};

/// Whether a region is in the device's own memory, as far as its speed tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidencyVerdict {
    /// What was concluded. On a simulated device it says nothing of any hardware: see
    /// [`is_proven`](Self::is_proven).
    pub status: ResidencyStatus,
    /// Why.
    pub reason: ResidencyReason,
    /// Whether software played the device.
    pub simulated: bool,
    /// What the rate was derived from.
    pub source: RateSource,
    /// Bytes of the region.
    pub bytes: u64,
    /// Windows of it that were timed on their own.
    pub windows: u64,
    /// Passes over each.
    pub passes: u32,
    /// The slowest window's rate, less what the cache could have answered: what counts.
    pub rate: Option<Rate>,
    /// The slowest window's rate as it was seen.
    pub observed_rate: Option<Rate>,
    /// The rate of the device's own scratch memory, as [`rate`](Self::rate), where it was measured beside.
    pub control_rate: Option<Rate>,
    /// Which link the ceiling is of.
    pub link: Option<LinkKind>,
    /// The most that the link carries.
    pub ceiling: Option<Rate>,
    /// What copies over it reached.
    pub measured_copy: Option<Rate>,
    /// The rate that proves: [`NEEDED_MARGIN`] times the ceiling.
    pub threshold: Option<Rate>,
    /// The margin: the rate in thousandths of the ceiling, rounded down.
    pub margin_permille: Option<u64>,
    /// How many thousandths of the slowest window could have come through the link at most, rounded down.
    pub behind_link_permille: Option<u64>,
    /// Bytes that a window must have to tell: a region with fewer is too small.
    pub window_needed: Option<u64>,
}

/// What was concluded, from worst to best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ResidencyStatus {
    /// The region is as slow as the link to the host while the device's own memory is much faster.
    Contradicted,
    /// The measurement doesn't tell.
    Unproven,
    /// The region is faster than anything behind the link could be.
    Proven,
}

impl ResidencyStatus {
    /// The text form that JSON uses too.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contradicted => "contradicted",
            Self::Unproven => "unproven",
            Self::Proven => "proven",
        }
    }
}

impl fmt::Display for ResidencyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a verdict is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ResidencyReason {
    /// Proven: no link to the host carries as much.
    FasterThanLink,
    /// Contradicted: no faster than the link, while the control is.
    SlowAsLink,
    /// Faster than the link, but not by the margin.
    BelowThreshold,
    /// As slow as the link, and the device was not seen to be faster anywhere.
    NoControl,
    /// As slow as the link, but so is the device's own memory: it may be throttled or busy.
    DeviceSlow,
    /// As slow as the link, in too few passes to say more.
    TooFewPasses,
    /// The region is too small beside the cache.
    TooSmall,
    /// The cache's size isn't known.
    CacheUnknown,
    /// The device has no memory of its own.
    NoOwnMemory,
    /// It isn't known whether the device has memory of its own.
    OwnMemoryUnknown,
    /// The link's generation and width aren't known.
    LinkUnknown,
    /// No copy over the link was measured, so what is said of it stands alone.
    LinkNotMeasured,
    /// No time was taken.
    NotTimed,
    /// A rate is too large or too small to be one.
    OutOfRange,
}

impl ResidencyReason {
    /// What it means, in words.
    #[must_use]
    pub const fn explained(self) -> &'static str {
        match self {
            Self::FasterThanLink => "no link to the host carries as much",
            Self::SlowAsLink => {
                "it is no faster than the link to the host, while the device reads its own memory much faster"
            }
            Self::BelowThreshold => {
                "it is faster than the link to the host, but not by the margin that proves"
            }
            Self::NoControl => {
                "it is as slow as the link to the host, and there was no room to measure the device's own memory \
                 beside it"
            }
            Self::DeviceSlow => {
                "it is as slow as the link to the host, but so is the device's own memory: the device may be \
                 throttled or busy. Measure again when it is idle"
            }
            Self::TooFewPasses => {
                "it is as slow as the link to the host, in too few passes to conclude anything"
            }
            Self::TooSmall => "it is too small: the device's cache could have answered for it",
            Self::CacheUnknown => "the size of the device's cache isn't known",
            Self::NoOwnMemory => "the device has no memory but the host's",
            Self::OwnMemoryUnknown => {
                "the driver doesn't say whether the device has memory of its own"
            }
            Self::LinkUnknown => {
                "the generation and width of the link to the host aren't known: they come from the management \
                 library (NVML)"
            }
            Self::LinkNotMeasured => "no copy over the link to the host was measured",
            Self::NotTimed => "no time was taken",
            Self::OutOfRange => "a rate is out of all range",
        }
    }
}

impl ResidencyVerdict {
    /// Whether hardware was seen to hold the region in its own memory: proven, and not simulated.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.status == ResidencyStatus::Proven && !self.simulated
    }
}

/// A sentence with the numbers. Of a simulated device it begins `simulated: `.
impl fmt::Display for ResidencyVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.simulated {
            f.write_str("simulated: ")?;
        }
        write!(f, "{}: {}", self.status, self.reason.explained())?;
        if let Some(rate) = self.rate {
            let how = match self.source {
                RateSource::Read => "read",
                RateSource::Verification => "verified",
            };
            write!(f, "; {how} at {rate}")?;
        }
        if let Some(ceiling) = self.ceiling {
            let link = match self.link {
                Some(LinkKind::ChipToChip) => "a chip-to-chip link",
                Some(LinkKind::PciExpress) | None => "the link",
            };
            write!(f, "; {link} carries at most {ceiling}")?;
        }
        if let Some(margin) = self.margin_permille {
            write!(f, "; margin {}, needed {NEEDED_MARGIN}", Tenths(margin))?;
        }
        if let Some(control) = self.control_rate {
            write!(f, "; the device's own memory {control}")?;
        }
        match (self.reason, self.window_needed) {
            (ResidencyReason::TooSmall, Some(needed)) => {
                write!(f, "; it has {} bytes, and {needed} are needed", self.bytes)
            }
            (ResidencyReason::TooFewPasses, _) => {
                write!(f, "; {} of {NEEDED_PASSES} passes", self.passes)
            }
            _ => Ok(()),
        }
    }
}

/// Thousandths, shown with one decimal.
struct Tenths(u64);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Constants that aren't zero: there always is a quotient.
        let tenths = self.0.checked_div(100).unwrap_or(0);
        let (whole, tenth) = (
            tenths.checked_div(10).unwrap_or(0),
            tenths.checked_rem(10).unwrap_or(0),
        );
        write!(f, "{whole}.{tenth}")
    }
}
