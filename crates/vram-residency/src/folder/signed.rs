//! A folder that is the model that was signed.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use ring::digest::{Context, SHA256};
use vram_provenance::{FileDigest, Manifest, SignedManifest};
use vram_seal::Digest;

use super::contents::{Contents, Found, MAX_ENTRIES, Rules, is_model};
use super::difference::{FolderDifference, TOLD};
use super::{ModelFile, ModelFolder};
use crate::expectation::Expectation;
use crate::pieces::PieceDigester;
use crate::source::{OpenFile, failed};
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
    /// them. Links to folders never are, but for `folder` itself. Under the paths that the signer left out nothing is read,
    /// but no link or special file may lie there either, as the reference has it. `signature` is the file that the manifest came from; it need not be signed itself.
    ///
    /// # Errors
    ///
    /// [`Error::NotAsSigned`] with the differences; [`Error::File`], [`Error::NoModels`] and
    /// [`Error::FolderTooLarge`] as [`open`](Self::open).
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
            most: MAX_ENTRIES,
        };
        require_no_link(folder, rules.follow_links)?;
        let mut contents = Contents::of(folder, &rules)?;
        require_none(folder, &mut contents.differences)?;
        // From the same listing: what was found to be all of the model is what is sealed.
        let (models, others): (Vec<_>, Vec<_>) = contents
            .files
            .into_iter()
            .partition(|(listed, _)| is_model(listed));
        let expected = models.into_iter().map(|(listed, found)| {
            let expectation = Expectation::signed(signed, &listed, &found.path)?;
            ModelFile::new(found.path, found.size, Some(expectation))
        });
        let models = Self::of(folder, expected.collect::<Result<_>>()?)?;
        let compared: Result<Vec<_>> = others
            .par_iter()
            .map(|(listed, Found { path, .. })| {
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

/// As [`relative_to`], as manifests write it. Of a file that can't be found there is none, so that nothing is passed over
/// for it.
fn within(folder: &Path, file: &Path) -> Option<String> {
    let relative = relative_to(folder, file).ok()??;
    let parts: Option<Vec<_>> = relative.iter().map(OsStr::to_str).collect();
    Some(parts?.join("/"))
}

/// The path of a file relative to a folder that it lies in: as both are written, or else by where the folders lead. A
/// link counts where it lies, not where it leads.
pub(crate) fn relative_to(folder: &Path, file: &Path) -> Result<Option<PathBuf>> {
    let absolute = |path: &Path| {
        let found = std::path::absolute(path);
        found.map_err(|source| failed(path, "finding it", source))
    };
    let real = |path: &Path| {
        let found = std::fs::canonicalize(path);
        found.map_err(|source| failed(path, "finding it", source))
    };
    let whole = absolute(file)?;
    if let Ok(relative) = whole.strip_prefix(absolute(folder)?) {
        // `..` may lead out again.
        let plain = |part| matches!(part, Component::Normal(_));
        if relative.components().all(plain) {
            return Ok(Some(relative.to_owned()));
        }
    }
    let (Some(parent), Some(name)) = (whole.parent(), whole.file_name()) else {
        return Ok(None);
    };
    let (folder, parent) = (real(folder)?, real(parent)?);
    let relative = parent.strip_prefix(folder).ok();
    Ok(relative.map(|relative| relative.join(name)))
}

/// Refuses a model that is given as a symbolic link, unless links are followed.
pub(crate) fn require_no_link(path: &Path, follow_links: bool) -> Result<()> {
    if follow_links {
        return Ok(());
    }
    // Without a slash at its end, which would have the link followed.
    let link: PathBuf = path.components().collect();
    let found = std::fs::symlink_metadata(&link);
    let found = found.map_err(|source| failed(path, "looking at it", source))?;
    if !found.is_symlink() {
        return Ok(());
    }
    let link = FolderDifference::Link(Manifest::SINGLE.to_owned());
    require_none(path, &mut vec![link])
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
