//! No device address, token or key is in anything that is printed, however much is logged.

use ring::hkdf;

use crate::model::{safetensors, write, write_secret};
use crate::run::{Ran, vram};

const TOKEN: [u8; 32] = *b"}~ a token: 32 bytes of secrets!";
/// The simulated device's UUID.
const UUID: [u8; 16] = *b"vram-simulated-0";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    // The last digit would depend on padding.
    let whole = bits.as_bytes().chunks_exact(6);
    whole
        .map(|six| usize::from_str_radix(str::from_utf8(six).unwrap(), 2).unwrap())
        .map(|digit| char::from(DIGITS[digit]))
        .collect()
}

/// The seal key of this token, worker and device, derived as docs/spec/seal-format.md says.
fn key() -> [u8; 32] {
    let worker = b"vram-cli";
    let info = [
        b"vram-residency/seal-key/v1".as_slice(),
        &u16::try_from(worker.len()).unwrap().to_le_bytes(),
        worker,
        &UUID,
        &[1],
    ];
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"vram-residency/hkdf/v1");
    let mut key = [0; 32];
    let secret = salt.extract(&TOKEN);
    secret
        .expand(&info, hkdf::HKDF_SHA256)
        .unwrap()
        .fill(&mut key)
        .unwrap();
    key
}

/// Everything that commands print, good and bad, at the highest log level.
fn everything() -> String {
    let folder = tempfile::tempdir().unwrap();
    let token = write_secret(folder.path(), "token", &TOKEN);
    let model = write(folder.path(), "m.safetensors", &safetensors(3 << 20));
    let mut all = String::new();
    let mut keep = |ran: Ran| {
        all.push_str(ran.text());
        all.push_str(&ran.stderr);
    };
    let zeros = format!("sha256:{}", "00".repeat(32));
    for options in [
        &[][..],
        &["--json"],
        &["--expect", &zeros],
        &["--budget", "1MiB"],
    ] {
        let mut command = vram();
        command
            .args(["-vvv", "seal", "--simulated", "--token-file"])
            .arg(&token);
        keep(Ran::of(command.args(options).arg(&model)));
    }
    for arguments in [&["drill"][..], &["drill", "--json"], &["devices"]] {
        let mut command = vram();
        keep(Ran::of(
            command
                .env("RUST_LOG", "trace")
                .args(arguments)
                .arg("--simulated"),
        ));
    }
    assert!(
        all.contains("DEBUG") && all.contains("allocated"),
        "the log is there"
    );
    assert!(
        all.contains("ERROR") && all.contains("verification failed"),
        "failures are there"
    );
    all
}

/// Covers: CI-006, VU-1, EX-2.3.
#[test]
fn no_token_key_or_device_address_is_printed() {
    let all = everything();
    let lower = all.to_lowercase();

    for secret in [TOKEN, key()] {
        assert!(!lower.contains(&hex(&secret)));
        assert!(!all.contains(&base64(&secret)));
        assert!(!all.contains(&format!("{secret:?}")));
    }
    assert!(!all.contains(str::from_utf8(&TOKEN).unwrap()));

    // The simulation's device addresses are addresses of its process: far up, 12 digits in hexadecimal.
    let uuid = "7672616d-2d73-696d-2d66-6c6565740001";
    let without_uuid = lower.replace(uuid, "");
    for word in without_uuid.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        let digits = word.strip_prefix("0x").unwrap_or(word);
        let hex = u64::from_str_radix(digits, 16)
            .ok()
            .filter(|_| digits.len() <= 16);
        for number in [hex, word.parse().ok()].into_iter().flatten() {
            let addressed = (1 << 46..1 << 48).contains(&number);
            assert!(!addressed, "{word} may be a device address");
        }
    }
}

#[test]
fn the_key_looked_for_is_the_key_in_use() {
    // If this derivation were wrong, the search above would find nothing whatever was printed.
    let device = vram_seal::DeviceId {
        uuid: UUID,
        simulated: true,
    };
    let token = vram_seal::Token::new(&TOKEN).unwrap();
    let derived = vram_seal::SealKey::derive(&token, &"vram-cli".parse().unwrap(), &device);
    let record = vram_seal::SealRecord {
        shard_id: "a".parse().unwrap(),
        size: 1,
        content: None,
        verity: vram_seal::VerityDigest::of(b"a"),
        device,
        sealed_at_unix_nanos: 1,
        freezing: vram_seal::Freezing::Mmu,
        position: None,
        model: None,
        nonce: [0; 16],
        key_id: vram_seal::SealKeyId::from_bytes([0; 8]),
        expected_from: vram_seal::ExpectedFrom::None,
    };

    let sealed = vram_seal::SealedRecord::seal(&derived.unwrap(), record).unwrap();

    let here = vram_seal::SealKey::from_bytes(&key()).unwrap();
    assert!(sealed.verify(&here).is_ok());
    assert_eq!(base64(b"abc"), "YWJj");
}
