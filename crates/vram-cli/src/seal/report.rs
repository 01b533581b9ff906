//! What was sealed, for people and for programs.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use vram_alloc::Bytes;
use vram_policy::Report;
use vram_provenance::{Layout, Signer};
use vram_residency::{HostHashing, SealedShard, VerificationReport};
use vram_seal::{Digest, ExpectedFrom, Freezing, VerityDigest};

use super::Sealed;
use super::plan::Signed;
use super::set::Set;
use crate::hold::HoldDocument;
use crate::output::{CAUTION, GOOD, row};
use crate::quantity::{Pace, time};
use crate::session::{DeviceDocument, Session};

/// One shard, as a document has it.
#[derive(Serialize)]
pub(super) struct Shard<'a> {
    /// The file's path; bytes that are no UTF-8 are replaced. None for the sample.
    path: Option<String>,
    sample: bool,
    #[serde(flatten)]
    shard: &'a SealedShard,
    steps: Steps,
    verification: Verification<'a>,
}

/// The time and the rate of each step of the seal.
#[derive(Serialize)]
struct Steps {
    upload: Pace,
    freeze: Pace,
    measure: Pace,
    total: Pace,
}

#[derive(Serialize)]
struct Verification<'a> {
    passed: bool,
    verity: VerityDigest,
    #[serde(flatten)]
    pace: Pace,
    measuring: Pace,
    policy: &'a Report,
}

/// All of it.
#[derive(Serialize)]
pub(super) struct SealDocument<'a> {
    #[serde(flatten)]
    device: DeviceDocument<'a>,
    /// From the first file to the last signature; several files of a folder are sealed at a time.
    sealing: Pace,
    shards: &'a [Shard<'a>],
    /// How the shards are held, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<HoldDocument>,
    /// The folders that were sealed as sets.
    sets: &'a [Set],
    /// The signature that the model was sealed by, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    model_signature: Option<SignatureDocument<'a>>,
}

/// What was signed, by whom.
#[derive(Serialize)]
struct SignatureDocument<'a> {
    path: String,
    /// The name that the signer gave the model.
    model: &'a str,
    /// `files`, or `shards` with their size.
    layout: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_size: Option<u64>,
    signer: SignerDocument<'a>,
    /// Files that were not sealed, and have the bytes that were signed.
    checked: &'a [String],
    /// What lies in the folder and nobody stands for.
    uncovered: &'a [String],
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum SignerDocument<'a> {
    PublicKey {
        curve: &'static str,
        spki_sha256: Digest,
    },
    Certificate {
        subject: &'a str,
        sha256: Digest,
        root: &'a str,
        root_sha256: Digest,
    },
    Other,
}

impl<'a> SignatureDocument<'a> {
    fn new(signed: &'a Signed) -> Self {
        let manifest = signed.signature.manifest.manifest();
        let (layout, shard_size) = match manifest.layout() {
            Layout::Pieces { size } => ("shards", Some(size.get())),
            _ => ("files", None),
        };
        Self {
            path: signed.signature.path.to_string_lossy().into_owned(),
            model: manifest.model(),
            layout,
            shard_size,
            signer: match signed.signature.manifest.signer() {
                Signer::Key(key) => SignerDocument::PublicKey {
                    curve: key.curve().name(),
                    spki_sha256: key.fingerprint(),
                },
                Signer::Certificate(summary) => SignerDocument::Certificate {
                    subject: &summary.subject,
                    sha256: summary.fingerprint,
                    root: &summary.root,
                    root_sha256: summary.root_fingerprint,
                },
                _ => SignerDocument::Other,
            },
            checked: &signed.checked,
            uncovered: &signed.uncovered,
        }
    }

