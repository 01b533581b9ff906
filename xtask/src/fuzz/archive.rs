//! `cargo xtask fuzz --archive`: the programs, their seeds and a script, for a machine without Rust.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use anyhow::Context as _;

use super::{arguments, files, program, project};
use crate::process;

const SCRIPT: &str = include_str!("run.sh");

pub(super) fn pack(chosen: &[String]) -> anyhow::Result<()> {
    let folder = process::target().join("fuzz-archive");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(folder.join("bin"))?;
    for target in chosen {
        let packed = folder.join("bin").join(target);
        fs::copy(program(target), &packed).with_context(|| target.clone())?;
        // Symbols are most of it. Whatever is found is looked into where they are.
        process::run(Command::new("strip").arg(&packed))?;
        let seeds = folder.join("seeds").join(target);
        fs::create_dir_all(&seeds)?;
        for seed in files(&project().join("seeds").join(target))? {
            if let Some(name) = seed.file_name() {
                fs::copy(&seed, seeds.join(name))?;
            }
        }
    }
    let script = folder.join("run.sh");
    fs::write(&script, script_text())?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;

    let packed = folder.with_extension("tar.gz");
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "-czf"])
        .arg(&packed);
    tar.arg("-C").arg(process::target()).arg("fuzz-archive");
    process::run(&mut tar)?;
    let bytes = fs::metadata(&packed)?.len();
    process::report(&format!(
        "{}: {} targets, {} MiB; unpack it and run fuzz-archive/run.sh",
        packed.display(),
        chosen.len(),
        bytes >> 20
    ));
    Ok(())
}

/// The script, with the arguments that every target is run with.
fn script_text() -> String {
    let [_, fixed @ ..] = arguments(0);
    SCRIPT.replace("@ARGUMENTS@", &fixed.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_runs_targets_as_this_task_does() {
        let script = script_text();

        assert!(!script.contains('@'), "{script}");
        assert!(
            script.contains("-timeout=10 -rss_limit_mb=2048"),
            "{script}"
        );
        let mut check = Command::new("bash");
        process::run(check.args(["-n", "-c", &script])).unwrap();
    }
}
