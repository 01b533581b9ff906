//! `cargo xtask properties`: the property tests of all crates, and no others, with as many cases as asked for.
//!
//! A property test is one inside `proptest! { … }`; they are found by reading the sources, so none has to be listed.
//! Each takes the number of cases from `PROPTEST_CASES`, by proptest's default configuration: 256 without it. What
//! fails is written into a folder `proptest-regressions` of its crate, which is committed, and is tried first from
//! then on.

mod sources;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;

use self::sources::Property;
use crate::{link_stub, process};

/// How proptest is told the number of cases.
const CASES: &str = "PROPTEST_CASES";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many cases each property is tried with.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    cases: u32,
    /// Those of this crate only; may be given several times.
    #[arg(long, value_name = "CRATE")]
    package: Vec<String>,
    /// Run nothing, and list them.
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let mut properties = sources::find(&process::workspace())?;
    if !options.package.is_empty() {
        properties.retain(|property| options.package.contains(&property.package));
    }
    if properties.is_empty() {
        bail!("no property test was found: name crates that have some");
    }
    let names = by_package(&properties);
    if options.list {
        for (package, names) in &names {
            for name in names {
                process::report(&format!("{package} {name}"));
            }
        }
        return Ok(());
    }
    let (count, cases) = (properties.len(), options.cases);
    process::report(&format!(
        "{count} property tests of {} crates, {cases} cases each",
        names.len()
    ));
    if process::works(process::cargo().args(["nextest", "--version"])) {
        return with_nextest(&names, cases);
    }
    names
        .iter()
        .try_for_each(|(package, names)| with_cargo(package, names, cases))
}

fn by_package(properties: &[Property]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for property in properties {
        let of_package = names.entry(&property.package).or_default();
        of_package.insert(&property.name);
    }
    names
}

/// The tests of these names, wherever they stand in their crates.
fn filter(names: &BTreeMap<&str, BTreeSet<&str>>) -> String {
    let of_package = |(package, names): (&&str, &BTreeSet<&str>)| {
        let names = names.iter().copied().collect::<Vec<_>>().join("|");
        format!("(package(={package}) & test(/(^|::)({names})$/))")
    };
    names.iter().map(of_package).collect::<Vec<_>>().join(" | ")
}

fn with_nextest(names: &BTreeMap<&str, BTreeSet<&str>>, cases: u32) -> anyhow::Result<()> {
    let mut cargo = process::cargo();
    cargo.args(["nextest", "run", "--all-features", "--locked"]);
    for package in names.keys() {
        cargo.args(["--package", package]);
    }
    cargo.arg("--filterset").arg(filter(names));
    cargo.env(CASES, cases.to_string());
    process::run(cargo.env(link_stub::VARIABLE, link_stub::generate()?))
}

/// Where nextest is not installed. The names are parts of names here: a test that happens to contain one runs too.
fn with_cargo(package: &str, names: &BTreeSet<&str>, cases: u32) -> anyhow::Result<()> {
    let mut cargo = process::cargo();
    cargo.args(["test", "--all-features", "--locked", "--package", package]);
    cargo.args(["--lib", "--bins", "--tests", "--"]).args(names);
    cargo.env(CASES, cases.to_string());
    process::run(cargo.env(link_stub::VARIABLE, link_stub::generate()?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn property(package: &str, name: &str) -> Property {
        Property {
            package: package.to_owned(),
            name: name.to_owned(),
            lowers_cases: false,
        }
    }

    #[test]
    fn the_filter_takes_whole_names_of_their_own_crate() {
        let properties = [property("b", "y"), property("a", "x"), property("b", "z")];

        let filter = filter(&by_package(&properties));

        assert_eq!(
            filter,
            "(package(=a) & test(/(^|::)(x)$/)) | (package(=b) & test(/(^|::)(y|z)$/))"
        );
    }

    /// A property with a number of cases of its own would not be tried longer when that is asked for.
    #[test]
    fn every_property_of_the_workspace_takes_its_number_of_cases_from_the_default() {
        let properties = sources::find(&process::workspace()).unwrap();

        let fixed: Vec<_> = properties
            .iter()
            .filter(|property| property.lowers_cases)
            .collect();
        assert!(
            properties.len() > 40,
            "only {} were found",
            properties.len()
        );
        assert!(fixed.is_empty(), "{fixed:?}");
    }

    /// What is not committed is tried again by nobody else.
    #[test]
    fn regressions_are_not_ignored_by_git() {
        let ignored = fs::read_to_string(process::workspace().join(".gitignore")).unwrap();

        assert!(!ignored.contains("regressions"), "{ignored}");
    }
}
