//! A folder that is the model that was signed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use ring::digest::{Context, SHA256};
use vram_provenance::{FileDigest, SignedManifest};
use vram_seal::Digest;

use super::contents::{Contents, Rules};
use super::difference::{FolderDifference, TOLD};
use super::{ModelFile, ModelFolder};
use crate::expectation::Expectation;
use crate::pieces::PieceDigester;
use crate::source::OpenFile;
use crate::{Error, Result};

/// Bytes read at a time.
const READ: usize = 1 << 20;

/// A folder of model files that has every file that was signed, and no other.
///
/// The model files expect the digests that were signed, and are compared with them as they are sealed. Every other file
/// was read and compared when the folder was opened, by the host; whoever reads one later reads it anew.
#[derive(Clone, Debug)]
pub struct SignedFolder {
    folder: ModelFolder,
    checked: Vec<String>,
    uncovered: Vec<String>,
}

impl SignedFolder {
    /// The model files, to be sealed.
    #[must_use]
    pub const fn folder(&self) -> &ModelFolder {
        &self.folder
    }

    /// The other files, whose bytes are those that were signed.
    #[must_use]
    pub fn checked(&self) -> &[String] {
        &self.checked
    }

    /// What lies there and nobody stands for: paths that the signer left out, the signature itself, and empty files where
    /// the manifest's layout lists none.
    #[must_use]
    pub fn uncovered(&self) -> &[String] {
        &self.uncovered
    }
}

impl ModelFolder {
    /// Opens a folder as the model that was signed: every file of it, and of the folders within, has to be listed, and
    /// every listed one there.
    ///
    /// Symbolic links to files are followed if the signer did, or if `follow_links` is set: what counts is the bytes behind
    /// them. Links to folders never are. `signature` is the file that the manifest came from; it need not be signed itself.
    ///
    /// # Errors
    ///
    /// [`Error::NotAsSigned`] with the differences; [`Error::File`] and [`Error::NoModels`] as [`open`](Self::open).
    pub fn open_signed(
        folder: &Path,
        signed: &SignedManifest,
        signature: &Path,
        follow_links: bool,
    ) -> Result<SignedFolder> {
        let manifest = signed.manifest();
        let rules = Rules {
            manifest,
            follow_links: follow_links || manifest.follows_links(),
            signature: within(folder, signature),
        };
        let mut contents = Contents::of(folder, &rules)?;
        let mut models = Self::open(folder)?;
        let name = |file: &ModelFile| {
            let name = file.path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        for file in &models.files {
            let listed = name(file);
            if contents.uncovered.contains(&listed) {
                contents.differs(FolderDifference::Ignored(listed));
            }
        }
        require_none(folder, &mut contents.differences)?;
        for file in &mut models.files {
            let listed = name(file);
            file.expectation = Some(Expectation::signed(signed, &listed, &file.path)?);
            contents.files.remove(&listed);
        }
        let others: Vec<_> = contents.files.into_iter().collect();
        let compared: Result<Vec<_>> = others
            .par_iter()
            .map(|(listed, path)| {
                let same = match manifest.digest_of(listed) {
                    Some(digest) => is_content(path, digest)?,
                    None => false,
                };
                Ok((!same).then(|| FolderDifference::Changed(listed.clone())))
            })
            .collect();
        let mut changed: Vec<_> = compared?.into_iter().flatten().collect();
        require_none(folder, &mut changed)?;
        Ok(SignedFolder {
            folder: models,
            checked: others.into_iter().map(|(listed, _)| listed).collect(),
            uncovered: contents.uncovered,
        })
    }
}

/// As [`relative_to`], as manifests write it.
fn within(folder: &Path, file: &Path) -> Option<String> {
    let relative = relative_to(folder, file)?;
    let parts: Option<Vec<_>> = relative.iter().map(OsStr::to_str).collect();
    Some(parts?.join("/"))
}

/// The path of a file relative to a folder that it lies in. A link counts where it lies, not where it leads.
pub(crate) fn relative_to(folder: &Path, file: &Path) -> Option<PathBuf> {
    let parent = file.parent()?;
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let folder = std::fs::canonicalize(folder).ok()?;
    let parent = std::fs::canonicalize(parent).ok()?;
    let relative = parent.strip_prefix(folder).ok()?;
    Some(relative.join(file.file_name()?))
}

fn require_none(folder: &Path, differences: &mut Vec<FolderDifference>) -> Result<()> {
    if differences.is_empty() {
        return Ok(());
    }
    differences.sort();
    let more = differences.len().saturating_sub(TOLD);
    differences.truncate(TOLD);
    Err(Error::NotAsSigned {
        path: folder.to_owned(),
        differences: std::mem::take(differences),
        more,
    })
}

/// Whether a file has the bytes that a digest stands for.
fn is_content(path: &Path, expected: &FileDigest) -> Result<bool> {
    let file = OpenFile::open(path.to_owned())?;
    match expected {
        FileDigest::Whole(digest) => {
            let mut context = Context::new(&SHA256);
            file.read_all(READ, |bytes| context.update(bytes))?;
            let mut found = [0; 32];
            // SHA-256 gives 32 bytes, so the lengths agree.
            found.copy_from_slice(context.finish().as_ref());
            Ok(Digest::from_bytes(found) == *digest)
        }
        FileDigest::Pieces(pieces) => {
            if file.size() != pieces.size() {
                return Ok(false);
            }
            let mut hasher = PieceDigester::new(pieces.piece_size());
            file.read_all(READ, |bytes| hasher.update(bytes))?;
            Ok(hasher.finish() == pieces.digests())
        }
        // No other kind can be compared, so nothing passes for one.
        _ => Ok(false),
    }
}
