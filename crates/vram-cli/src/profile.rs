//! Which policy: a profile, and the checks that are raised or lowered against it.

use std::fmt;
use std::str::FromStr;

use clap::Args;
use serde::Serialize;
use vram_policy::{CheckId, Enforcement, Policy, Profile, Verdict};
use vram_residency::Manager;

use crate::output::row;

/// The choice of a policy, the same for every command that asks one.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PolicyOptions {
    /// How much is demanded: strict, standard or development. The default is strict; for a
    /// simulated device that seals, development.
    #[arg(long, value_name = "PROFILE", help_heading = "Policy")]
    profile: Option<Profile>,
    /// Count a check otherwise than the profile does, and say so in every report: HOW is refuse,
    /// warn or note. May be given once for each check; `vram doctor` lists them.
    #[arg(long, value_name = "ID=HOW", help_heading = "Policy")]
    set: Vec<Change>,
}

impl PolicyOptions {
    /// Options that name a profile alone.
    #[cfg(test)]
    pub(crate) fn of(profile: &str) -> Self {
        Self {
            profile: profile.parse().ok(),
            set: Vec::new(),
        }
    }

    /// The policy that the options ask for, on the profile `default` where they name none.
    pub(crate) fn policy_or(&self, default: Profile) -> Policy {
        self.on(self.profile.unwrap_or(default))
    }

    /// The policy on that profile, with the changes that the options ask for.
    pub(crate) fn on(&self, profile: Profile) -> Policy {
        let policy = Policy::new(profile);
        self.set.iter().fold(policy, |policy, change| {
            policy.with(change.id, change.enforcement)
        })
    }

    /// The policy for a manager.
    pub(crate) fn for_manager(&self, simulated: bool) -> Policy {
        self.policy_or(if simulated {
            Profile::Development
        } else {
            Profile::Strict
        })
    }

    /// The arguments that make a child process ask the same policy.
    pub(crate) fn for_child(&self) -> Vec<String> {
        let profile = self.profile.map(|profile| format!("--profile={profile}"));
        let changes = self.set.iter().map(|change| {
            let Change { id, enforcement } = change;
            format!("--set={id}={enforcement}")
        });
        profile.into_iter().chain(changes).collect()
    }
}

/// The checks that count otherwise than the policy's profile has them.
pub(crate) fn changed(policy: &Policy) -> Vec<Changed> {
    let as_it_is = Policy::new(policy.profile());
    let changed = CheckId::ALL.iter().filter_map(|id| {
        let of = |policy: &Policy| {
            let unknown = policy.enforcement_when_unknown(*id);
            (policy.enforcement(*id), unknown)
        };
        let (of_profile, of_profile_when_unknown) = of(&as_it_is);
        (of(&as_it_is) != of(policy)).then_some(Changed {
            id: *id,
            of_profile,
            of_profile_when_unknown,
            configured: policy.enforcement(*id),
        })
    });
    changed.collect()
}

/// The policy that a manager was made under, and what it said of device and host then: every report shows
/// it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Applied {
    profile: Profile,
    changed: Vec<Changed>,
    verdict: Verdict,
}

impl Applied {
    pub(crate) fn by(manager: &Manager) -> Self {
        let policy = manager.policy();
        let (device, host) = (manager.device_report(), manager.host_report());
        Self {
            profile: policy.profile(),
            changed: changed(policy),
            verdict: device.verdict().max(host.verdict()),
        }
    }

    /// The lines that say so.
    pub(crate) fn show(&self, text: &mut String) {
        let warned = self.verdict != Verdict::Accepted;
        let warned = if warned {
            ", with warnings: see vram doctor"
        } else {
            ""
        };
        row(text, "Policy", &format!("{}{warned}", self.profile));
        for changed in &self.changed {
            row(text, "", &changed.to_string());
        }
    }
}

