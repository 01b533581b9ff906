//! Writes the seeds that this library's own formats have: `cargo run --example seeds`, in this folder. Those of
//! formats that others write come from others' tools: `make-seeds.py`.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::json;
use vram_audit::{Options, Trail, Urgency};
use vram_fuzz::key;
use vram_seal::evidence::{
    Challenge, ConfidentialCompute, Evidence, EvidenceFinding, EvidenceStatement,
    FindingEnforcement, FindingSeverity, FindingStatus, Kernel, Library, MeasuredDevice,
    MeasuredShard, PolicyFindings, Profile, Residency, ResidencyVerdict,
};
use vram_seal::{
    DeviceId, Digest, ExpectedFrom, Freezing, HashPlan, SealKey, SealRecord, SealedRecord,
    SetPosition, ShardId, Subject, VerityDigest, hash_bytes,
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let write = |target: &str, name: &str, bytes: &[u8]| -> Outcome {
        let folder = seeds.join(target);
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join(name), bytes)?)
    };
    for (name, record) in records()? {
        write("seal_record", name, &record.encode())?;
        let sealed = SealedRecord::seal(&other_key()?, record);
        write("seal_json", name, &serde_json::to_vec_pretty(&sealed)?)?;
    }
    for (name, statement) in statements()? {
        write("evidence", name, &statement.to_json()?)?;
        write("envelope", name, &statement.sign(key())?.to_json()?)?;
    }
    write("audit", "one-file", &trail(1 << 20)?)?;
    write("audit", "several-files", &trail(6 << 10)?)?;
    write(
        "keys",
        "ed25519.pub",
        key().verifying_key().to_spki_pem()?.as_bytes(),
    )?;
    write("keys", "ed25519.spki", key().verifying_key().as_spki_der())?;
    for (name, text) in [
        ("shard", "llama-3.1:8b_shard-0001"),
        ("device", "GPU-10111213-1415-1617-1819-1a1b1c1d1e1f"),
        (
            "digest",
            "700b6bd8510f0b4f9bac8b9cf0459151a1c4a99f467892bb4bd289a67df8e19c",
        ),
        (
            "model",
            "models/llama-3.1-8b/model-00002-of-00004.safetensors",
        ),
        ("time", "2026-01-01T00:00:00.25Z"),
        ("size", "1.5 GiB"),
        ("check", "device.ecc-mode"),
        (
            "link",
            "models--a--b/snapshots/0123abc/model.safetensors\n../../blobs/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        ),
    ] {
        write("values", name, text.as_bytes())?;
    }
    Ok(())
}

fn other_key() -> Outcome<SealKey> {
    Ok(SealKey::from_bytes(b"a key that no fuzz target knows!")?)
}

