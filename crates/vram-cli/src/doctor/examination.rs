//! What was seen, and what the policy says of it.

use serde::{Serialize, Serializer};
use vram_policy::{DeviceFacts, HostFacts, Policy, Profile, Report, Verdict};

use super::absence::Absence;
use super::residency::Residency;
use crate::exit::Exit;
use crate::profile::{Changed, PolicyOptions};

/// The host and its devices, and the verdict over them.
#[derive(Debug, Serialize)]
pub(super) struct Examination {
    pub(super) profile: Profile,
    /// The checks that count otherwise than the profile has them.
    pub(super) changed: Vec<Changed>,
    pub(super) verdict: Outcome,
    pub(super) host: Host,
    pub(super) devices: Vec<Device>,
    /// Why there are no devices.
    pub(super) no_device: Option<Absence>,
}

/// The host, and our own process.
#[derive(Debug, Serialize)]
pub(super) struct Host {
    facts: HostFacts,
    pub(super) report: Report,
}

/// A device.
#[derive(Debug, Serialize)]
pub(super) struct Device {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) uuid: String,
    pub(super) simulated: bool,
    facts: DeviceFacts,
    /// Of the device alone.
    pub(super) report: Report,
    /// What each profile says of it on this host.
    pub(super) verdicts: Verdicts,
    /// Whether scratch data was in the device's own memory, as measured.
    pub(super) residency: Residency,
}

/// What each profile says of one device and its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdicts(Vec<(Profile, Verdict)>);

/// How an examination ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The worst verdict over the devices.
    Judged(Verdict),
    /// There was no device to judge.
    NoDevice,
}

impl Examination {
    /// Judges what was seen.
    pub(super) fn new(
        options: &PolicyOptions,
        host: HostFacts,
        devices: Vec<Seen>,
        no_device: Option<Absence>,
    ) -> Self {
        let policy = options.policy_or(Profile::Strict);
        let devices: Vec<_> = devices
            .into_iter()
            .map(|seen| Device::judge(seen, &policy, options, &host))
            .collect();
        let profile = policy.profile();
        let verdicts = devices
            .iter()
            .filter_map(|device| device.verdicts.of(profile));
        Self {
            profile,
            changed: options.changed(profile),
            verdict: verdicts.max().map_or(Outcome::NoDevice, Outcome::Judged),
            host: Host {
                report: policy.assess_host(&host),
                facts: host,
            },
            devices,
            no_device,
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match self.verdict {
            Outcome::Judged(verdict) if verdict.accepts() => Exit::Good,
            Outcome::Judged(_) => Exit::Policy,
            Outcome::NoDevice => Exit::Error,
        }
    }
}

/// A device as it was seen, before it is judged.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) index: usize,
    pub(super) facts: DeviceFacts,
    pub(super) residency: Residency,
}

impl Device {
    fn judge(seen: Seen, policy: &Policy, options: &PolicyOptions, host: &HostFacts) -> Self {
        let Seen {
            index,
            facts,
            residency,
        } = seen;
        let verdicts = Profile::ALL.iter().map(|profile| {
            let policy = options.on(*profile);
            let report = policy.assess_host(host).and(policy.assess_device(&facts));
            // What was measured to lie outside the device's memory is refused by every profile.
            let verdict = if residency.is_contradicted() {
                Verdict::Refused
            } else {
                report.verdict()
            };
            (*profile, verdict)
        });
        Self {
            index,
            name: facts.name.clone().unwrap_or_default(),
            uuid: facts.uuid.clone().unwrap_or_default(),
            simulated: facts.simulated,
            verdicts: Verdicts(verdicts.collect()),
            report: policy.assess_device(&facts),
            facts,
            residency,
        }
    }
}

impl Verdicts {
    pub(super) fn of(&self, profile: Profile) -> Option<Verdict> {
        let mut each = self.0.iter();
        each.find(|(of, _)| *of == profile)
            .map(|(_, verdict)| *verdict)
    }
}

impl Serialize for Verdicts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0
                .iter()
                .map(|(profile, verdict)| (profile.to_string(), verdict)),
        )
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Judged(verdict) => verdict.serialize(serializer),
            Self::NoDevice => serializer.serialize_str("no-device"),
        }
    }
}
