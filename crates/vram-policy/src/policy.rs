//! A policy: how the checks count, and the proofs that it hands out.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use crate::check_id::CheckId;
use crate::checks::{self, Check};
use crate::facts::{DeviceFacts, HostFacts, RegionFacts};
use crate::finding::Status;
use crate::profile::{Enforcement, Levels, Profile};
use crate::refusal::Refusal;
use crate::report::Report;

/// Decides whether devices, hosts and regions may have to do with weights.
///
/// Every policy asks every check. What it decides is how one that does not pass counts: as its
/// [`Profile`] says, unless configuration [raised or lowered](Self::with) it, which reports then show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    profile: Profile,
    configured: BTreeMap<CheckId, Enforcement>,
}

impl Default for Policy {
    /// [`Policy::strict`]: who chose none gets the one that lets the least pass.
    fn default() -> Self {
        Self::strict()
    }
}

impl Policy {
    /// The policy of a profile, nothing raised and nothing lowered.
    #[must_use]
    pub const fn new(profile: Profile) -> Self {
        Self {
            profile,
            configured: BTreeMap::new(),
        }
    }

    /// What an auditor wants: [`Profile::Strict`].
    #[must_use]
    pub const fn strict() -> Self {
        Self::new(Profile::Strict)
    }

    /// For operation: [`Profile::Standard`].
    #[must_use]
    pub const fn standard() -> Self {
        Self::new(Profile::Standard)
    }

    /// For a developer's machine: [`Profile::Development`].
    #[must_use]
    pub const fn development() -> Self {
        Self::new(Profile::Development)
    }

    /// Raises or lowers a check: it counts so, whether it fails or can't be observed. The last word on a
    /// check counts. Findings say what the profile alone would ask for.
    #[must_use]
    pub fn with(mut self, id: CheckId, enforcement: Enforcement) -> Self {
        self.configured.insert(id, enforcement);
        self
    }

    /// The profile.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// How a check counts that was observed to fail.
    #[must_use]
    pub fn enforcement(&self, id: CheckId) -> Enforcement {
        self.counts(checks::levels(id), id, Status::Fail)
    }

    /// How a check counts that could not be observed. A profile can be milder here than where it
    /// [fails](Self::enforcement), and harder where failing is harmless.
    #[must_use]
    pub fn enforcement_when_unknown(&self, id: CheckId) -> Enforcement {
        self.counts(checks::levels(id), id, Status::Unknown)
    }

    /// How a check with these levels counts when it comes to this status.
    pub(crate) fn counts(&self, levels: Levels, id: CheckId, status: Status) -> Enforcement {
        let level = levels.of(self.profile);
        let of_profile = match status {
            Status::Unknown => level.unknown,
            _ => level.failing,
        };
        self.configured.get(&id).copied().unwrap_or(of_profile)
    }

    /// How many findings a report of [`assess_region`](Self::assess_region) has, whatever the facts.
    pub const REGION_FINDINGS: usize = checks::REGION.len();

    /// Judges a device.
    #[must_use]
    pub fn assess_device(&self, facts: &DeviceFacts) -> Report {
        self.assess(checks::DEVICE, facts)
    }

    /// Judges the machine around the device, and our own process.
    #[must_use]
    pub fn assess_host(&self, facts: &HostFacts) -> Report {
        self.assess(checks::HOST, facts)
    }

    /// Judges a region of memory.
    #[must_use]
    pub fn assess_region(&self, facts: &RegionFacts) -> Report {
        self.assess(checks::REGION, facts)
    }

    /// Judges a device, and gives the proof of it where it is accepted.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with the findings that stand in the way.
    pub fn admit_device(&self, facts: &DeviceFacts) -> Result<Accepted<DeviceFacts>, Refusal> {
        Accepted::by(self.assess_device(facts))
    }

    /// Judges the machine around the device and our own process, and gives the proof where they are
    /// accepted.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with the findings that stand in the way.
    pub fn admit_host(&self, facts: &HostFacts) -> Result<Accepted<HostFacts>, Refusal> {
        Accepted::by(self.assess_host(facts))
    }

    /// Judges a region of memory, and gives the proof of it where it is accepted.
    ///
    /// # Errors
    ///
    /// [`Refusal`] with the findings that stand in the way.
    pub fn admit_region(&self, facts: &RegionFacts) -> Result<Accepted<RegionFacts>, Refusal> {
        Accepted::by(self.assess_region(facts))
    }

    fn assess<F>(&self, checks: &[Check<F>], facts: &F) -> Report {
        let findings = checks.iter().map(|check| check.run(self, facts));
        Report::new(Some(self.profile), findings.collect())
    }
}

/// Proof that a policy accepted facts of type `F`, with the report that says so.
///
/// Only [`Policy::admit_device`], [`Policy::admit_host`] and [`Policy::admit_region`] make one. What needs the checks to
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
