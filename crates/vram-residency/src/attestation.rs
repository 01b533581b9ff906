//! Evidence for a challenge: what a manager measures now, for whoever asked, signed for those who share no secret
//! with it.

mod card;
mod challenged;
mod findings;

use std::time::{Duration, Instant, SystemTime};

use vram_alloc::Kernels;
use vram_policy::{ManagementFacts, Policy, Report};
use vram_seal::dsse::Envelope;
use vram_seal::evidence::{
    Challenge, Evidence, EvidenceStatement, Kernel, Library, MAX_FINDINGS, MeasuredDevice,
    PolicyFindings, Timestamp, fitting_text,
};
use vram_seal::statement::{MAX_SUBJECTS, StatementRefusal};
use vram_seal::{Digest, SigningKey, Subject};

use self::challenged::Challenged;
use crate::event::Event;
use crate::manager::Manager;
use crate::shard::SealedShard;
use crate::{Error, Result};

/// Signed evidence of shards, made for a challenge. Only [`Manager::attest`] makes one.
#[derive(Clone, Debug)]
#[must_use = "evidence is for the challenger"]
pub struct Attestation {
    statement: EvidenceStatement,
    envelope: Envelope,
}

impl Attestation {
    /// What is said, and of which shards.
    #[must_use]
    pub const fn statement(&self) -> &EvidenceStatement {
        &self.statement
    }

    /// The statement under its signature. More signatures can be added to a copy.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The envelope as it travels. A verifier takes these bytes and, unless it asks for less, no others.
    ///
    /// # Errors
    ///
    /// [`Error::Seal`] if it can't be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        Ok(self.envelope.to_json()?)
    }
}

impl Manager {
    /// Verifies shards for a challenge, and signs what was seen: evidence that
    /// [`verify_evidence`](vram_seal::evidence::verify_evidence) checks, on a machine with no GPU.
    ///
    /// Nothing of it is remembered. The device and the machine are looked at again, as in
    /// [`recheck`](Self::recheck). The device reads every byte with the challenge as the tree's salt, which gives a
    /// digest that nobody could know before the challenge was; the driver is asked about each region meanwhile. The
    /// rate and the duration in the evidence are this measurement's. Then every shard is verified, as in
    /// [`verify_all`](Self::verify_all): its bytes are measured once more, and are those of the record.
    ///
    /// Where the management library says that confidential computing is on, the card's own report over the statement's
    /// hash is asked for and carried along; without it there is no evidence. Elsewhere the evidence says that there is
    /// none, and why; or that the question failed, which a verifier refuses unless it is told otherwise.
    ///
    /// Evidence is the word of whoever has the signing key; `docs/spec/evidence.md` says what a verifier can compute
    /// for itself.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`] if the manager has stopped, before or meanwhile; what [`recheck`](Self::recheck) and
    /// [`verify`](Self::verify) say, which stops it just so; [`Error::CardAttestation`] where confidential computing is on
    /// and the card gives no report; [`Error::Unrecorded`] where an observer that must keep it can't, which stops the
    /// manager too; [`Error::Seal`] for no shard, one that is named twice, or more than evidence has
    /// room for (about 3,000: 16,384 findings), before anything is measured, and if the key can't sign.
    pub fn attest<'shard>(
        &self,
        shards: impl IntoIterator<Item = &'shard SealedShard>,
        challenge: Challenge,
        key: &SigningKey,
    ) -> Result<Attestation> {
        self.require_running()?;
        let shards: Vec<_> = shards.into_iter().collect();
        require_subjects(&shards)?;

        let surroundings = self.recheck()?;
        require_room(surroundings.findings().len(), shards.len())?;
        let started = Instant::now();
        let challenged = shards
            .iter()
            .map(|shard| self.challenged(shard, &challenge));
        let challenged = challenged.collect::<Result<Vec<_>>>()?;
        let seen = Seen {
            surroundings,
            challenged,
            took: started.elapsed(),
            ended: self.now()?,
            management: self.settings().watch.management(self.device()),
        };
        // Last, so that bytes that were others when they answered are found to be: nobody here can tell by the answer.
        let verified = self.verify_all(shards.iter().copied())?;
        // Nothing is signed of a set in which one shard failed. The permits are not what is wanted.
        drop(verified.into_permits()?);

        let statement = self.statement(&shards, challenge, seen)?;
        let envelope = statement.sign(key)?;
        // Another thread's failure may have stopped the manager meanwhile. What is given out was signed before.
        self.require_running()?;
        // Evidence that can't be recorded is not given out.
        self.tell(&Event::EvidenceMade {
            shards: shards.len(),
            statement: Digest::of(&statement.to_json()?),
            challenge: challenge.to_string(),
            key_id: key.verifying_key().id().to_string(),
        })?;
        Ok(Attestation {
            statement,
            envelope,
        })
    }

    fn statement(
        &self,
        shards: &[&SealedShard],
        challenge: Challenge,
        seen: Seen,
    ) -> Result<EvidenceStatement> {
        let subject = |shard: &&SealedShard| {
            Subject::shard(shard.id(), shard.content_digest(), shard.verity_digest())
        };
        let subjects = shards.iter().map(subject).collect();
        let mut findings = findings::of(None, &seen.surroundings);
        for challenged in &seen.challenged {
            findings.extend(findings::of(
                Some(&challenged.measured.name),
                &challenged.policy,
            ));
        }
        let profile = findings::profile(self.policy().profile());
        let evidence = Evidence {
            challenge,
            measured_at: moment(seen.ended)?,
            duration_microseconds: micros(seen.took),
            device: self.measured_device(&seen.management),
            shards: seen
                .challenged
                .into_iter()
                .map(|challenged| challenged.measured)
                .collect(),
            policy: PolicyFindings::new(profile, findings),
            library: Library {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            kernel: Kernel {
                ptx_sha256: Kernels::PTX_SHA256.parse()?,
            },
            // The nonce of the card's report is the hash of the statement without it.
            confidential_compute: None,
        };
        let statement = EvidenceStatement::evidence(subjects, evidence)?;
        let nonce = statement.confidential_compute_nonce()?;
        let attestation = self.card_attestation(nonce)?;
        Ok(statement.with_confidential_compute(attestation)?)
    }

    fn measured_device(&self, management: &ManagementFacts) -> MeasuredDevice {
        let properties = self.device();
        let driver = management.driver_version.clone();
        let driver = driver.unwrap_or_else(|| {
            format!(
                "unknown, for CUDA {}",
                cuda_version(properties.driver_version)
            )
        });
        MeasuredDevice {
            name: fitting_text(&properties.name),
            uuid: properties.uuid,
            driver: fitting_text(&driver),
            simulated: properties.simulated,
        }
    }
}