    fn show(&self, text: &mut String) {
        let signer = match &self.signer {
            SignerDocument::PublicKey { curve, spki_sha256 } => {
                format!("the {curve} key with SHA-256 {spki_sha256}")
            }
            SignerDocument::Certificate { subject, root, .. } => {
                format!("{subject}, by a certificate that leads to {root}")
            }
            SignerDocument::Other => "a signer of another kind".to_owned(),
        };
        row(text, "Signed by", &signer);
        let count = |paths: &[String]| match paths.len() {
            1 => "1 other file".to_owned(),
            many => format!("{many} other files"),
        };
        let checked = format!("{} as signed, compared by the host", count(self.checked));
        row(text, "", &checked);
        let below = models_below(self.checked);
        if below > 0 {
            let models = match below {
                1 => {
                    "1 of them is a model file in a subfolder: compared, and not sealed".to_owned()
                }
                many => format!(
                    "{many} of them are model files in subfolders: compared, and not sealed"
                ),
            };
            row(text, "", &format!("{CAUTION}{models}{CAUTION:#}"));
        }
        if !self.uncovered.is_empty() {
            let uncovered = format!("{} that nobody stands for", count(self.uncovered));
            row(text, "", &format!("{CAUTION}{uncovered}{CAUTION:#}"));
        }
    }
}

/// How many of the files that were only compared are model files. Those beside the signature are sealed, so these lie in
/// subfolders.
fn models_below(checked: &[String]) -> usize {
    let is_model = |path: &&String| {
        let extension = Path::new(path).extension();
        let is = |named| extension.is_some_and(|found| found.eq_ignore_ascii_case(named));
        is("safetensors") || is("gguf")
    };
    checked.iter().filter(is_model).count()
}

impl<'a> Shard<'a> {
    pub(super) fn new(sealed: &'a Sealed, verified: &'a VerificationReport) -> Self {
        let Sealed { path, shard } = sealed;
        let size = shard.size().0;
        let steps = shard.steps();
        Self {
            path: path
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned()),
            sample: path.is_none(),
            shard,
            steps: Steps {
                upload: Pace::new(size, steps.upload),
                freeze: Pace::new(size, steps.freeze),
                measure: Pace::new(size, steps.measure),
                total: Pace::new(size, steps.total),
            },
            verification: Verification {
                // One that doesn't pass is an error, and no report is printed.
                passed: true,
                verity: verified.verity,
                pace: Pace::new(size, verified.duration),
                measuring: Pace::new(size, verified.measuring),
                policy: &verified.policy,
            },
        }
    }

    fn show(&self, text: &mut String) {
        let shard = self.shard;
        let id = format!("{GOOD}{}{GOOD:#}", shard.id());
        let sample = if self.sample {
            " (a sample, made for this run)"
        } else {
            ""
        };
        row(text, "Sealed", &format!("{id}{sample}"));
        if let Some(position) = shard.position() {
            let number = position.index().saturating_add(1);
            row(text, "Part", &format!("{number} of {}", position.total()));
        }
        if let Some(model) = shard.model() {
            row(text, "Model", model.as_str());
        }
        row(text, "Size", &shard.size().to_string());
        if let Some(content) = shard.content_digest() {
            row(text, "Content", &content.to_string());
        }
        row(text, "Verity", &shard.verity_digest().to_string());
        row(text, "Hashed", hashed(shard));
        if let Some(source) = expected(shard) {
            row(text, "Expected", source);
        }
        row(text, "Format", &format(shard));
        row(text, "Frozen", &frozen(shard));
        if let Some(at) = moment(shard.sealed_at()) {
            row(text, "When", &at);
        }
        text.push('\n');
        self.show_steps(text);
    }

    fn show_steps(&self, text: &mut String) {
        let Steps {
            upload,
            freeze,
            measure,
            total,
        } = &self.steps;
        let mut step = |name, time: String, rate: String, what| {
            row(text, name, &format!("{time:>9} {rate:>11}   {what}"));
        };
        let rate = Pace::rate;
        let passed = match self.shard.hashing() {
            HostHashing::Trusted => "read and copied to the device",
            _ => "read, hashed and copied to the device",
        };
        step("Upload", upload.time(), rate(upload), passed);
        step("Freeze", freeze.time(), String::new(), "made read-only");
        step(
            "Measure",
            measure.time(),
            rate(measure),
            "hashed by the device, where it lies",
        );
        step(
            "Total",
            total.time(),
            rate(total),
            "sealed, from request to signature",
        );
        let verified = &self.verification.pace;
        let what = "signature, memory, every byte: as sealed";
        step("Verified", verified.time(), rate(verified), what);
    }
}

