//! The kernel and the shell, of Debian's packages, unpacked and not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process;

/// Depends on the kernel of its day.
const KERNEL: &str = "linux-image-cloud-amd64";
const SHELL: &str = "busybox-static";
/// The emulator.
pub(super) const QEMU: &str = "qemu-system-x86_64";
/// Programs, and the packages that they are in.
const TOOLS: [(&str, &str); 6] = [
    (QEMU, "qemu-system-x86"),
    ("mke2fs", "e2fsprogs"),
    ("fsverity", "fsverity"),
    ("ldd", "libc-bin"),
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
];

pub(super) struct Packages {
    pub(super) kernel: PathBuf,
    /// The folder of the kernel's modules.
    pub(super) modules: PathBuf,
    pub(super) busybox: PathBuf,
}

/// The packages, fetched if they aren't here yet. The error says what is missing.
pub(super) fn unpacked(scratch: &Path) -> anyhow::Result<Packages> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("the emulated machine is for Linux on x86-64");
    }
    for (tool, package) in TOOLS {
        if found(tool).is_none() {
            bail!("there is no {tool}; `apt-get install {package}` has it");
        }
    }
    let folder = scratch.join("packages");
    if !folder.is_dir() {
        fetch(scratch, &folder)?;
    }
    Ok(Packages {
        kernel: only(&folder.join("boot"), "vmlinuz-")?,
        modules: only(&folder.join("lib/modules"), "")?.join("kernel"),
        busybox: folder.join("bin/busybox"),
    })
}

/// Where a program is: on the path, or where those of the system's administrator are.
pub(super) fn found(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(tool))
        .find(|file| file.is_file())
}

/// apt checks what it fetches against the archive's signature.
fn fetch(scratch: &Path, folder: &Path) -> anyhow::Result<()> {
    let (debs, partial) = (scratch.join("debs"), scratch.join("packages.partial"));
    for empty in [&debs, &partial] {
        if empty.exists() {
            fs::remove_dir_all(empty).with_context(|| empty.display().to_string())?;
        }
        fs::create_dir_all(empty).with_context(|| empty.display().to_string())?;
    }
    let output = Command::new("apt-cache")
        .args(["depends", "--important", KERNEL])
        .output()
        .context("could not start apt-cache")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let image = image(&said).with_context(|| {
        format!("apt knows no kernel that {KERNEL} depends on; `apt-get update` may help")
    })?;
    process::run(
        Command::new("apt-get")
            .args(["download", "--quiet", image, SHELL])
            .current_dir(&debs),
    )?;
    for entry in fs::read_dir(&debs)? {
        let package = entry?.path();
        process::run(
            Command::new("dpkg-deb")
                .arg("-x")
                .args([&package, &partial]),
        )?;
    }
    // Renamed when it is whole: a run that is cut short leaves no half of a kernel under its name.
    fs::rename(&partial, folder).with_context(|| folder.display().to_string())?;
    fs::remove_dir_all(&debs).with_context(|| debs.display().to_string())
}

/// The package that the kernel's is a name for.
fn image(depends: &str) -> Option<&str> {
    depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|package| package.starts_with("linux-image-"))
}

/// The one file or folder there with this beginning of a name.
fn only(folder: &Path, prefix: &str) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            found.push(entry.path());
        }
    }
    match <[PathBuf; 1]>::try_from(found) {
        Ok([only]) => Ok(only),
        Err(found) => bail!(
            "{} has {} entries {prefix}*, 1 is expected; remove {} to have it fetched anew",
            folder.display(),
            found.len(),
            process::scratch().join("fsverity/packages").display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_package_is_the_one_that_is_depended_on() {
        let said = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n";

        assert_eq!(image(said), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(image("linux-image-cloud-amd64\n"), None);
    }

    #[test]
    fn a_folder_with_two_kernels_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("vmlinuz-1"), "").unwrap();
        fs::write(folder.path().join("config-1"), "").unwrap();
        assert!(only(folder.path(), "vmlinuz-").is_ok());

        fs::write(folder.path().join("vmlinuz-2"), "").unwrap();

        let refusal = only(folder.path(), "vmlinuz-").unwrap_err().to_string();
        assert!(refusal.contains("2 entries"), "{refusal}");
    }
}
