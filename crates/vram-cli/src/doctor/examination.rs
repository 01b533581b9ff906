//! What was seen, and what the policy says of it.

use serde::{Serialize, Serializer};
use vram_policy::{DeviceFacts, HostFacts, Policy, Profile, Report, Verdict};

use super::absence::Absence;
use super::residency::Residency;
use crate::exit::Exit;
use crate::profile::{Changed, PolicyOptions, changed};

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
            changed: changed(&policy),
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

#[cfg(test)]
mod tests {
    use vram_policy::residency::{RateSource, ResidencyReason, ResidencyStatus, ResidencyVerdict};

    use super::*;

    fn device(residency: Residency) -> Seen {
        Seen {
            index: 0,
            facts: DeviceFacts {
                integrated: Some(false),
                pageable_memory_access: Some(false),
                pageable_memory_access_uses_host_page_tables: Some(false),
                direct_managed_access_from_host: Some(false),
                ..DeviceFacts::default()
            },
            residency,
        }
    }

    fn not_measured() -> Residency {
        Residency {
            summary: "not measured".to_owned(),
            measured: None,
        }
    }

    fn measured(status: ResidencyStatus) -> Residency {
        let verdict = ResidencyVerdict {
            status,
            reason: ResidencyReason::SlowAsLink,
            simulated: false,
            source: RateSource::Read,
            bytes: 1 << 30,
            windows: 1,
            passes: 3,
            rate: None,
            observed_rate: None,
            control_rate: None,
            link: None,
            ceiling: None,
            measured_copy: None,
            threshold: None,
            margin_permille: None,
            behind_link_permille: None,
            window_needed: None,
        };
        Residency {
            summary: verdict.to_string(),
            measured: Some(verdict),
        }
    }

    fn examine(profile: &str, devices: Vec<Seen>) -> Examination {
        let options = PolicyOptions::of(profile);
        Examination::new(&options, HostFacts::default(), devices, None)
    }

    /// Covers: PO-1.
    #[test]
    fn what_could_not_be_observed_is_no_acceptance_under_strict() {
        let examination = examine("strict", vec![device(not_measured())]);

        assert_eq!(examination.verdict, Outcome::Judged(Verdict::Undecided));
        assert_eq!(examination.exit(), Exit::Policy);
    }

    #[test]
    fn a_machine_of_unknowns_can_be_developed_on_with_a_warning() {
        let examination = examine("development", vec![device(not_measured())]);

        let verdict = Outcome::Judged(Verdict::AcceptedWithWarnings);
        assert_eq!(examination.verdict, verdict);
        assert_eq!(examination.exit(), Exit::Good);
    }

    /// Covers: VP-005.
    #[test]
    fn memory_measured_to_lie_elsewhere_is_refused_by_every_profile() {
        for profile in Profile::ALL {
            let residency = measured(ResidencyStatus::Contradicted);
            let examination = examine(profile.as_str(), vec![device(residency)]);

            assert_eq!(examination.verdict, Outcome::Judged(Verdict::Refused));
            assert_eq!(examination.exit(), Exit::Policy);
        }
    }

    #[test]
    fn a_measurement_that_proves_hides_no_finding() {
        let unproven = examine("strict", vec![device(measured(ResidencyStatus::Unproven))]);
        let proven = examine("strict", vec![device(measured(ResidencyStatus::Proven))]);

        assert_eq!(proven.verdict, unproven.verdict);
        assert_eq!(proven.exit(), Exit::Policy);
    }

    #[test]
    fn the_worst_device_decides() {
        let bad = Seen {
            facts: DeviceFacts {
                integrated: Some(true),
                ..DeviceFacts::default()
            },
            ..device(not_measured())
        };

        let examination = examine("development", vec![device(not_measured()), bad]);

        assert_eq!(examination.verdict, Outcome::Judged(Verdict::Refused));
    }

    #[test]
    fn no_device_is_an_error_and_no_acceptance() {
        let examination = examine("development", Vec::new());

        assert_eq!(examination.verdict, Outcome::NoDevice);
        assert_eq!(examination.exit(), Exit::Error);
    }
}
