//! `vram verify-evidence`: is evidence what it has to be? It needs no GPU.

mod document;
mod files;
mod report;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use vram_policy::{CheckId, Profile};
use vram_seal::ExpectedFrom;
use vram_seal::evidence::{
    Challenge, EnvelopeForm, Expectations, FailureKind, RefusedEvidence, VerifiedEvidence,
    verify_evidence,
};

use self::files::{Named, Shards};
use crate::audit::key;
use crate::cli::Format;
use crate::exit::Exit;
use crate::output::{Document, Output};
use crate::progress::Display;
use crate::quantity::parse_duration;

/// Check evidence that `vram attest` made, on any machine: no GPU is needed.
///
/// Envelope and signature are checked first; nothing else is looked at where the given key did not sign. Then the
/// challenge, the age, the device, the policy's verdict, where the bytes lie, and with --model that the shards are
/// those files, whole: their digests are computed here, and with --challenge the answer too, which the device could
/// only give by reading every byte after the challenge was made. Each failure is named.
///
/// Ends with 0 if all is as it must be; with 4 if only device, policy or residency are not; else with 3.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The evidence; - is standard input.
    #[arg(value_name = "FILE")]
    evidence: OsString,
    /// The public key of whoever measured, as PEM. Get it on another way than the evidence.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The challenge that was sent: 64 hexadecimal digits. Without it, evidence can be a recording, up to --max-age
    /// old.
    #[arg(long, value_name = "HEX")]
    challenge: Option<Challenge>,
    /// The files that must be there, whole, and no other: files, or folders whose *.safetensors and *.gguf files are
    /// meant. Their names give the shards' ids, as they do to `vram seal`. May be given several times.
    #[arg(long, value_name = "PATH")]
    model: Vec<PathBuf>,
    /// A file whose shard was given another id, with `vram attest --id`. May be given several times.
    #[arg(long, value_name = "ID=FILE")]
    shard: Vec<Named>,
    /// How old the measurement may be; as 10m or 1h 30m.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_duration)]
    max_age: Duration,
    /// How far the clock of the machine that measured may be ahead.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    clock_skew: Duration,
    #[command(flatten)]
    accepted: Accepted,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// What is accepted that isn't unless it is named.
#[derive(Debug, Args)]
#[command(next_help_heading = "Accept less")]
struct Accepted {
    /// The least demanding profile that is accepted: strict, standard or development.
    #[arg(long, value_name = "PROFILE", default_value_t = Profile::Strict)]
    profile: Profile,
    /// Refuse evidence in which this check has not passed, for every shard if it looks at shards. That it doesn't apply,
    /// or was not observed, is no pass. May be given several times; `vram doctor` lists them.
    #[arg(long, value_name = "ID")]
    require_check: Vec<CheckId>,
    /// Refuse evidence of shards that were sealed against a digest from elsewhere, or from nowhere. May be given several
    /// times: model-signature, checksum-file, content-addressed-cache, kernel, caller.
    #[arg(long, value_name = "SOURCE", value_parser = parse_source)]
    require_expected_from: Vec<ExpectedFrom>,
    /// Accept a simulated device. No GPU has anything to do with such evidence.
    #[arg(long)]
    accept_simulated: bool,
    /// Accept findings that the policy tolerates with a warning.
    #[arg(long)]
    accept_warnings: bool,
    /// Accept checks that were lowered below what their profile asks for.
    #[arg(long)]
    accept_lowered_checks: bool,
    /// Accept shards whose rate doesn't show where they lie, such as small ones. A rate that contradicts is never
    /// accepted.
    #[arg(long)]
    accept_unproven_residency: bool,
    /// Accept that it isn't known whether confidential computing is on, because asking the management library failed.
    #[arg(long)]
    accept_unknown_confidential_compute: bool,
    /// Accept confidential computing with developer tools, which open what it closes.
    #[arg(long)]
    accept_developer_tools: bool,
    /// Accept any form of the envelope that DSSE allows, as other tools may write it. White space and key ids could
    /// then be changed unnoticed; what is signed can't.
    #[arg(long)]
    accept_any_form: bool,
}

fn parse_source(text: &str) -> Result<ExpectedFrom, String> {
    let source = ExpectedFrom::ALL
        .into_iter()
        .find(|source| source.as_str() == text);
    source.ok_or_else(|| {
        let all = ExpectedFrom::ALL.map(ExpectedFrom::as_str).join(", ");
        format!("it is one of {all}")
    })
}