/// A version as `cuDriverGetVersion` gives it: 12080 is 12.8.
fn cuda_version(version: i32) -> String {
    let major = version.checked_div(1000).unwrap_or(0);
    let minor = version.checked_rem(1000).unwrap_or(0);
    format!("{major}.{}", minor.checked_div(10).unwrap_or(0))
}

/// What was seen for one challenge.
struct Seen {
    /// The device and the machine.
    surroundings: Report,
    challenged: Vec<Challenged>,
    /// How long the measurements with the challenge took.
    took: Duration,
    /// When the last one ended, since 1970.
    ended: Duration,
    management: ManagementFacts,
}

/// Refuses, before anything is measured, what can't be the subjects of a statement.
fn require_subjects(shards: &[&SealedShard]) -> Result<()> {
    require_count(shards.len())?;
    let mut names = std::collections::BTreeSet::new();
    let twice = shards.iter().position(|shard| !names.insert(shard.id()));
    twice.map_or(Ok(()), |index| {
        Err(vram_seal::Error::Statement(StatementRefusal::NameTwice { index }).into())
    })
}

fn require_count(found: usize) -> Result<()> {
    if (1..=MAX_SUBJECTS).contains(&found) {
        return Ok(());
    }
    let limit = MAX_SUBJECTS;
    Err(vram_seal::Error::Statement(StatementRefusal::Subjects { found, limit }).into())
}

/// Refuses, before anything is measured, more shards than there is room for what the policy finds of them.
fn require_room(of_surroundings: usize, shards: usize) -> Result<()> {
    let of_shards = shards.saturating_mul(Policy::REGION_FINDINGS);
    let found = of_surroundings.saturating_add(of_shards);
    if found <= MAX_FINDINGS {
        return Ok(());
    }
    Err(vram_seal::Error::Statement(StatementRefusal::Findings {
        subjects: shards,
        found,
        limit: MAX_FINDINGS,
    })
    .into())
}

/// A moment since 1970.
fn moment(since: Duration) -> Result<Timestamp> {
    let time = SystemTime::UNIX_EPOCH.checked_add(since);
    let time = time.ok_or_else(|| Error::System {
        what: "time",
        source: "it is further from 1970 than can be counted".into(),
    })?;
    Ok(time.try_into()?)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_shards_than_there_is_room_for_findings_of_are_refused_with_the_limit() {
        let most = (MAX_FINDINGS - 40) / Policy::REGION_FINDINGS;

        let refused = require_room(40, most + 1).unwrap_err().to_string();

        assert!(require_room(40, most).is_ok());
        assert!(
            refused.contains(&format!("{} subjects", most + 1)),
            "{refused}"
        );
        assert!(refused.contains("16384 findings is the most"), "{refused}");
        assert!(require_room(usize::MAX, usize::MAX).is_err());
    }

    #[test]
    fn a_statement_is_about_one_shard_to_the_limit() {
        for found in [1, 2, MAX_SUBJECTS] {
            require_count(found).unwrap();
        }
        for found in [0, MAX_SUBJECTS + 1, usize::MAX] {
            assert!(require_count(found).is_err(), "{found}");
        }
    }

    #[test]
    fn a_version_reads_as_cudas_do() {
        assert_eq!(cuda_version(12_080), "12.8");
        assert_eq!(cuda_version(13_000), "13.0");
        assert_eq!(cuda_version(11_120), "11.12");
    }

    #[test]
    fn durations_are_told_in_microseconds() {
        assert_eq!(micros(Duration::from_millis(3)), 3000);
        assert_eq!(micros(Duration::MAX), u64::MAX);
    }
}
