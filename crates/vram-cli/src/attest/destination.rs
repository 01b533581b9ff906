//! The file that evidence is written to.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::{Builder, NamedTempFile};

/// A file beside the one that was named, which takes its place once everything is in it: whoever reads that finds
/// evidence, or what was there before.
#[derive(Debug)]
pub(super) struct Destination {
    file: NamedTempFile,
    path: PathBuf,
}

impl Destination {
    /// The file of this name, which is tried out now.
    pub(super) fn at(path: &Path) -> anyhow::Result<Self> {
        let open = || {
            anyhow::ensure!(!path.is_dir(), "it is a folder");
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let mut builder = Builder::new();
            builder.prefix(".vram-evidence-");
            everybodys(&mut builder);
            Ok(builder.tempfile_in(folder.unwrap_or(Path::new(".")))?)
        };
        Ok(Self {
            file: open().with_context(|| cannot(path))?,
            path: path.to_owned(),
        })
    }

    /// Writes all of it, and says where.
    pub(super) fn write(mut self, bytes: &[u8]) -> anyhow::Result<PathBuf> {
        let write = || {
            self.file.write_all(bytes)?;
            self.file.as_file().sync_all()?;
            self.file.persist(&self.path)?;
            Ok::<_, anyhow::Error>(())
        };
        write().with_context(|| cannot(&self.path))?;
        Ok(self.path)
    }
}

/// Evidence is for others: whoever may read what is created here may read it.
#[cfg(unix)]
fn everybodys(builder: &mut Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(std::fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn everybodys(_: &mut Builder<'_, '_>) {}

fn cannot(path: &Path) -> String {
    format!("evidence can't be written to {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_stays_until_all_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evidence.json");
        std::fs::write(&path, "before").unwrap();

        let destination = Destination::at(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
        destination.write(b"after").unwrap();

        assert_eq!(std::fs::read(&path).unwrap(), b"after");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();

        drop(Destination::at(&folder.path().join("evidence.json")).unwrap());

        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn a_place_that_can_not_be_written_to_is_named() {
        for path in ["no/such/folder/evidence.json", "."] {
            let error = Destination::at(Path::new(path)).unwrap_err();
            assert!(error.to_string().contains(path), "{error:#}");
        }
    }
}