/// What came of the checks.
type Outcome = Result<VerifiedEvidence, RefusedEvidence>;

pub(crate) fn run(options: &Options) -> anyhow::Result<Exit> {
    let key = key::public(&options.key)?;
    let shards = Shards::find(&options.model, &options.shard)?;
    let evidence = files::evidence(&options.evidence)?;
    // The evidence's age is its age when it is here, however long it took to arrive and files take to hash.
    let now = SystemTime::now();

    let mut expected = options.expectations(now);
    let mut outcome = verify_evidence(&evidence, &key, &expected);
    // What nobody signed isn't worth reading the model for.
    if !is_unsigned(&outcome) && !shards.is_empty() {
        let display = Display::new();
        expected.shards = Some(shards.hash(options.challenge.as_ref(), &display)?);
        outcome = verify_evidence(&evidence, &key, &expected);
    }
    let mut output = Output::default();
    if options.format.json {
        let body = document::of(options, &outcome);
        output.json(&Document::new("verify-evidence", body))?;
    } else {
        output.text(&report::text(options, now, &outcome))?;
    }
    Ok(exit(&outcome))
}

impl Options {
    fn expectations(&self, now: SystemTime) -> Expectations {
        let accepted = &self.accepted;
        let mut expected = Expectations::new(now, self.challenge);
        expected.max_age = self.max_age;
        expected.clock_skew = self.clock_skew;
        expected.least_profile = of_evidence(accepted.profile);
        let required = accepted.require_check.iter();
        expected.required_findings = required.map(|id| id.as_str().to_owned()).collect();
        if !accepted.require_expected_from.is_empty() {
            expected.expected_from = Some(accepted.require_expected_from.iter().copied().collect());
        }
        expected.accept_simulated = accepted.accept_simulated;
        expected.accept_warnings = accepted.accept_warnings;
        expected.accept_lowered_checks = accepted.accept_lowered_checks;
        expected.accept_unproven_residency = accepted.accept_unproven_residency;
        expected.accept_unknown_confidential_compute = accepted.accept_unknown_confidential_compute;
        expected.accept_developer_tools = accepted.accept_developer_tools;
        if accepted.accept_any_form {
            expected.form = EnvelopeForm::AnyDsse;
        }
        expected
    }
}

/// The profile in evidence's words. One that it has no word for accepts no more than the strictest.
const fn of_evidence(profile: Profile) -> vram_seal::evidence::Profile {
    match profile {
        Profile::Standard => vram_seal::evidence::Profile::Standard,
        Profile::Development => vram_seal::evidence::Profile::Development,
        _ => vram_seal::evidence::Profile::Strict,
    }
}

fn is_unsigned(outcome: &Outcome) -> bool {
    let Err(refused) = outcome else {
        return false;
    };
    refused
        .failures()
        .any(|failure| failure.kind() == FailureKind::Signature)
}

fn exit(outcome: &Outcome) -> Exit {
    match outcome {
        Ok(_) => Exit::Good,
        Err(refused) if refused.failures().all(|f| f.kind().is_of_policy()) => Exit::Policy,
        Err(_) => Exit::Integrity,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn expectations(more: &str) -> Expectations {
        let line = format!("verify-evidence e.json --key k.pub {more}");
        let line = Line::try_parse_from(line.split_whitespace()).unwrap();
        line.options.expectations(SystemTime::UNIX_EPOCH)
    }

    /// Which of what makes the check weaker is accepted.
    fn accepted(more: &str) -> [bool; 6] {
        let expected = expectations(more);
        [
            expected.accept_simulated,
            expected.accept_warnings,
            expected.accept_lowered_checks,
            expected.accept_unproven_residency,
            expected.accept_unknown_confidential_compute,
            expected.accept_developer_tools,
        ]
    }

    /// Covers: EV-4.
    #[test]
    fn every_option_accepts_what_it_names_and_nothing_else() {
        assert_eq!(accepted(""), [false; 6]);
        for (position, option) in [
            "--accept-simulated",
            "--accept-warnings",
            "--accept-lowered-checks",
            "--accept-unproven-residency",
            "--accept-unknown-confidential-compute",
            "--accept-developer-tools",
        ]
        .iter()
        .enumerate()
        {
            let mut alone = [false; 6];
            alone[position] = true;
            assert_eq!(accepted(option), alone, "{option}");
        }
        assert_eq!(expectations("").form, EnvelopeForm::AsWritten);
        assert_eq!(
            expectations("--accept-any-form").form,
            EnvelopeForm::AnyDsse
        );
    }
}
