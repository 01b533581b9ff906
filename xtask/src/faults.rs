//! `cargo xtask faults`: builds the fault campaign of vram-tests and runs it.
//!
//! Random bits of sealed shards are flipped in device memory, and verification has to find each flip and name its
//! block. The report says which commit it is of; the status is 1 if a flip was missed.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use crate::gpu::{self, Checkout};
use crate::process;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many flips, each of one bit or several.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    flips: u64,
    /// What everything random comes from: the same number makes the same campaign. By default a new one.
    #[arg(long)]
    seed: Option<u64>,
    /// The driver to run on.
    #[arg(long, default_value = "simulated", value_parser = ["simulated", "gpu"])]
    driver: String,
    /// Where the report goes, as JSON. By default into the folder for what tasks build.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let json = options
        .json
        .clone()
        .unwrap_or_else(|| process::scratch().join("faults.json"));
    if let Some(folder) = json.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    // A report of an earlier run is not taken for this one's.
    if json.exists() {
        std::fs::remove_file(&json).with_context(|| json.display().to_string())?;
    }
    let checkout = gpu::checkout()?;
    process::run(process::cargo().args([
        "build",
        "--release",
        "--locked",
        "--package",
        "vram-tests",
        "--bin",
        "faults",
    ]))?;
    let program = process::target().join("release").join("faults");
    let mut campaign = Command::new(program);
    campaign.args(arguments(options, &checkout));
    campaign.arg("--json").arg(&json);
    let ran = process::run(&mut campaign);
    if json.exists() {
        process::report(&format!("the same for programs: {}", json.display()));
    }
    ran
}

fn arguments(options: &Options, checkout: &Checkout) -> Vec<String> {
    let mut arguments = vec![
        format!("--flips={}", options.flips),
        format!("--driver={}", options.driver),
        format!("--commit={}", checkout.commit),
    ];
    arguments.extend(options.seed.map(|seed| format!("--seed={seed}")));
    if checkout.dirty {
        arguments.push("--dirty".to_owned());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_campaign_is_told_what_was_asked_for_and_what_it_is_built_from() {
        let options = Options {
            flips: 7,
            seed: Some(u64::MAX),
            driver: "gpu".to_owned(),
            json: None,
        };
        let of = |dirty| Checkout {
            commit: "abc".to_owned(),
            dirty,
        };

        let told = arguments(&options, &of(true));

        let expected = [
            "--flips=7",
            "--driver=gpu",
            "--commit=abc",
            "--seed=18446744073709551615",
            "--dirty",
        ];
        assert_eq!(told, expected);
        let clean = arguments(&options, &of(false));
        assert!(!clean.contains(&"--dirty".to_owned()));
    }
}
