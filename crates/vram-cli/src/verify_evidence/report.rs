//! What was found, for people.

use std::time::SystemTime;

use vram_alloc::Bytes;
use vram_seal::evidence::{ConfidentialCompute, Evidence, MeasuredShard, VerifiedEvidence};
use vram_seal::{Freezing, Subject};

use super::{Options, Outcome};
use crate::output::{BAD, CAUTION, GOOD, row};
use crate::quantity::time;
use crate::shown::shown;

pub(super) fn text(options: &Options, now: SystemTime, outcome: &Outcome) -> String {
    match outcome {
        Ok(verified) => accepted(options, now, verified),
        Err(refused) => {
            let mut text = String::new();
            for failure in refused.failures() {
                let failure = shown(&failure.to_string());
                text.push_str(&format!("{BAD}-{BAD:#} {failure}\n"));
            }
            text.push_str(&format!(
                "\n{BAD}Refused.{BAD:#} Nothing is to be concluded from this evidence.\n"
            ));
            text
        }
    }
}

fn accepted(options: &Options, now: SystemTime, verified: &VerifiedEvidence) -> String {
    let statement = verified.statement();
    let evidence = statement.predicate();
    let mut text = String::new();
    device(&mut text, evidence);
    when(&mut text, evidence, now);
    let sent = if options.challenge.is_some() {
        "the one that was sent".to_owned()
    } else {
        format!("{CAUTION}not compared{CAUTION:#}, none was given")
    };
    row(&mut text, "Challenge", &evidence.challenge.to_string());
    row(&mut text, "", &sent);
    row(&mut text, "Signed by", &verified.signer().to_string());
    let ignored = verified.ignored_signatures();
    if ignored > 0 {
        let others = format!("{ignored} signatures of other keys, which were not looked at");
        row(&mut text, "", &others);
    }
    let policy = &evidence.policy;
    let findings = policy.findings.len();
    let policy = format!(
        "{}: {}, {findings} findings",
        policy.profile, policy.verdict
    );
    row(&mut text, "Policy", &policy);
    row(&mut text, "Report", &device_report(evidence));
    for (subject, shard) in statement.subjects().iter().zip(&evidence.shards) {
        text.push('\n');
        of_shard(&mut text, subject, shard);
    }
    text.push('\n');
    text.push_str(&conclusion(verified));
    text
}

fn device(text: &mut String, evidence: &Evidence) {
    let device = &evidence.device;
    let simulated = if device.simulated {
        format!(" {CAUTION}(simulated: no evidence about a GPU){CAUTION:#}")
    } else {
        String::new()
    };
    row(
        text,
        "Device",
        &format!("{}{simulated}", shown(&device.name)),
    );
    let uuid = vram_seal::DeviceId {
        uuid: device.uuid,
        simulated: false,
    };
    row(text, "", &uuid.to_string());
    row(text, "Driver", &shown(&device.driver));
    let library = &evidence.library;
    let library = format!("{} {}", library.name, library.version);
    row(text, "Library", &shown(&library));
    row(text, "Kernels", &evidence.kernel.ptx_sha256.to_string());
}

fn when(text: &mut String, evidence: &Evidence, now: SystemTime) {
    let measured = evidence.measured_at;
    let ago = now.duration_since(measured.into()).map_or_else(
        |_| "just now".to_owned(),
        |age| format!("{} ago", time(age)),
    );
    row(text, "Measured", &format!("{measured}, {ago}"));
}

fn device_report(evidence: &Evidence) -> String {
    match &evidence.confidential_compute {
        Some(ConfidentialCompute::Report {
            report,
            developer_tools,
            ..
        }) => format!(
            "{} of the device's own are carried along; the tools of its maker check them (--json){}",
            Bytes(u64::try_from(report.as_bytes().len()).unwrap_or(u64::MAX)),
            if *developer_tools {
                "; developer tools are on"
            } else {
                ""
            }
        ),
        Some(ConfidentialCompute::Failed { reason }) => format!(
            "whether confidential computing is on isn't known: {}",
            shown(reason)
        ),
        Some(ConfidentialCompute::None { reason }) => {
            format!("none of the device's own: {}", shown(reason))
        }
        // Refused, and so never shown.
        None => "not said".to_owned(),
    }
}

fn of_shard(text: &mut String, subject: &Subject, shard: &MeasuredShard) {
    row(text, "Shard", &format!("{GOOD}{}{GOOD:#}", shard.name));
    row(text, "Size", &Bytes(shard.size_bytes).to_string());
    if let Some(content) = subject.digests().sha256() {
        row(text, "Content", &content.to_string());
    }
    if let Some(verity) = subject.digests().fsverity_sha256() {
        row(text, "Verity", &verity.to_string());
    }
    row(text, "Answer", &shard.challenged_verity.to_string());
    let frozen = match shard.freezing {
        Freezing::Mmu => "by the device's MMU",
        Freezing::Software => "by software only",
    };
    row(text, "Frozen", frozen);
    row(text, "Resides", &shown(&shard.residency.reason));
    row(text, "Expected", &format!("from: {}", shard.expected_from));
}

/// What the checks amount to, and what nobody but the signer vouches for.
fn conclusion(verified: &VerifiedEvidence) -> String {
    let files = if verified.digests_were_compared() {
        "The shards are the given files, whole."
    } else {
        "Which bytes they are is the signer's word: give --model to compare."
    };
    let answer = if verified.answer_was_recomputed() {
        "Every answer to the challenge was computed here too: the bytes were read for it."
    } else {
        "That the bytes were read for this challenge is the signer's word: give --challenge and --model."
    };
    format!("{GOOD}Accepted.{GOOD:#} {files}\n{answer}\n")
}
