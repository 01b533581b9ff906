//! NIST CAVP vectors for SHA-256 (FIPS 180-4), through every way to the content digest.

use vram_seal::{Digest, HashPlan, Salt, ShardHasher, hash_bytes, hash_reader};

/// The values of one name in a vector file, in order.
fn values<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    text.lines()
        .filter_map(|line| line.split_once(" = "))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value.trim())
        .collect()
}

fn messages(text: &str) -> Vec<(Vec<u8>, Digest)> {
    let lengths = values(text, "Len")
        .into_iter()
        .map(|bits| bits.parse::<usize>().unwrap() / 8);
    let messages = values(text, "Msg")
        .into_iter()
        .map(|message| hex::decode(message).unwrap());
    let digests = values(text, "MD")
        .into_iter()
        .map(|digest| digest.parse().unwrap());
    lengths
        .zip(messages)
        .zip(digests)
        .map(|((length, mut message), digest)| {
            // The empty message is written as one zero byte.
            message.truncate(length);
            assert_eq!(message.len(), length);
            (message, digest)
        })
        .collect()
}

fn check_messages(text: &str, count: usize) {
    let messages = messages(text);
    assert_eq!(messages.len(), count);
    for (message, expected) in messages {
        assert_eq!(Digest::of(&message), expected);
        let none = Salt::none();
        assert_eq!(
            hash_bytes(&message, HashPlan::BOTH, &none).content,
            Some(expected)
        );
        let read = hash_reader(message.as_slice(), HashPlan::CONTENT, &none).unwrap();
        assert_eq!(read.content, Some(expected));
        let mut hasher = ShardHasher::new(HashPlan::BOTH, &none);
        message.chunks(7).for_each(|chunk| hasher.update(chunk));
        assert_eq!(hasher.finish().content, Some(expected));
    }
}

/// Covers: CI-004.
#[test]
fn nist_short_messages() {
    check_messages(include_str!("../vectors/SHA256ShortMsg.rsp"), 65);
}

/// Covers: CI-004.
#[test]
fn nist_long_messages() {
    check_messages(include_str!("../vectors/SHA256LongMsg.rsp"), 64);
}

/// The Secure Hash Algorithm Validation System, 6.4: a thousand digests of the last three, a
/// hundred times over.
///
/// Covers: CI-004.
#[test]
fn nist_monte_carlo() {
    let text = include_str!("../vectors/SHA256Monte.rsp");
    let mut seed: Digest = values(text, "Seed")[0].parse().unwrap();
    let checkpoints = values(text, "MD");
    assert_eq!(checkpoints.len(), 100);
    for checkpoint in checkpoints {
        let mut last = [seed; 3];
        for _ in 0..1000 {
            let message = last.map(|digest| *digest.as_bytes()).concat();
            last = [last[1], last[2], Digest::of(&message)];
        }
        seed = last[2];
        assert_eq!(seed, checkpoint.parse().unwrap());
    }
}
