//! The machine's disk: an ext4 file system that fs-verity can be enabled in, with the programs and what they need.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::archive::Archive;
use super::packages::{Packages, found};
use super::{Programs, modules, script};
use crate::process;

/// What the machine starts from.
pub(super) struct Image {
    pub(super) disk: PathBuf,
    /// What loads the modules that the disk is reached by.
    pub(super) initial: PathBuf,
}

pub(super) fn build(
    scratch: &Path,
    packages: &Packages,
    programs: &Programs,
) -> anyhow::Result<Image> {
    let root = scratch.join("root");
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| root.display().to_string())?;
    }
    for folder in ["bin", "dev", "proc", "sys", "tmp", "usr/bin", "checks"] {
        fs::create_dir_all(root.join(folder))?;
    }
    place(&packages.busybox, &root, Path::new("/bin/busybox"))?;
    for applet in ["sh", "env", "uname"] {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    let fsverity = found("fsverity").context("there is no fsverity")?;
    place(&fsverity, &root, Path::new("/usr/bin/fsverity"))?;
    for (program, path) in programs.placed() {
        place(program, &root, &path)?;
    }
    let mut needing: Vec<&Path> = vec![&fsverity];
    needing.extend(programs.placed().map(|(program, _)| program));
    for library in libraries(&needing)? {
        place(&library, &root, &library)?;
    }
    let run = root.join("checks/run");
    fs::write(&run, script())?;
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755))?;

    let image = Image {
        disk: scratch.join("disk.ext4"),
        initial: scratch.join("initial.cpio"),
    };
    make_disk(&root, &image.disk)?;
    fs::write(&image.initial, initial(packages)?)
        .with_context(|| image.initial.display().to_string())?;
    Ok(image)
}

/// Copies a file to where it has this path in the machine.
fn place(file: &Path, root: &Path, path: &Path) -> anyhow::Result<()> {
    let placed = root.join(path.strip_prefix("/").unwrap_or(path));
    if let Some(folder) = placed.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::copy(file, &placed)
        .with_context(|| format!("{} to {}", file.display(), placed.display()))?;
    Ok(())
}

/// The shared libraries that programs load when they start, the loader too.
fn libraries(programs: &[&Path]) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut all = BTreeSet::new();
    for program in programs {
        let output = Command::new("ldd").arg(program).output();
        let output = output.context("could not start ldd")?;
        if !output.status.success() {
            bail!("ldd {} ended with {}", program.display(), output.status);
        }
        all.extend(listed(&String::from_utf8_lossy(&output.stdout))?);
    }
    Ok(all)
}

/// The files among what `ldd` prints: `NAME => /FILE (0x…)`, or `/FILE (0x…)`.
fn listed(said: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for line in said.lines() {
        if line.contains("not found") {
            bail!("a library is missing here: {}", line.trim());
        }
        let file = line.split_once("=> ").map_or(line, |(_, file)| file).trim();
        if let Some((path, _)) = file.split_once(" (")
            && path.starts_with('/')
        {
            files.push(PathBuf::from(path));
        }
    }
    Ok(files)
}

/// Blocks of a page, as fs-verity demands.
fn make_disk(root: &Path, disk: &Path) -> anyhow::Result<()> {
    const SPARE: u64 = 256 << 20;
    let size = size_of(root)?.saturating_mul(2).saturating_add(SPARE);
    let file = File::create(disk).with_context(|| disk.display().to_string())?;
    file.set_len(size.next_multiple_of(4096))?;
    drop(file);
    let mke2fs = found("mke2fs").context("there is no mke2fs")?;
    process::run(
        Command::new(mke2fs)
            .args(["-q", "-F", "-t", "ext4", "-b", "4096", "-O", "verity", "-d"])
            .args([root, disk]),
    )
}

/// The bytes of all files of a folder.
fn size_of(folder: &Path) -> anyhow::Result<u64> {
    let mut sum = 0_u64;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let found = entry.path().symlink_metadata()?;
        let size = if found.is_dir() {
            size_of(&entry.path())?
        } else {
            found.len()
        };
        sum = sum.saturating_add(size);
    }
    Ok(sum)
}

fn initial(packages: &Packages) -> anyhow::Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "disk"] {
        archive.folder(folder)?;
    }
    let mut add = |name: &str, file: &Path| {
        let content = fs::read(file).with_context(|| file.display().to_string())?;
        archive.file(name, &content)
    };
    add("bin/busybox", &packages.busybox)?;
    let mut order = String::new();
    for module in modules::in_order(&packages.modules)? {
        let name = module
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        add(&name, &module)?;
        order += &format!("{name}\n");
    }
    archive.file("modules", order.as_bytes())?;
    archive.file("init", include_bytes!("init.sh"))?;
    archive.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_libraries_are_listed_and_the_loader_among_them() {
        let said = "\tlinux-vdso.so.1 (0x00007ffd)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f01)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f02)\n";

        let files = listed(said).unwrap();

        let expected = [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(files, expected.map(PathBuf::from));
    }

    #[test]
    fn a_missing_library_is_refused() {
        assert!(listed("\tlibx.so.1 => not found\n").is_err());
    }
}
