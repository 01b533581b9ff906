//! NIST CAVP vectors for SHA-256 (FIPS 180-4), on the device. The host's implementation has its own
//! test of the same vectors, beside it.

use vram_alloc::message_row;
use vram_seal::Digest;

use crate::device_hasher::{DeviceHasher, read};

/// Vector files as NIST publishes them.
macro_rules! vectors {
    ($file:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../crates/vram-seal/tests/vectors/",
            $file
        ))
    };
}

/// The values of one name in a vector file, in order.
fn values<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    text.lines()
        .filter_map(|line| line.split_once(" = "))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value.trim())
        .collect()
}

fn digests(text: &str) -> Vec<Digest> {
    let digests = values(text, "MD").into_iter();
    digests.map(|digest| digest.parse().unwrap()).collect()
}

fn messages(text: &str) -> Vec<Vec<u8>> {
    let lengths = values(text, "Len").into_iter();
    let messages = values(text, "Msg").into_iter();
    lengths
        .zip(messages)
        .map(|(bits, message)| {
            let mut message = hex::decode(message).unwrap();
            // The empty message is written as one zero byte.
            message.truncate(bits.parse::<usize>().unwrap() / 8);
            message
        })
        .collect()
}

/// Covers: CI-004.
#[test]
fn nist_short_messages_on_the_device() {
    let text = vectors!("SHA256ShortMsg.rsp");
    let messages = messages(text);
    assert_eq!(messages.len(), 65);

    let computed = DeviceHasher::new().hash_messages(&messages);

    assert_eq!(computed, digests(text));
}

/// Covers: CI-004.
#[test]
fn nist_long_messages_on_the_device() {
    let text = vectors!("SHA256LongMsg.rsp");
    let messages = messages(text);
    assert_eq!(messages.len(), 64);

    let computed = DeviceHasher::new().hash_messages(&messages);

    assert_eq!(computed, digests(text));
}

/// The Secure Hash Algorithm Validation System, 6.4: a thousand digests of the last three, a
/// hundred times over, each time from the last checkpoint.
///
/// The checkpoints are published, so that the hundred chains need not wait for each other: a launch
/// takes one step of each. That every chain ends where the next begins is what makes them one.
///
/// Covers: CI-004.
#[test]
fn nist_monte_carlo_on_the_device() {
    const CHAINS: usize = 100;
    const STEPS: usize = 1000;
    const MESSAGE: usize = 96;
    let text = vectors!("SHA256Monte.rsp");
    let seed: Digest = values(text, "Seed")[0].parse().unwrap();
    let checkpoints = digests(text);
    assert_eq!(checkpoints.len(), CHAINS);
    let starts = [seed].into_iter().chain(checkpoints.iter().copied());
    let mut messages: Vec<u8> = starts
        .take(CHAINS)
        .flat_map(|start| [*start.as_bytes(); 3].concat())
        .collect();
    let rows = (0..CHAINS).flat_map(|chain| message_row((chain * MESSAGE) as u64, MESSAGE as u64));
    let device = DeviceHasher::new();
    let mut data = device.upload(&messages);
    let table = device.upload(&rows.collect::<Vec<u8>>());
    let mut computed = device.room(CHAINS as u64 * 32);

    for _ in 0..STEPS {
        data.write(0, &messages).unwrap();
        device.launch_messages(&data, &table, &mut computed);
        for (message, digest) in messages.chunks_mut(MESSAGE).zip(read(&computed)) {
            message.copy_within(32.., 0);
            message[64..].copy_from_slice(&digest);
        }
    }

    let ends: Vec<Digest> = read(&computed)
        .into_iter()
        .map(Digest::from_bytes)
        .collect();
    assert_eq!(ends, checkpoints);
}
