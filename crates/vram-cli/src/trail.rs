//! The audit trail that a command keeps of what it does: `--audit`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;
use vram_audit::{Overload, Trail, TrailId};
use vram_residency::{Observer, TrailObserver};
use vram_seal::SigningKey;

use crate::audit::key;
use crate::exit::Misused;
use crate::key::SigningKeyOptions;
use crate::output;
use crate::shown::shown;

/// Where everything that happens is recorded.
#[derive(Debug, Args)]
#[command(next_help_heading = "Audit trail")]
pub(crate) struct TrailOptions {
    /// Record everything that happens in this audit trail, which is created or goes on. What can't be
    /// recorded is not done. `vram audit verify` checks it.
    #[arg(long, value_name = "FILE", requires = "signing")]
    audit: Option<PathBuf>,
    /// The trail's name, which says whose it is: 1 to 128 of the characters a-z A-Z 0-9 - _ . : @ /
    #[arg(long, value_name = "NAME", default_value = "vram", requires = "audit")]
    audit_name: String,
    /// What is done when the disk can't keep up.
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        default_value = "stop",
        requires = "audit"
    )]
    audit_overload: WhenOverloaded,
    /// A public key that the trail was signed with before; may be given several times.
    #[arg(long, value_name = "FILE", requires = "audit")]
    audit_former_key: Vec<PathBuf>,
    #[command(flatten)]
    signing: SigningKeyOptions,
}

/// What is done when the disk can't keep up with events.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum WhenOverloaded {
    /// Stop: nothing is done that isn't recorded.
    Stop,
    /// Drop events that aren't critical, and record how many.
    Drop,
}

impl From<WhenOverloaded> for Overload {
    fn from(when: WhenOverloaded) -> Self {
        match when {
            WhenOverloaded::Stop => Self::Stop,
            WhenOverloaded::Drop => Self::DropRoutine,
        }
    }
}

/// A trail that is being kept.
#[derive(Debug)]
pub(crate) struct Kept {
    path: PathBuf,
    observer: Arc<TrailObserver>,
}

/// What documents say of the trail.
#[derive(Serialize)]
pub(crate) struct TrailDocument {
    file: String,
    trail_id: TrailId,
}

impl TrailOptions {
    /// Refuses a signing key that would sign nothing, for commands that sign a trail alone.
    pub(crate) fn require_sense(&self) -> anyhow::Result<()> {
        if self.signing.is_given() && self.audit.is_none() {
            let what = "--signing-key signs an audit trail here; give --audit as well";
            return Err(Misused(what.to_owned()).into());
        }
        Ok(())
    }

    /// Reads the signing key if it comes from a descriptor.
    pub(crate) fn read_descriptor(&self) -> anyhow::Result<()> {
        self.signing.read_descriptor()
    }

    /// The private key that signs.
    pub(crate) fn signing_key(&self) -> anyhow::Result<Option<SigningKey>> {
        self.signing.read()
    }

    /// Opens the trail, if one is asked for: first of all, so that what can't be recorded isn't begun.
    pub(crate) fn open(&self) -> anyhow::Result<Option<Kept>> {
        let Some(path) = &self.audit else {
            return Ok(None);
        };
        let signing_key = self.signing.read()?;
        let signing_key = signing_key.context("an audit trail is signed: give --signing-key")?;
        let opened = self.open_at(path, signing_key);
        let observer =
            opened.with_context(|| format!("the audit trail {} can't be used", path.display()))?;
        Ok(Some(Kept {
            path: path.clone(),
            observer: Arc::new(observer),
        }))
    }

    fn open_at(&self, path: &Path, signing_key: SigningKey) -> anyhow::Result<TrailObserver> {
        let former = self.audit_former_key.iter().map(|path| key::public(path));
        let options = vram_audit::Options::new(&self.audit_name)?
            .overload(self.audit_overload.into())
            .former_keys(former.collect::<anyhow::Result<Vec<_>>>()?);
        let trail = Trail::open(path, signing_key, options)?;
        Ok(TrailObserver::new(trail))
    }
}

impl Kept {
    /// What the manager tells.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::<TrailObserver>::clone(&self.observer)
    }

    /// The trail, to be asked how it is.
    pub(crate) fn trail(&self) -> Arc<TrailObserver> {
        Arc::clone(&self.observer)
    }

    /// What documents say of it.
    pub(crate) fn document(&self) -> TrailDocument {
        TrailDocument {
            file: self.path.to_string_lossy().into_owned(),
            trail_id: self.observer.id(),
        }
    }

    /// Closes it, and says where it ends. Everything that tells it anything must be gone.
    pub(crate) fn close(self) -> anyhow::Result<()> {
        let path = self.path.display().to_string();
        let closed = self.observer.close();
        let head = closed.with_context(|| format!("the audit trail {path} could not be closed"))?;
        let path = shown(&path);
        output::note(&format!(
            "the audit trail {path} ends with {}:{}; kept elsewhere, that shows later whether its end is there",
            head.seq, head.hash
        ));
        Ok(())
    }
}
