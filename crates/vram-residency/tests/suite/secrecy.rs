//! What must never be shown: device addresses, keys, tokens.

use std::io::Write;
use std::sync::{Arc, Mutex};

use base64ct::{Base64, Encoding as _};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use vram_residency::{Manager, SealRequest};
use vram_seal::{SealKey, Token};
use vram_sim::Machine;
use vram_sys::CUresult;

use crate::support::*;

/// Everything that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// No run of it is a word that a finding could say.
const TOKEN: [u8; 32] = *b"\x11\xa7 tHe+tOkEn_tHaT-nObOdY*mAy%sEe";

impl Log {
    /// What was logged while this ran.
    fn of(run: impl FnOnce()) -> String {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, run);
        let logged = log.0.lock().unwrap().clone();
        String::from_utf8(logged).unwrap()
    }
}

/// A whole life, and everything that it emits: logs at trace level, events, errors, `Debug` and
/// JSON of all that a caller holds.
fn everything_emitted(machine: &Machine) -> (String, Vec<u64>) {
    let mut shown = Vec::new();
    let mut addresses = Vec::new();
    let logged = Log::of(|| {
        let recorder = Recorder::new();
        let token = Token::new(&TOKEN).unwrap();
        let builder = Manager::builder()
            .token(token, "worker-0".parse().unwrap())
            .allow_simulated()
            .observer(recorder.clone());
        shown.push(format!("{builder:?} {builder:#?}"));
        let manager = builder.build(&platform(machine)).unwrap();
        let bytes = weights(600_000);
        let request = SealRequest::bytes(id("one"), &bytes);
        shown.push(format!("{request:?}"));
        let shard = manager.seal(request).unwrap();
        shown.push(format!("{shard:?} {shard:#?} {manager:?}"));
        shown.push(serde_json::to_string(&shard).unwrap());
        let verified = manager.verify(&shard).unwrap();
        let address = verified.permit.device_address().unwrap();
        shown.push(format!(
            "{verified:?} {verified:#?} {address:?} {address:#?}"
        ));
        shown.push(serde_json::to_string(&verified.report).unwrap());
        shown.push(format!("{:?}", manager.capacity().unwrap()));
        shown.push(format!("{:?}", manager.recheck().unwrap()));
        addresses.push(address.as_raw());
        addresses.extend(machine.addresses());
        machine
            .flip_bit(allocation_of(machine, &bytes), 5, 5)
            .unwrap();
        let error = manager.verify(&shard).unwrap_err();
        shown.push(format!("{error} {error:?} {error:#?}"));
        drop(shard);
        let error = manager
            .seal(SealRequest::bytes(id("two"), &bytes))
            .unwrap_err();
        shown.push(format!("{error} {error:?}"));
        shown.push(recorder.json());
        shown.push(manager.stop_reason().unwrap().to_owned());
    });
    shown.push(logged);
    (shown.join("\n"), addresses)
}

/// Covers: MS-001, CI-006, EX-2.3, VU-1.
#[test]
fn test_debug_format_omits_vram_ptr() {
    let machine = machine();

    let (shown, addresses) = everything_emitted(&machine);

    assert!(
        shown.contains("sealed") && shown.contains("verification failed"),
        "{shown}"
    );
    assert!(addresses.len() >= 3, "{}", addresses.len());
    addresses_are_nowhere(&shown, &addresses);
    shown_nowhere(&shown, &TOKEN);
}

