//! How a folder differs from the model that was signed.

use std::fmt;

/// How many differences are told one by one.
pub(crate) const TOLD: usize = 16;

/// One file of a folder that is not as it was signed. Paths are relative to the folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FolderDifference {
    /// A file that was not signed.
    Unlisted(String),
    /// A file that was signed and is not there.
    Missing(String),
    /// A file with other bytes.
    Changed(String),
    /// A symbolic link, where none was signed, or to a folder.
    Link(String),
    /// Neither a file nor a folder.
    Special(String),
    /// A model file that the signer left out: nobody stands for it, so it can't be sealed.
    Ignored(String),
}

impl FolderDifference {
    /// The path that it is about.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Unlisted(path)
            | Self::Missing(path)
            | Self::Changed(path)
            | Self::Link(path)
            | Self::Special(path)
            | Self::Ignored(path) => path,
        }
    }
}

impl fmt::Display for FolderDifference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match self {
            Self::Unlisted(_) => "was not signed",
            Self::Missing(_) => "was signed and is missing",
            Self::Changed(_) => "has other bytes than were signed",
            Self::Link(_) => "is a symbolic link, which was not signed",
            Self::Special(_) => "is neither a file nor a folder",
            Self::Ignored(_) => "is a model file that the signature leaves out",
        };
        write!(formatter, "{:?} {said}", self.path())
    }
}
