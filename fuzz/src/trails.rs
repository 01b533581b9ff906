//! Audit trails.

use vram_audit::{Records, Source, Verdict, Verifier};

use crate::{seals, short};

/// What separates one file of a trail from the next in the input.
const NEXT_FILE: &[u8] = b"\n--- next file ---\n";

/// The files of a trail: their lines are read, and the chain is walked.
pub fn audit(bytes: &[u8]) {
    let files = split(bytes);
    let sources = || {
        let numbered = files.iter().enumerate();
        numbered.map(|(number, file)| Source::reader(format!("trail.{number}"), *file))
    };
    let keys = [seals::key().verifying_key().clone()];
    for verifier in [
        Verifier::new(keys.clone()),
        Verifier::new(keys).from_continuation(),
    ] {
        match verifier.verify(sources()) {
            Ok(Verdict::Broken { fault, .. }) => short(&fault),
            Ok(verdict) => assert!(verdict.is_intact()),
            Err(error) => short(&error),
        }
    }
    for record in Records::new(sources()) {
        match record {
            Ok(record) => drop((record.name().len(), record.shard().map(str::len))),
            Err(error) => short(&error),
        }
    }
}

fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut files, mut rest) = (Vec::new(), bytes);
    while let Some(at) = rest
        .windows(NEXT_FILE.len())
        .position(|window| window == NEXT_FILE)
        .filter(|_| files.len() < 4)
    {
        // The file keeps its last newline.
        files.push(&rest[..=at]);
        rest = &rest[at + NEXT_FILE.len()..];
    }
    files.push(rest);
    files
}
