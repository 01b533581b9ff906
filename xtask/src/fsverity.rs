//! `cargo xtask fsverity`: the tests of the kernel's own measurement, on a kernel and a file system that have it.
//!
//! Few file systems can enable fs-verity. So a kernel of Debian's is booted in an emulated machine (QEMU, without
//! hardware virtualization), with an ext4 image that can: the tests which are skipped elsewhere run in there, and fail
//! where they would be skipped. Kernel and shell are unpacked under `target`; nothing is installed, and once they are
//! there the network isn't needed.

mod archive;
mod image;
mod machine;
mod modules;
mod packages;
mod report;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use self::report::Check;
use crate::process;

/// What runs in the machine: a name, the test program, its arguments, and whether the kernel may turn out unable to.
const CHECKS: &[Planned] = &[
    Planned {
        name: "what the kernel measures",
        program: "vram-sys",
        arguments: &["fs_verity::", "--skip", "another_size"],
        may_skip: false,
    },
    Planned {
        name: "sealing what the kernel measures",
        program: "command",
        arguments: &["kernel::", "--skip", "other_blocks"],
        may_skip: false,
    },
    Planned {
        name: "blocks of another size",
        program: "vram-sys",
        arguments: &["another_size"],
        may_skip: true,
    },
    Planned {
        name: "sealing with blocks of another size",
        program: "command",
        arguments: &["other_blocks"],
        may_skip: true,
    },
];

struct Planned {
    name: &'static str,
    /// The package whose unit tests, or the integration test, that is run.
    program: &'static str,
    arguments: &'static [&'static str],
    /// Linux before 6.3 has no other blocks than pages.
    may_skip: bool,
}

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail where the emulator, the tools or the packages can't be had, instead of skipping.
    #[arg(long)]
    require: bool,
    /// How long the machine may run.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(10..=3600))]
    seconds: u64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let began = Instant::now();
    let packages = match packages::unpacked(&scratch()) {
        Ok(packages) => packages,
        Err(missing) if !options.require => {
            process::report(&format!(
                "SKIPPED: the kernel's measurement is not tested: {missing:#}"
            ));
            return Ok(());
        }
        Err(missing) => return Err(missing),
    };
    let programs = Programs::build()?;
    let image = image::build(&scratch(), &packages, &programs)?;
    let booted = Instant::now();
    let limit = Duration::from_secs(options.seconds);
    let said = machine::run(&scratch(), &packages, &image, limit)?;
    let checks = report::read(&said)?;
    process::report(&format!(
        "\nLinux {}, ext4, emulated: {:.0?}, after {:.0?} of building",
        report::kernel(&said).unwrap_or("of an unknown version"),
        booted.elapsed(),
        booted.duration_since(began),
    ));
    let judged = judge(&checks);
    for line in &judged.lines {
        process::report(line);
    }
    if judged.failed > 0 {
        bail!("{} of {} checks failed", judged.failed, CHECKS.len());
    }
    Ok(())
}

/// What became of the planned checks.
struct Judged {
    /// For people.
    lines: Vec<String>,
    /// Those that did not run and pass, and may not be skipped either.
    failed: usize,
}

/// Each planned check has to have run and passed, or to have been skipped where it may be.
fn judge(checks: &[Check]) -> Judged {
    let (mut lines, mut failed) = (Vec::new(), 0_usize);
    for planned in CHECKS {
        let check = checks.iter().find(|check| check.name == planned.name);
        let (verdict, shown) = match check {
            None => ("FAILED", Some("it did not run".to_owned())),
            Some(check) if !check.passed() => ("FAILED", Some(check.output.clone())),
            Some(check) => match check.skipped() {
                Some(why) if planned.may_skip => ("SKIPPED", Some(why.to_owned())),
                Some(why) => ("FAILED", Some(why.to_owned())),
                None => ("passed", None),
            },
        };
        let tests = check.and_then(Check::tests).unwrap_or_default();
        lines.push(format!("{verdict:<8} {} ({tests} tests)", planned.name));
        lines.extend(shown);
        if verdict == "FAILED" {
            failed = failed.saturating_add(1);
        }
    }
    Judged { lines, failed }
}

