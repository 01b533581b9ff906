//! The checks, one file each, and the tables that list them.

mod device_memory;
mod no_host_alias;
mod not_managed;
mod own_memory;

use std::borrow::Cow;

use crate::check_id::CheckId;
use crate::clause::{Clause, Judgement};
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
    /// The conditions, all of which must hold.
    pub(crate) clauses: fn(&F) -> Vec<Clause>,
}

/// The checks that judge a device.
pub(crate) const DEVICE: &[Check<DeviceFacts>] = &[own_memory::CHECK];

/// The checks that judge the machine around the device, and our own process.
pub(crate) const HOST: &[Check<HostFacts>] = &[];

/// The checks that judge a region of memory.
pub(crate) const REGION: &[Check<RegionFacts>] = &[
    device_memory::CHECK,
    not_managed::CHECK,
    no_host_alias::CHECK,
];

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
        } = Judgement::all(&(self.clauses)(facts));
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

    struct Row {
        id: CheckId,
        texts: [&'static str; 3],
        attributes: usize,
    }

    fn rows() -> Vec<Row> {
        fn row<F>(check: &Check<F>) -> Row {
            Row {
                id: check.id,
                texts: [check.meaning, check.remedy, check.documentation],
                attributes: check.attributes.len(),
            }
        }
        DEVICE
            .iter()
            .map(row)
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
}
