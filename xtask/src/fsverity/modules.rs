//! Which of a kernel's modules reach the disk, and in which order they are loaded.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// The disk, and SHA-512, which fs-verity can be enabled with.
const NEEDED: [&str; 3] = ["virtio_pci", "virtio_blk", "sha512_generic"];

/// The files of the modules that are needed, each behind those that it depends on.
pub(super) fn in_order(kernel: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(kernel, &mut files)?;
    let mut order = Vec::new();
    for name in NEEDED {
        add(name, &files, &mut order, 0)?;
    }
    Ok(order)
}

/// Dependencies first. One that is compiled in is no file, and needs none.
fn add(
    name: &str,
    files: &[PathBuf],
    order: &mut Vec<PathBuf>,
    depth: usize,
) -> anyhow::Result<()> {
    const DEEPEST: usize = 16;
    if depth > DEEPEST {
        bail!("modules depend on one another in a circle, at {name}");
    }
    let Some(file) = files.iter().find(|file| is_named(file, name)) else {
        return Ok(());
    };
    if order.contains(file) {
        return Ok(());
    }
    let content = fs::read(file).with_context(|| file.display().to_string())?;
    for dependency in dependencies(&content) {
        add(&dependency, files, order, depth.saturating_add(1))?;
    }
    order.push(file.clone());
    Ok(())
}

/// Files have `-` where modules' names may have `_`.
fn is_named(file: &Path, name: &str) -> bool {
    file.file_stem()
        .is_some_and(|stem| stem.to_string_lossy().replace('-', "_") == name.replace('-', "_"))
}

/// What a module says it depends on: `depends=one,other` among its strings.
fn dependencies(content: &[u8]) -> Vec<String> {
    const MARK: &[u8] = b"\0depends=";
    let Some(at) = content.windows(MARK.len()).position(|bytes| bytes == MARK) else {
        return Vec::new();
    };
    let rest = content.get(at.saturating_add(MARK.len())..);
    let list = rest.and_then(|rest| rest.split(|byte| *byte == 0).next());
    let list = String::from_utf8_lossy(list.unwrap_or_default()).into_owned();
    list.split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The modules below a folder. Compressed ones are refused: what loads them here takes them as they are.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
            continue;
        }
        match path.extension().and_then(std::ffi::OsStr::to_str) {
            Some("ko") => files.push(path),
            Some("xz" | "zst" | "gz") => {
                bail!("{} is compressed, which is not read here", path.display())
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(folder: &Path, file: &str, depends: &str) {
        fs::write(
            folder.join(file),
            format!("ELF\0x=1\0depends={depends}\0y=2"),
        )
        .unwrap();
    }

    #[test]
    fn modules_follow_what_they_depend_on_and_come_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("drivers")).unwrap();
        module(
            &folder.path().join("drivers"),
            "virtio_pci.ko",
            "virtio_ring,virtio",
        );
        module(folder.path(), "virtio_blk.ko", "virtio,virtio_ring");
        module(folder.path(), "virtio-ring.ko", "virtio,compiled_in");
        module(folder.path(), "virtio.ko", "");
        module(folder.path(), "other.ko", "");

        let order = in_order(folder.path()).unwrap();

        let names: Vec<_> = order
            .iter()
            .map(|file| file.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "virtio.ko",
                "virtio-ring.ko",
                "virtio_pci.ko",
                "virtio_blk.ko"
            ]
        );
    }

    #[test]
    fn modules_that_need_one_another_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        module(folder.path(), "virtio_pci.ko", "virtio");
        module(folder.path(), "virtio.ko", "virtio_pci");

        assert!(in_order(folder.path()).is_err());
    }

    #[test]
    fn compressed_modules_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        module(folder.path(), "virtio.ko.xz", "");

        let refusal = in_order(folder.path()).unwrap_err().to_string();

        assert!(refusal.contains("virtio.ko.xz is compressed"), "{refusal}");
    }
}