/// The document for programs.
pub(super) fn document<'a>(
    session: &'a Session,
    shards: &'a [Shard<'a>],
    sets: &'a [Set],
    signed: Option<&'a Signed>,
    sealing: Duration,
    hold: Option<HoldDocument>,
) -> SealDocument<'a> {
    SealDocument {
        device: session.device_document(),
        sealing: Pace::new(bytes(shards), sealing),
        shards,
        hold,
        sets,
        model_signature: signed.map(SignatureDocument::new),
    }
}

/// The same for people.
pub(super) fn text(
    session: &Session,
    shards: &[Shard<'_>],
    sets: &[Set],
    signed: Option<&Signed>,
    sealing: Duration,
    held: bool,
) -> String {
    let mut text = String::new();
    session.show_device(&mut text);
    if let Some(signed) = signed {
        SignatureDocument::new(signed).show(&mut text);
    }
    for shard in shards {
        text.push('\n');
        shard.show(&mut text);
    }
    for set in sets {
        text.push('\n');
        set.show(&mut text);
    }
    text.push('\n');
    text.push_str(&conclusion(shards, sealing, held));
    text
}

fn bytes(shards: &[Shard<'_>]) -> u64 {
    let sizes = shards.iter().map(|shard| shard.shard.size().0);
    sizes.fold(0, u64::saturating_add)
}

fn conclusion(shards: &[Shard<'_>], sealing: Duration, held: bool) -> String {
    let verifying = shards
        .iter()
        .map(|shard| shard.verification.pace.duration());
    let verifying: Duration = verifying.sum();
    let count = match shards.len() {
        1 => "1 shard".to_owned(),
        count => format!("{count} shards"),
    };
    let end = if held {
        "The shards are held now."
    } else {
        "The memory is wiped and given back now."
    };
    format!(
        "{GOOD}Sealed and verified:{GOOD:#} {count}, {}, in {} and {}.\n{end}\n",
        Bytes(bytes(shards)),
        time(sealing),
        time(verifying)
    )
}

fn format(shard: &SealedShard) -> String {
    match shard.tensors().map(|tensors| tensors.len()) {
        None => format!("{}, no tensor table", shard.format()),
        Some(1) => format!("{}, 1 tensor", shard.format()),
        Some(tensors) => format!("{}, {tensors} tensors", shard.format()),
    }
}

/// Who computed the digests.
fn hashed(shard: &SealedShard) -> &'static str {
    match shard.hashing() {
        HostHashing::Trusted => "by the device alone; its measurement is the digest expected",
        HostHashing::Verity => "verity by the host, and measured by the device",
        _ => "content and verity by the host, verity measured by the device",
    }
}

/// Who stands for the digest that its bytes were compared with.
fn expected(shard: &SealedShard) -> Option<&'static str> {
    match shard.expected_from() {
        ExpectedFrom::None => None,
        ExpectedFrom::Caller => Some("as given on the command line"),
        ExpectedFrom::ChecksumFile => Some("as the checksum file lists it"),
        ExpectedFrom::ContentAddressedCache => Some("as the cache names it"),
        ExpectedFrom::Kernel => Some("as the kernel measured it"),
        ExpectedFrom::ModelSignature => Some("as the model was signed"),
    }
}

fn frozen(shard: &SealedShard) -> String {
    let by = match shard.freezing() {
        Freezing::Mmu => "by the device's MMU: a write to it faults",
        Freezing::Software => "by software only: nothing here writes to it",
    };
    if shard.is_simulated() {
        format!("{by} {CAUTION}(simulated){CAUTION:#}")
    } else {
        by.to_owned()
    }
}

/// A moment after 1970, in UTC, to the second.
fn moment(since: Duration) -> Option<String> {
    let second = i64::try_from(since.as_secs()).ok()?;
    Timestamp::from_second(second).ok().map(|at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_files_that_were_only_compared_are_counted() {
        let checked = [
            "config.json",
            "lora/a.safetensors",
            "b/c.GGUF",
            "gguf",
            "d.gguf.txt",
        ];

        assert_eq!(models_below(&checked.map(str::to_owned)), 2);
        assert_eq!(models_below(&[]), 0);
    }

    #[test]
    fn moments_are_shown_in_utc() {
        assert_eq!(
            moment(Duration::from_millis(1_767_225_600_999)).as_deref(),
            Some("2026-01-01T00:00:00Z")
        );
        assert_eq!(moment(Duration::MAX), None);
    }
}
