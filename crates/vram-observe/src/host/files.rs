//! Files that say what the system is like, below a root that tests put elsewhere.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What is read of a file at most. Everything that is read here is shorter by far; a file that isn't is
/// not what it should be.
const MOST: u64 = 64 << 10;

/// The file system, from a root on.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    pub(crate) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where a path of the system is found. An absolute path is one from the root.
    fn found(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Whether there is such a file; `None` where that can't be told.
    pub(crate) fn exists(&self, path: impl AsRef<Path>) -> Option<bool> {
        self.found(path.as_ref()).try_exists().ok()
    }

    /// A file's text.
    pub(crate) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        String::from_utf8(self.bytes(path)?).ok()
    }

    fn bytes(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let file = File::open(self.found(path.as_ref())).ok()?;
        let mut bytes = Vec::new();
        let read = file.take(MOST).read_to_end(&mut bytes).ok()?;
        (u64::try_from(read).ok()? < MOST).then_some(bytes)
    }

    /// The text of a file of one line that isn't empty.
    pub(crate) fn line(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = self.text(path)?;
        let line = text.trim();
        (!line.is_empty() && line.lines().count() == 1).then(|| line.to_owned())
    }

    /// The number that a file consists of.
    pub(crate) fn number<N: FromStr>(&self, path: impl AsRef<Path>) -> Option<N> {
        self.line(path)?.parse().ok()
    }

    /// The name of a process, of which the kernel keeps fifteen bytes, whole letters or not. A process
    /// names itself: what a terminal would obey is taken out.
    pub(crate) fn process_name(&self, pid: u32) -> Option<String> {
        let name = self.bytes(format!("proc/{pid}/comm"))?;
        let name = String::from_utf8_lossy(&name);
        let name = name.strip_suffix('\n').unwrap_or(&name);
        let shown: String = name
            .chars()
            .map(|letter| if letter.is_control() { '?' } else { letter })
            .collect();
        (!shown.is_empty()).then_some(shown)
    }
}
