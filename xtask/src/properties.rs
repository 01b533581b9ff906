//! `cargo xtask properties`: the property tests of all crates, and no others, with as many cases as asked for.
//!
//! A property test is one inside `proptest! { … }`, or one that runs cases of its own; they are found by reading
//! the sources, so none has to be listed. Each takes the number of cases from `PROPTEST_CASES`, by proptest's
//! default configuration: 256 without it. What fails is written into a folder `proptest-regressions` of its crate,
//! which is committed, and is tried first from then on.

use anyhow::bail;

use crate::{catalogue, link_stub, process, test_id};

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
    let mut ids = catalogue::property_tests(&process::workspace())?;
    ids.retain(|id| is_of(id, &options.package));
    if ids.is_empty() {
        bail!("no property test was found: name crates that have some");
    }
    if options.list {
        for id in &ids {
            process::report(id);
        }
        return Ok(());
    }
    let (count, cases) = (ids.len(), options.cases);
    process::report(&format!("{count} property tests, {cases} cases each"));
    let binaries = test_id::by_binary(ids.iter().map(String::as_str));
    let stub = link_stub::generate()?;
    let mut failed = Vec::new();
    // One binary after the other, all of them: a property that fails doesn't hide those after it.
    for (binary, paths) in &binaries {
        let mut cargo = process::cargo();
        test_id::run_with(&mut cargo, binary, paths);
        cargo.env(CASES, cases.to_string());
        cargo.env(link_stub::VARIABLE, &stub);
        if let Err(error) = process::run(&mut cargo) {
            process::report(&format!("error: {error:#}"));
            failed.push(binary.as_str());
        }
    }
    if !failed.is_empty() {
        bail!("properties failed in {}", failed.join(", "));
    }
    process::report(&format!(
        "{count} property tests passed with {cases} cases each"
    ));
    Ok(())
}

/// Whether a test is of one of these crates; of any, where none is named.
fn is_of(id: &str, packages: &[String]) -> bool {
    let binary = id.split_once(' ').map_or(id, |(binary, _)| binary);
    let package = test_id::package(binary);
    packages.is_empty() || packages.iter().any(|named| named == package)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn tests_are_chosen_by_their_crate() {
        let of_seal = ["vram-seal".to_owned()];

        assert!(is_of("vram-seal tag::x", &of_seal) && is_of("vram-seal::suite x", &of_seal));
        assert!(!is_of("vram-sealed::suite x", &of_seal));
        assert!(is_of("vram-policy x", &[]));
    }

    /// The sources of the crates and of their tests, but for this folder's.
    fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.display().to_string(), text));
            }
        }
    }

    /// A property with a number of cases of its own would not be tried longer when that is asked for, and what fails
    /// would be lost where persistence is turned off.
    #[test]
    fn every_property_takes_its_number_of_cases_from_the_default_and_persists_what_fails() {
        let mut all = Vec::new();
        for folder in ["crates", "cuda-kernels", "tests"] {
            sources(&process::workspace().join(folder), &mut all);
        }
        let with_properties = all.iter().filter(|(_, text)| text.contains("proptest!"));
        let with_properties: Vec<_> = with_properties.collect();

        assert!(with_properties.len() > 15, "{}", with_properties.len());
        for (path, text) in with_properties {
            assert!(!text.contains("with_cases("), "{path}");
            assert!(!text.contains("failure_persistence: None"), "{path}");
            let configured = text.matches("cases: ").count();
            let derived = text
                .matches("cases: ProptestConfig::default().cases")
                .count();
            assert_eq!(configured, derived, "{path} sets a number of cases");
        }
    }

    /// What is not committed is tried again by nobody else.
    #[test]
    fn regressions_are_not_ignored_by_git() {
        let ignored = fs::read_to_string(process::workspace().join(".gitignore")).unwrap();

        assert!(!ignored.contains("regressions"), "{ignored}");
    }
}
