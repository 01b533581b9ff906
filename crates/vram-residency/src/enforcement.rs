//! What a manager enforces: the policy, over what can be seen of its device and of the machine around it.

use std::collections::BTreeMap;
use std::sync::Arc;

use vram_alloc::{Device, DeviceProperties, FrozenRegion, OpenRegion, RegionObservation};
use vram_observe::{Answer, Card, CardAttestation, ConfidentialSettings, Witness};
use vram_policy::{
    CheckId, Enforcement, Finding, ManagementFacts, Policy, RegionFacts, Report, Status,
};

use crate::Result;
use crate::event::Event;
use crate::facts::{self, Expected};
use crate::manager::{Manager, lock};
use crate::shard::SealedShard;
use crate::sync::Mutex;

/// A policy, who observes for it, and what of it has been told.
#[derive(Debug)]
pub(crate) struct Watch {
    policy: Policy,
    witness: Arc<dyn Witness>,
    told: Told,
    /// What the last look found, whether or not it was refused; none before the first.
    newest: Mutex<Option<Surroundings>>,
}

/// A device and the machine around it, judged at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) device: Report,
    pub(crate) host: Report,
}

impl Surroundings {
    /// Both as one: either can refuse, and one refusal says all that stands in the way.
    pub(crate) fn together(&self) -> Report {
        self.device.clone().and(self.host.clone())
    }
}

impl Watch {
    pub(crate) fn new(policy: Policy, witness: Arc<dyn Witness>) -> Self {
        Self {
            policy,
            witness,
            told: Told::default(),
            newest: Mutex::default(),
        }
    }

    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What the management library says of a card now.
    pub(crate) fn management(&self, properties: &DeviceProperties) -> ManagementFacts {
        self.witness.management(&Card {
            uuid: properties.uuid,
            pci_bus_id: properties.pci_bus_id.as_deref(),
        })
    }

    /// What the management library says of confidential computing, or why it says nothing.
    pub(crate) fn confidential_settings(&self, card: &Card<'_>) -> Answer<ConfidentialSettings> {
        self.witness.confidential_settings(card)
    }

    /// What a card says of itself under its own signature, over this nonce.
    pub(crate) fn attestation(&self, card: &Card<'_>, nonce: &[u8; 32]) -> Answer<CardAttestation> {
        self.witness.attestation(card, nonce)
    }

    /// Looks at an open device and at the machine, and judges what is seen. What the driver won't say is
    /// unknown, and is judged as that; only a lost device is an error.
    pub(crate) fn look(&self, device: &Device) -> Result<Surroundings> {
        let opened = device.properties();
        let management = self.management(opened);
        let host = self.witness.host();
        let mut facts = match device.observe() {
            Ok(now) => facts::device_facts(&now, management),
            Err(error) if error.is_fatal() => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "the driver no longer describes the device");
                facts::undescribed(management, opened.simulated)
            }
        };
        facts.system = host.system;
        let found = Surroundings {
            device: self.policy.assess_device(&facts),
            host: self.policy.assess_host(&host),
        };
        *lock(&self.newest) = Some(found.clone());
        Ok(found)
    }

    /// The warnings of a report on the device and the machine that are new.
    pub(crate) fn news<'a>(&self, report: &'a Report) -> Vec<&'a Finding> {
        self.told.news(report)
    }
}

impl Manager {
    /// Judges what the driver says of a region that is still being written: nothing is to be uploaded into
    /// memory that the policy refuses.
    pub(crate) fn admit_open(&self, region: &OpenRegion) -> Result<Report> {
        self.admit(&region.observe()?, Expected::of_open(region))
    }

    /// Judges what the driver says of a region now.
    pub(crate) fn admit_region(&self, region: &FrozenRegion) -> Result<Report> {
        self.admit(&region.observe()?, Expected::of_frozen(region))
    }

    /// The same of many regions, one after the other: the driver answers one thread at a time, and threads
    /// that queue up for it wait longer than the answers take.
    pub(crate) fn admit_each(&self, regions: &[&FrozenRegion]) -> Vec<Result<Arc<Report>>> {
        // Regions of one size have the same facts, if all is well, and the same facts the same report.
        let mut last: Option<(RegionFacts, Arc<Report>)> = None;
        let mut admit = |region: &&FrozenRegion| {
            let facts = self.facts_of(&region.observe()?, Expected::of_frozen(region));
            if let Some((same, report)) = &last
                && *same == facts
            {
                return Ok(Arc::clone(report));
            }
            let report = Arc::new(self.admit_facts(&facts)?);
            last = Some((facts, Arc::clone(&report)));
            Ok(report)
        };
        regions.iter().map(&mut admit).collect()
    }

