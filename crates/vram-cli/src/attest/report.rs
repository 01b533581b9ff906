//! What was signed, for people and for programs.

use std::path::Path;

use serde::Serialize;
use vram_alloc::Bytes;
use vram_residency::Attestation;
use vram_seal::SigningKey;
use vram_seal::evidence::{ConfidentialCompute, EvidenceStatement, PolicyVerdict};

use crate::output::{CAUTION, GOOD, row};
use crate::quantity::Pace;
use crate::seal::Batch;
use crate::session::DeviceDocument;
use crate::shown::shown;

/// All of it.
#[derive(Serialize)]
pub(super) struct AttestDocument<'a> {
    #[serde(flatten)]
    device: DeviceDocument<'a>,
    /// From the first file to the last signature.
    sealing: Pace,
    /// The identity of the key that signed.
    signer: String,
    /// Where the evidence was written to; bytes that are no UTF-8 are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// The evidence, if it was not written to a file: this text, without a line break after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope: Option<String>,
    /// What was signed.
    statement: &'a EvidenceStatement,
}

pub(super) fn document<'a>(
    batch: &'a Batch<'_>,
    attestation: &'a Attestation,
    key: &SigningKey,
    written: Option<&Path>,
    envelope: &[u8],
) -> AttestDocument<'a> {
    let sizes = batch.sealed.iter().map(|sealed| sealed.shard.size().0);
    let here = written.is_none();
    AttestDocument {
        device: batch.session.device_document(),
        sealing: Pace::new(sizes.fold(0, u64::saturating_add), batch.sealing),
        signer: key.verifying_key().id().to_string(),
        output: written.map(|path| path.to_string_lossy().into_owned()),
        envelope: here.then(|| String::from_utf8_lossy(envelope).into_owned()),
        statement: attestation.statement(),
    }
}

pub(super) fn text(
    batch: &Batch<'_>,
    attestation: &Attestation,
    key: &SigningKey,
    path: &Path,
) -> String {
    let evidence = attestation.statement().predicate();
    let mut text = String::new();
    batch.session.show_device(&mut text);
    text.push('\n');
    row(&mut text, "Challenge", &evidence.challenge.to_string());
    for shard in &evidence.shards {
        row(&mut text, "Shard", &format!("{GOOD}{}{GOOD:#}", shard.name));
        row(&mut text, "Size", &Bytes(shard.size_bytes).to_string());
        row(&mut text, "Answer", &shard.challenged_verity.to_string());
        row(&mut text, "Resides", &shown(&shard.residency.reason));
    }
    let policy = &evidence.policy;
    let style = match policy.verdict {
        PolicyVerdict::Accepted => GOOD,
        _ => CAUTION,
    };
    let verdict = format!("{}: {style}{}{style:#}", policy.profile, policy.verdict);
    row(&mut text, "Policy", &verdict);
    let report = match &evidence.confidential_compute {
        Some(ConfidentialCompute::Report {
            developer_tools: false,
            ..
        }) => "the device's own is carried along".to_owned(),
        Some(ConfidentialCompute::Report { .. }) => {
            "the device's own is carried along; developer tools are on, which verifiers refuse"
                .to_owned()
        }
        Some(ConfidentialCompute::Failed { reason }) => format!(
            "it isn't known whether confidential computing is on, which verifiers refuse: {}",
            shown(reason)
        ),
        Some(ConfidentialCompute::None { reason }) => format!("none: {}", shown(reason)),
        // Never signed.
        None => "not asked".to_owned(),
    };
    row(&mut text, "Report", &report);
    row(
        &mut text,
        "Signed by",
        &key.verifying_key().id().to_string(),
    );
    text.push('\n');
    let path = shown(&path.display().to_string());
    text.push_str(&format!(
        "{GOOD}Attested:{GOOD:#} the evidence is in {path}.\n\
         Check it with `vram verify-evidence {path} --key PUBLIC.pem --challenge {} --model PATH`.\n",
        evidence.challenge
    ));
    text
}