/// The script that runs the checks in the machine.
fn script() -> String {
    let mut script = include_str!("fsverity/guest.sh").to_owned();
    for planned in CHECKS {
        let require = if planned.may_skip {
            "-u VRAM_REQUIRE_KERNEL_VERITY"
        } else {
            "VRAM_REQUIRE_KERNEL_VERITY=1"
        };
        script += &format!(
            "check '{}' env {require} /checks/{} --nocapture --test-threads 1 {}\n",
            planned.name,
            planned.program,
            planned.arguments.join(" ")
        );
    }
    script += "finish\n";
    script
}

/// Where everything of this task is.
fn scratch() -> PathBuf {
    process::scratch().join("fsverity")
}

/// What runs in the machine, as it was built here.
struct Programs {
    /// The unit tests of vram-sys.
    sys: PathBuf,
    /// The tests of the command.
    command: PathBuf,
    /// The command itself, which its tests start by this very path.
    vram: PathBuf,
}

impl Programs {
    fn build() -> anyhow::Result<Self> {
        let output = process::cargo()
            .args(["test", "--no-run", "--locked", "--message-format=json"])
            .args(["--package", "vram-sys", "--package", "vram-cli"])
            .args(["--lib", "--test", "command"])
            .current_dir(process::workspace())
            .stderr(std::process::Stdio::inherit())
            .output()
            .context("could not start cargo test")?;
        if !output.status.success() {
            bail!("building the tests ended with {}", output.status);
        }
        let said = String::from_utf8(output.stdout)?;
        let found = |name, test| {
            executable(&said, name, test).with_context(|| format!("cargo built no {name}"))
        };
        Ok(Self {
            sys: found("vram_sys", true)?,
            command: found("command", true)?,
            vram: found("vram", false)?,
        })
    }

    /// Each with the path that it has in the machine.
    fn placed(&self) -> [(&Path, PathBuf); 3] {
        [
            (&self.sys, PathBuf::from("/checks/vram-sys")),
            (&self.command, PathBuf::from("/checks/command")),
            (&self.vram, self.vram.clone()),
        ]
    }
}

/// The path of a program among cargo's messages.
fn executable(messages: &str, target: &str, test: bool) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let named = message.pointer("/target/name")?.as_str()? == target;
        let tested = message.pointer("/profile/test")?.as_bool()? == test;
        let path = message.get("executable")?.as_str()?;
        (named && tested).then(|| PathBuf::from(path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(planned: &Planned, status: i32, output: &str) -> Check {
        Check {
            name: planned.name.to_owned(),
            status,
            output: output.to_owned(),
        }
    }

    const GOOD: &str = "test result: ok. 3 passed; 0 failed";

    #[test]
    fn every_check_has_to_have_run_tests_that_passed() {
        let all = |output: &str, status| -> Vec<_> {
            let checks = CHECKS.iter();
            checks
                .map(|planned| check(planned, status, output))
                .collect()
        };

        assert_eq!(judge(&all(GOOD, 0)).failed, 0);
        assert_ne!(judge(&all(GOOD, 101)).failed, 0);
        assert_ne!(
            judge(&all("test result: ok. 0 passed; 0 failed", 0)).failed,
            0
        );
        assert_ne!(judge(&all(GOOD, 0)[1..]).failed, 0);
        assert_ne!(judge(&[]).failed, 0);
    }

    #[test]
    fn only_what_the_kernel_may_lack_may_be_skipped() {
        let with_skip = |name: &str| -> Vec<_> {
            let skip = format!("SKIPPED: no\n{GOOD}");
            let checks = CHECKS.iter();
            checks
                .map(|planned| check(planned, 0, if planned.name == name { &skip } else { GOOD }))
                .collect()
        };

        for planned in CHECKS {
            let judged = judge(&with_skip(planned.name));
            assert_eq!(judged.failed == 0, planned.may_skip, "{}", planned.name);
        }
    }

    #[test]
    fn programs_are_found_among_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"vram"},"profile":{"test":true},"executable":"/t/vram-1"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"vram"},"profile":{"test":false},"executable":"/t/vram"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );

        assert_eq!(executable(messages, "vram", false), Some("/t/vram".into()));
        assert_eq!(executable(messages, "vram-sys", true), None);
    }

    #[test]
    fn the_script_runs_every_check_and_then_ends() {
        let script = script();

        for planned in CHECKS {
            assert!(script.contains(&format!("check '{}' env ", planned.name)));
        }
        assert!(script.ends_with("finish\n"));
    }
}
