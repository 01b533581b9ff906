//! The verdict over the mutants.

use std::collections::BTreeMap;

use serde::Serialize;

use super::excepted::{Excepted, Exception, without_place};
use super::outcomes::{Noticed, Tried};

/// What became of one package's mutants.
#[derive(Debug, Default, Serialize)]
pub(super) struct Package {
    package: String,
    mutants: usize,
    caught: usize,
    timed_out: usize,
    unviable: usize,
    not_tried: usize,
    /// No test noticed these, and no reason is given why none has to.
    missed: Vec<String>,
    /// No test noticed these either, for a reason.
    excepted: Vec<Exception>,
    /// These are listed as missed, and are not.
    stale: Vec<Exception>,
}

impl Package {
    pub(super) fn judge(name: &str, listed: &[String], tried: &Tried, excepted: &Excepted) -> Self {
        let mut package = Self {
            package: name.to_owned(),
            mutants: listed.len(),
            ..Self::default()
        };
        let mut missed = BTreeMap::<String, Vec<String>>::new();
        for mutant in listed {
            let counter = match tried.get(mutant) {
                Some(Noticed::Caught) => &mut package.caught,
                Some(Noticed::TimedOut) => &mut package.timed_out,
                Some(Noticed::Unviable) => &mut package.unviable,
                None => &mut package.not_tried,
                Some(Noticed::Missed) => {
                    let same = missed.entry(without_place(mutant)).or_default();
                    same.push(mutant.clone());
                    continue;
                }
            };
            *counter = counter.saturating_add(1);
        }
        for exception in excepted.below(&format!("crates/{name}/")) {
            let found = missed.get(&exception.mutant).map_or(0, Vec::len);
            if found == exception.times {
                missed.remove(&exception.mutant);
                package.excepted.push(exception.clone());
            } else if package.not_tried == 0 {
                package.stale.push(exception.clone());
            }
        }
        package.missed = missed.into_values().flatten().collect();
        package
    }

    const fn passes(&self) -> bool {
        self.mutants > 0 && self.not_tried == 0 && self.missed.is_empty() && self.stale.is_empty()
    }

    pub(super) fn line(&self) -> String {
        let Self {
            package,
            mutants,
            caught,
            timed_out,
            unviable,
            not_tried,
            ..
        } = self;
        let (missed, excepted) = (self.missed.len(), self.excepted.len());
        let mut text = format!(
            "{package}: {mutants} mutants: {caught} caught, {timed_out} timed out, {unviable} don't build, \
             {excepted} excepted, {missed} MISSED, {not_tried} not tried"
        );
        for mutant in &self.missed {
            text.push_str("\n  missed: ");
            text.push_str(mutant);
        }
        for Exception { mutant, times, .. } in &self.stale {
            text.push_str(&format!(
                "\n  listed as missed {times} times, and isn't: {mutant}"
            ));
        }
        text
    }
}

/// All of them.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    packages: Vec<Package>,
}

impl Report {
    pub(super) fn add(&mut self, package: Package) {
        self.packages.push(package);
    }

    /// Whether every mutant was tried, and noticed or excepted.
    pub(super) fn passed(&self) -> bool {
        !self.packages.is_empty() && self.packages.iter().all(Package::passes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SRC: &str = "crates/p/src/a.rs";

    fn tried(mutants: &[(&str, &str)]) -> (Vec<String>, Tried) {
        let names: Vec<String> = (mutants.iter())
            .map(|(name, _)| format!("{SRC}:{name}"))
            .collect();
        let outcomes: Vec<_> = (names.iter().zip(mutants))
            .filter(|(_, (_, summary))| !summary.is_empty())
            .map(|(name, (_, summary))| serde_json::json!({"scenario": {"Mutant": {"name": name}}, "summary": summary}))
            .collect();
        let mut tried = Tried::default();
        let json = serde_json::json!({"outcomes": outcomes}).to_string();
        tried.add(&json).unwrap();
        (names, tried)
    }

    fn excepted(change: &str, times: usize) -> Excepted {
        let text = format!(
            "[[missed]]\nmutant = \"{SRC}: {change}\"\nreason = \"{}\"\ntimes = {times}\n",
            "it only sets how much is reserved at first"
        );
        toml_edit::de::from_str(&text).unwrap()
    }

    fn judged(mutants: &[(&str, &str)], excepted: &Excepted) -> Package {
        let (listed, tried) = tried(mutants);
        Package::judge("p", &listed, &tried, excepted)
    }

    #[test]
    fn all_noticed_passes() {
        let mutants = [
            ("1:1: x", "CaughtMutant"),
            ("2:1: y", "Unviable"),
            ("3:1: z", "Timeout"),
        ];

        let package = judged(&mutants, &Excepted::default());

        assert!(package.passes(), "{package:?}");
        assert_eq!(
            (package.caught, package.unviable, package.timed_out),
            (1, 1, 1)
        );
    }

    #[test]
    fn one_missed_or_not_tried_fails_and_is_named() {
        let missed = judged(&[("1:1: x", "MissedMutant")], &Excepted::default());
        let not_tried = judged(
            &[("1:1: x", "CaughtMutant"), ("2:1: x", "")],
            &Excepted::default(),
        );

        assert!(!missed.passes());
        assert!(missed.line().contains("missed: crates/p/src/a.rs:1:1: x"));
        assert!(!not_tried.passes());
        assert_eq!(not_tried.not_tried, 1);
        assert!(!judged(&[], &Excepted::default()).passes());
    }

    #[test]
    fn an_exception_holds_for_as_many_as_it_says() {
        let mutants = [("1:1: x", "MissedMutant"), ("2:1: x", "MissedMutant")];

        assert!(judged(&mutants, &excepted("x", 2)).passes());
        let too_few = judged(&mutants, &excepted("x", 1));
        assert!(!too_few.passes());
        assert_eq!(too_few.missed.len(), 2);
    }

    #[test]
    fn an_exception_that_a_test_notices_after_all_fails() {
        let caught = judged(&[("1:1: x", "CaughtMutant")], &excepted("x", 1));

        assert!(!caught.passes());
        assert!(caught.line().contains("and isn't"));
    }

    #[test]
    fn exceptions_are_not_called_stale_before_all_were_tried() {
        let part = judged(
            &[("1:1: y", "CaughtMutant"), ("2:1: x", "")],
            &excepted("x", 1),
        );

        assert!(part.stale.is_empty() && !part.passes());
    }
}
