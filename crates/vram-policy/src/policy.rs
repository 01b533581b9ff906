//! A policy: which checks are asked, and the proofs that it hands out.

use std::marker::PhantomData;

use crate::checks::{self, Check};
use crate::facts::{DeviceFacts, RegionFacts};
use crate::refusal::Refusal;
use crate::report::Report;

/// Decides whether devices and regions may hold weights.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {}

impl Policy {
    /// What an auditor wants: every check is asked, failing and unknown ones both refuse.
    #[must_use]
    pub const fn strict() -> Self {
        Self {}
    }

    /// Judges a device.
    #[must_use]
    pub fn assess_device(&self, facts: &DeviceFacts) -> Report {
        assess(checks::DEVICE, facts)
    }

    /// Judges a region of memory.
    #[must_use]
    pub fn assess_region(&self, facts: &RegionFacts) -> Report {
        assess(checks::REGION, facts)
    }

    /// Judges a device, and gives the proof of it where it is accepted.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with the findings that stand in the way.
    pub fn admit_device(&self, facts: &DeviceFacts) -> Result<Accepted<DeviceFacts>, Refusal> {
        Accepted::by(self.assess_device(facts))
    }

    /// Judges a region of memory, and gives the proof of it where it is accepted.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with the findings that stand in the way.
    pub fn admit_region(&self, facts: &RegionFacts) -> Result<Accepted<RegionFacts>, Refusal> {
        Accepted::by(self.assess_region(facts))
    }
}

fn assess<F>(checks: &[Check<F>], facts: &F) -> Report {
    Report::new(checks.iter().map(|check| check.run(facts)).collect())
}

/// Proof that a policy accepted facts of type `F`, with the report that says so.
///
/// Only [`Policy::admit_device`] and [`Policy::admit_region`] make one. What needs the checks to
/// have passed takes it as an argument, and then can't be called without them.
#[derive(Debug)]
#[must_use]
pub struct Accepted<F> {
    report: Report,
    facts: PhantomData<fn(&F)>,
}

impl<F> Accepted<F> {
    fn by(report: Report) -> Result<Self, Refusal> {
        report.enforce()?;
        Ok(Self {
            report,
            facts: PhantomData,
        })
    }

    /// The report that led to it.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}