fn records() -> Outcome<[(&'static str, SealRecord); 2]> {
    let full = SealRecord {
        shard_id: "llama-3.1:8b_shard-0001".parse()?,
        size: 3,
        content: Some(Digest::of(b"abc")),
        verity: VerityDigest::of(b"abc"),
        device: DeviceId {
            uuid: [0xd0; 16],
            simulated: false,
        },
        sealed_at_unix_nanos: 1_767_225_600_123_456_789,
        freezing: Freezing::Mmu,
        position: Some(SetPosition::new(1, 4)?),
        model: Some("models/llama-3.1-8b/model-00002-of-00004.safetensors".parse()?),
        nonce: [0xe0; 16],
        key_id: SealKey::from_bytes(&[0x42; 32])?.id(),
        expected_from: ExpectedFrom::ModelSignature,
    };
    let least = SealRecord {
        shard_id: "a".parse()?,
        content: None,
        position: None,
        model: None,
        expected_from: ExpectedFrom::None,
        key_id: other_key()?.id(),
        freezing: Freezing::Software,
        ..full.clone()
    };
    Ok([("full", full), ("least", least)])
}

fn finding(id: &str, shard: Option<&ShardId>) -> EvidenceFinding {
    EvidenceFinding {
        id: id.to_owned(),
        shard: shard.cloned(),
        status: FindingStatus::Pass,
        severity: FindingSeverity::Critical,
        enforcement: FindingEnforcement::Refuse,
        raised_or_lowered_from: None,
        observed: "IS_MANAGED 0".to_owned(),
        expected: "IS_MANAGED 0".to_owned(),
    }
}

fn statements() -> Outcome<[(&'static str, EvidenceStatement); 2]> {
    Ok([
        ("two-shards", statement(&["model:0", "model:1"])?),
        ("one-shard", statement(&["a"])?),
    ])
}

fn statement(names: &[&str]) -> Outcome<EvidenceStatement> {
    let challenge: Challenge =
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f".parse()?;
    let bytes = [0; 4097];
    let challenged = hash_bytes(&bytes, HashPlan::VERITY, &challenge.salt());
    let challenged_verity = challenged.verity.ok_or("it was planned")?.digest();
    let mut findings = vec![finding("device.own-memory", None)];
    let (mut shards, mut subjects) = (Vec::new(), Vec::new());
    for name in names {
        let name: ShardId = name.parse()?;
        findings.push(finding("region.not-managed", Some(&name)));
        let content = Some(Digest::of(&bytes));
        subjects.push(Subject::shard(&name, content, VerityDigest::of(&bytes)));
        shards.push(MeasuredShard {
            name,
            size_bytes: bytes.len() as u64,
            freezing: Freezing::Mmu,
            challenged_verity,
            duration_microseconds: 120,
            bytes_per_second: 68_266_666,
            residency: Residency {
                verdict: ResidencyVerdict::Proven,
                reason: "faster than the link".to_owned(),
            },
            expected_from: ExpectedFrom::ModelSignature,
        });
    }
    let evidence = Evidence {
        challenge,
        measured_at: "2025-12-31T00:00:00.25Z".parse()?,
        duration_microseconds: 250,
        device: MeasuredDevice {
            name: "Example GPU".to_owned(),
            uuid: std::array::from_fn(|at| at as u8),
            driver: "580.159.03".to_owned(),
            simulated: false,
        },
        shards,
        policy: PolicyFindings::new(Profile::Strict, findings),
        library: Library {
            name: "vram-residency".to_owned(),
            version: "0.1.0".to_owned(),
        },
        kernel: Kernel {
            ptx_sha256: Digest::of(b"the program"),
        },
        confidential_compute: Some(ConfidentialCompute::None {
            reason: "the device reports that it is off".to_owned(),
        }),
    };
    Ok(EvidenceStatement::evidence(subjects, evidence)?)
}

/// A trail of a few events, its files one after the other.
fn trail(rotate_at: u64) -> Outcome<Vec<u8>> {
    let folder = std::env::temp_dir().join(format!("vram-fuzz-seeds-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let path = folder.join("trail.jsonl");
    let options = Options::new("worker-0")?
        .rotate_at(rotate_at)
        .checkpoint_every(4);
    let key = vram_seal::SigningKey::from_pkcs8_pem(&key().expose_pkcs8_pem()?)?;
    let trail = Trail::open(&path, key, options)?;
    for number in 0..24 {
        let shard = format!("llama:{number}");
        trail.append(
            Urgency::Routine,
            &json!({"event": "sealed", "shard": shard, "size": 4096}),
        )?;
    }
    let failed = json!({"event": "verification_failed", "shard": "llama:0", "reason": "é\u{1}"});
    trail.append(Urgency::Critical, &failed)?;
    trail.close()?;
    let mut files = Vec::new();
    for file in vram_audit::files_of(&path)? {
        files.push(String::from_utf8(fs::read(&file)?)?.trim_end().to_owned());
    }
    fs::remove_dir_all(&folder)?;
    Ok((files.join("\n--- next file ---\n") + "\n").into_bytes())
}