#[test]
fn what_is_debugged_says_what_it_is() {
    let machine = machine();
    let manager = manager(&machine);
    let request = SealRequest::bytes(id("one"), b"weights");

    let shown = format!("{:?}", Manager::builder().max_shard_size(4242));
    assert!(shown.starts_with("ManagerBuilder {"), "{shown}");
    assert!(shown.contains("max_shard_size: 4242"), "{shown}");
    let shown = format!("{request:?}");
    assert!(shown.starts_with("SealRequest {"), "{shown}");
    assert!(shown.contains(r#"id: ShardId("one")"#), "{shown}");
    let shown = format!("{manager:?}");
    assert!(shown.starts_with("Manager {"), "{shown}");
    assert!(shown.contains("stopped: None"), "{shown}");
    let shard = manager.seal(request).unwrap();
    let shown = format!("{shard:?}");
    assert!(shown.starts_with(r#"SealedShard { id: "one", "#), "{shown}");
    assert!(shown.contains(&format!("{:?}", shard.verity_digest())));
    let permit = manager.verify(&shard).unwrap().permit;
    assert_eq!(format!("{permit:?}"), r#"ExecutionPermit { shard: "one" }"#);
}

/// Neither in hexadecimal nor in decimal.
fn addresses_are_nowhere(shown: &str, addresses: &[u64]) {
    for address in addresses {
        for form in [
            format!("{address:x}"),
            format!("{address:X}"),
            address.to_string(),
        ] {
            assert!(!shown.contains(&form), "an address is shown: {form}");
        }
    }
}

/// Covers: MS-005.
#[test]
fn memory_that_can_not_be_released_is_logged_and_its_address_is_not() {
    let machine = machine();
    let manager = manager(&machine);
    let shard = manager
        .seal(SealRequest::bytes(id("one"), &weights(600_000)))
        .unwrap();
    let addresses = machine.addresses();

    let logged = Log::of(|| {
        machine.fail_every_call(CUresult::CUDA_ERROR_INVALID_VALUE);
        drop(shard);
    });

    assert!(logged.contains("could not be released"), "{logged}");
    assert!(!addresses.is_empty());
    addresses_are_nowhere(&logged, &addresses);
}

/// Covers: CI-006.
#[test]
fn key_material_is_shown_nowhere() {
    let machine = machine();

    let (shown, _) = everything_emitted(&machine);

    let device = vram_seal::DeviceId {
        uuid: vram_alloc::Platform::with_driver(machine.driver())
            .unwrap()
            .devices()
            .unwrap()[0]
            .uuid,
        simulated: true,
    };
    let token = Token::new(&TOKEN).unwrap();
    let key = SealKey::derive(&token, &"worker-0".parse().unwrap(), &device).unwrap();
    let debugged = format!("{key:?} {token:?}");
    for secret in [TOKEN, derived(&device)] {
        shown_nowhere(&shown, &secret);
        shown_nowhere(&debugged, &secret);
    }
}

/// The bytes of the worker's key on this device, derived anew.
fn derived(device: &vram_seal::DeviceId) -> [u8; 32] {
    struct Bytes32;
    impl KeyType for Bytes32 {
        fn len(&self) -> usize {
            32
        }
    }
    let worker = b"worker-0";
    let info = [
        b"vram-residency/seal-key/v1".as_slice(),
        &u16::try_from(worker.len()).unwrap().to_le_bytes(),
        worker,
        &device.uuid,
        &[u8::from(device.simulated)],
    ]
    .concat();
    let mut key = [0; 32];
    Salt::new(HKDF_SHA256, b"vram-residency/hkdf/v1")
        .extract(&TOKEN)
        .expand(&[&info], Bytes32)
        .and_then(|made| made.fill(&mut key))
        .unwrap();
    assert_eq!(
        SealKey::from_bytes(&key).unwrap().id(),
        SealKey::derive(
            &Token::new(&TOKEN).unwrap(),
            &"worker-0".parse().unwrap(),
            device
        )
        .unwrap()
        .id()
    );
    key
}

/// Neither as text, nor in hexadecimal, nor as `Debug` prints bytes, nor in base64.
fn shown_nowhere(shown: &str, secret: &[u8]) {
    for piece in secret.windows(8) {
        let hex: String = piece.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = piece
            .iter()
            .map(u8::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        let text = String::from_utf8_lossy(piece).into_owned();
        let base64 = Base64::encode_string(piece);
        // The end of it hangs on what comes next.
        let base64 = base64.get(..8).unwrap().to_owned();
        for form in [hex.to_uppercase(), hex, list, text, base64] {
            assert!(!shown.contains(&form), "a secret is shown: {form}");
        }
    }
}