    /// Judges what the driver said of memory that somebody else allocated, of so many bytes.
    pub(crate) fn admit_foreign(
        &self,
        observed: &RegionObservation,
        allocation: u64,
    ) -> Result<Report> {
        self.admit(observed, Expected::of_foreign(allocation))
    }

    fn admit(&self, observed: &RegionObservation, expected: Expected) -> Result<Report> {
        self.admit_facts(&self.facts_of(observed, expected))
    }

    fn facts_of(&self, observed: &RegionObservation, expected: Expected) -> RegionFacts {
        facts::region_facts(observed, expected, self.device().index)
    }

    fn admit_facts(&self, facts: &RegionFacts) -> Result<Report> {
        let admitted = self.policy().admit_region(facts)?;
        Ok(admitted.report().clone())
    }

    /// Lets the observers know what the policy tolerates of a shard's region, if that is news.
    pub(crate) fn tell_warnings(&self, shard: &SealedShard, report: &Report) -> Result<()> {
        let news = shard.warnings().news(report);
        if news.is_empty() {
            return Ok(());
        }
        self.tell(&Event::policy_warning(Some(shard.id()), news))
    }

    /// Looks at the device and at the machine around it again, and judges them: what can change while a
    /// manager lives is errors that memory has had, rows and pages that wait for a repair, processes that
    /// came to the device, a debugger at this process, its limits.
    ///
    /// [`recheck_every`](crate::ManagerBuilder::recheck_every) does this again and again. Warnings that
    /// weren't there before, or that have changed, are told as [`Event::PolicyWarning`], and that nothing was
    /// refused as [`Event::Rechecked`].
    ///
    /// # Errors
    ///
    /// [`Error::Policy`](crate::Error::Policy) for a finding that the policy refuses, and [`Error::Memory`](crate::Error::Memory) for a lost device:
    /// both stop the manager. What can't be observed is unknown, and refused where the policy asks for it.
    pub fn recheck(&self) -> Result<Report> {
        self.retire_keys()?;
        let judged = self.look_again();
        let report = judged.inspect_err(|error| self.tell_failure(error, None, None))?;
        let news = self.settings().watch.news(&report);
        if !news.is_empty() {
            self.tell(&Event::policy_warning(None, news))?;
        }
        let warnings = report.findings().iter().filter(|found| warns(found));
        let warnings = warnings.count();
        self.tell(&Event::Rechecked { warnings })?;
        Ok(report)
    }

    /// What the last look at the device and the machine found, whether or not the policy refused it.
    pub(crate) fn newest_surroundings(&self) -> Surroundings {
        let settings = self.settings();
        let newest = lock(&settings.watch.newest).clone();
        newest.unwrap_or_else(|| settings.surroundings.clone())
    }

    fn look_again(&self) -> Result<Report> {
        let settings = self.settings();
        let report = settings.watch.look(settings.allocator.device())?.together();
        report.enforce()?;
        Ok(report)
    }
}

/// Which warnings have been told, as they were: each is told once, and again when it has changed.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<BTreeMap<CheckId, (Status, String)>>);

impl Told {
    /// The warnings of a report that are new or have changed since the last one.
    pub(crate) fn news<'a>(&self, report: &'a Report) -> Vec<&'a Finding> {
        let warnings = report.findings().iter().filter(|finding| warns(finding));
        let now: BTreeMap<_, _> = warnings
            .map(|finding| (finding.id, (finding.status, finding.observed.clone())))
            .collect();
        let mut told = lock(&self.0);
        let is_new = |finding: &&Finding| {
            let seen = now.get(&finding.id);
            seen.is_some() && seen != told.get(&finding.id)
        };
        let news = report.findings().iter().filter(is_new).collect();
        *told = now;
        news
    }
}

/// Whether a finding is one that is tolerated and told.
fn warns(finding: &Finding) -> bool {
    !finding.is_clear() && finding.enforcement != Enforcement::Note
}
