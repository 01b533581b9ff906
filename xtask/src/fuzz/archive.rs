//! `cargo xtask fuzz --archive`: the programs, their seeds and a script, for a machine without Rust.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use anyhow::{Context as _, bail};

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
    // A host without a compiler may lack the library that the fuzzer itself is written with.
    fs::create_dir_all(folder.join("lib"))?;
    for name in ["libstdc++.so.6", "libgcc_s.so.1"] {
        let found = library(name)?;
        fs::copy(&found, folder.join("lib").join(name)).with_context(|| found.clone())?;
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

/// Where the C++ compiler has this library.
fn library(name: &str) -> anyhow::Result<String> {
    let mut compiler = Command::new("g++");
    let output = compiler.arg(format!("-print-file-name={name}")).output();
    let output = output.context("could not start g++")?;
    let path = String::from_utf8(output.stdout)?.trim().to_owned();
    if !path.starts_with('/') {
        bail!("g++ doesn't know where {name} is");
    }
    Ok(path)
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
