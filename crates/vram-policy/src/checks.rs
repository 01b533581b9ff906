//! The checks, one file each, and the tables that list them.

mod device;
mod host;
mod region;

use std::borrow::Cow;

use crate::check_id::CheckId;
use crate::clause::{Conditions, Judgement};
use crate::facts::{DeviceFacts, HostFacts, RegionFacts};
use crate::finding::{Finding, Severity, Source, Status};
use crate::policy::Policy;
use crate::profile::{Enforcement, Levels};

/// One check over facts of type `F`: a row of a table.
pub(crate) struct Check<F> {
    pub(crate) id: CheckId,
    pub(crate) severity: Severity,
    /// How it counts in each profile when it does not pass.
    pub(crate) levels: Levels,
    pub(crate) meaning: &'static str,
    pub(crate) remedy: &'static str,
    pub(crate) attributes: &'static [&'static str],
    pub(crate) documentation: &'static str,
    /// What is asked of the facts.
    pub(crate) conditions: fn(&F) -> Conditions,
}

/// The checks that judge a device.
pub(crate) const DEVICE: &[Check<DeviceFacts>] = device::ALL;

/// The checks that judge the machine around the device, and our own process.
pub(crate) const HOST: &[Check<HostFacts>] = host::ALL;

/// The checks that judge a region of memory.
pub(crate) const REGION: &[Check<RegionFacts>] = region::ALL;

/// How a check counts in each profile.
pub(crate) fn levels(id: CheckId) -> Levels {
    fn of<F>(checks: &[Check<F>], id: CheckId) -> Option<Levels> {
        checks
            .iter()
            .find(|check| check.id == id)
            .map(|check| check.levels)
    }
    of(DEVICE, id)
        .or_else(|| of(HOST, id))
        .or_else(|| of(REGION, id))
        // Each check stands in a table, as a test makes sure; one that did not would be enforced.
        .unwrap_or(Levels::ALWAYS)
}

impl<F> Check<F> {
    /// Judges facts the way that a policy asks for.
    pub(crate) fn run(&self, policy: &Policy, facts: &F) -> Finding {
        let Judgement {
            status,
            observed,
            expected,
        } = Judgement::of(&(self.conditions)(facts));
        let of_profile = Policy::new(policy.profile()).counts(self.levels, self.id, status);
        let enforcement = policy.counts(self.levels, self.id, status);
        let status = match (status, enforcement) {
            (Status::Fail, Enforcement::Warn | Enforcement::Note) => Status::Warn,
            _ => status,
        };
        Finding {
            id: self.id,
            severity: self.severity,
            status,
            observed,
            expected,
            meaning: Cow::Borrowed(self.meaning),
            remedy: Cow::Borrowed(self.remedy),
            source: Source {
                attributes: self
                    .attributes
                    .iter()
                    .map(|name| Cow::Borrowed(*name))
                    .collect(),
                documentation: Cow::Borrowed(self.documentation),
            },
            enforcement,
            raised_or_lowered_from: (of_profile != enforcement).then_some(of_profile),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::EnvironmentVariable;

    struct Row {
        id: CheckId,
        levels: Levels,
        texts: [&'static str; 3],
        attributes: usize,
    }

    fn rows() -> Vec<Row> {
        fn row<F>(check: &Check<F>) -> Row {
            Row {
                id: check.id,
                levels: check.levels,
                texts: [check.meaning, check.remedy, check.documentation],
                attributes: check.attributes.len(),
            }
        }
        DEVICE
            .iter()
            .map(row)
            .chain(HOST.iter().map(row))
            .chain(REGION.iter().map(row))
            .collect()
    }

    #[test]
    fn every_check_stands_in_exactly_one_table_in_the_published_order() {
        let ids: Vec<CheckId> = rows().iter().map(|row| row.id).collect();

        assert_eq!(ids, CheckId::ALL);
    }

    #[test]
    fn every_check_says_what_it_means_what_to_do_and_where_it_is_documented() {
        for row in rows() {
            assert!(row.texts.iter().all(|text| text.len() > 20), "{}", row.id);
            assert!(row.attributes > 0, "{}", row.id);
        }
    }

    #[test]
    fn a_milder_profile_is_nowhere_harder() {
        for Row { id, levels, .. } in rows() {
            let [strict, standard, development] =
                [levels.strict, levels.standard, levels.development];
            assert!(strict.failing >= standard.failing, "{id}");
            assert!(standard.failing >= development.failing, "{id}");
            assert!(strict.unknown >= standard.unknown, "{id}");
            assert!(standard.unknown >= development.unknown, "{id}");
        }
    }

    #[test]
    fn not_knowing_is_milder_than_failing_except_where_failing_is_only_noted() {
        for Row { id, levels, .. } in rows() {
            for level in [levels.strict, levels.standard, levels.development] {
                let noted = level.failing == Enforcement::Note;
                assert!(level.unknown <= level.failing || noted, "{id}");
            }
        }
    }

    #[test]
    fn memory_that_is_not_the_devices_own_refuses_in_every_profile_and_nothing_else_does() {
        for Row { id, levels, .. } in rows() {
            let own_memory = id == CheckId::DeviceOwnMemory || id.as_str().starts_with("region.");
            assert_eq!(levels == Levels::ALWAYS, own_memory, "{id}");
            assert_eq!(
                levels.development.failing == Enforcement::Refuse,
                own_memory
            );
        }
    }

    #[test]
    fn every_variable_that_a_check_asks_for_is_one_that_is_looked_at() {
        for check in HOST {
            for name in check.attributes {
                let is_variable = name.starts_with("CUDA_") || name.starts_with("LD_");
                let watched = EnvironmentVariable::WATCHED.contains(name);
                assert!(watched || !is_variable, "{name}");
            }
        }
        assert!(EnvironmentVariable::WATCHED.is_sorted());
    }
}