/// A check that counts otherwise than its profile has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Changed {
    pub(crate) id: CheckId,
    /// What the profile says of one that is not as it should be.
    #[serde(rename = "profile")]
    pub(crate) of_profile: Enforcement,
    /// What the profile says of one that could not be observed.
    #[serde(rename = "profile_when_unknown")]
    pub(crate) of_profile_when_unknown: Enforcement,
    /// What counts instead of both.
    pub(crate) configured: Enforcement,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            of_profile,
            of_profile_when_unknown,
            configured,
        } = self;
        write!(f, "{id}: {configured} instead of {of_profile}")?;
        if of_profile != of_profile_when_unknown {
            write!(f, ", or {of_profile_when_unknown} if unknown")?;
        }
        Ok(())
    }
}

/// `ID=HOW`, as `--set` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    id: CheckId,
    enforcement: Enforcement,
}

impl FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, how) = text
            .split_once('=')
            .ok_or_else(|| "it has to be ID=HOW, as host.core-dumps=warn".to_owned())?;
        Ok(Self {
            id: check(id)?,
            enforcement: how.parse().map_err(|error| format!("{error}"))?,
        })
    }
}

/// The check of that id; an id that isn't one is answered with those that there are.
pub(crate) fn check(id: &str) -> Result<CheckId, String> {
    id.parse().map_err(|_| {
        let ids: Vec<&str> = CheckId::ALL.iter().map(|id| id.as_str()).collect();
        format!(
            "there is no check {id:?}; the checks are {}",
            ids.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        policy: PolicyOptions,
    }

    fn options(arguments: &[&str]) -> PolicyOptions {
        let line = [&["vram"], arguments].concat();
        Line::try_parse_from(line).unwrap().policy
    }

    fn refusal(argument: &str) -> String {
        argument.parse::<Change>().unwrap_err()
    }

    #[test]
    fn a_gpu_meets_strict_and_a_simulation_development_unless_told_otherwise() {
        let silent = options(&[]);
        let told = options(&["--profile", "standard"]);

        assert_eq!(silent.for_manager(false).profile(), Profile::Strict);
        assert_eq!(silent.for_manager(true).profile(), Profile::Development);
        assert_eq!(told.for_manager(false).profile(), Profile::Standard);
        assert_eq!(told.for_manager(true).profile(), Profile::Standard);
    }

    #[test]
    fn a_change_counts_and_is_listed_unless_it_changes_nothing() {
        let id = CheckId::DeviceOwnMemory;
        let lowered = options(&["--set", &format!("{id}=warn")]);
        let same = options(&["--set", &format!("{id}=refuse")]);

        let policy = lowered.policy_or(Profile::Strict);

        assert_eq!(policy.enforcement(id), Enforcement::Warn);
        let expected = Changed {
            id,
            of_profile: Enforcement::Refuse,
            of_profile_when_unknown: Enforcement::Refuse,
            configured: Enforcement::Warn,
        };
        assert_eq!(changed(&policy), [expected]);
        assert_eq!(changed(&same.policy_or(Profile::Strict)), []);
    }

    #[test]
    fn what_counts_otherwise_only_where_it_is_unknown_is_listed_too() {
        let raised = options(&["--set", "device.driver-version=refuse"]);

        let changed = changed(&raised.policy_or(Profile::Standard));

        assert_eq!(changed.len(), 1);
        assert_eq!(
            changed[0].to_string(),
            "device.driver-version: refuse instead of refuse, or warn if unknown"
        );
    }

    #[test]
    fn a_child_is_told_the_same() {
        let id = CheckId::DeviceOwnMemory;
        let given = options(&["--profile", "standard", "--set", &format!("{id}=note")]);

        let child = given.for_child();
        let child: Vec<&str> = child.iter().map(String::as_str).collect();

        assert_eq!(
            options(&child).policy_or(Profile::Strict),
            given.policy_or(Profile::Strict)
        );
    }

    #[test]
    fn what_is_no_change_is_refused_by_name() {
        assert!(refusal("warn").contains("ID=HOW"));
        assert!(refusal("device.luck=warn").contains("there is no check \"device.luck\""));
        assert!(refusal("device.luck=warn").contains("device.own-memory"));
        assert!(!refusal("device.own-memory=ignore").is_empty());
    }
}
