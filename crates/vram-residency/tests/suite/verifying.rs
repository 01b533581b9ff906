//! Verifying: what passes, what is found, and what happens to the manager then.

use vram_residency::{Error, Manager, SealRequest};
use vram_seal::evidence::{Challenge, Expectations, ExpectedShard, Profile, verify_evidence};
use vram_seal::{
    HashPlan, Salt, SealTag, SealedRecord, SignatureAlgorithm, SigningKey, Token, VerityDigest,
    hash_bytes,
};
use vram_sim::Machine;
use vram_sys::{CUresult, Function};

use crate::support::*;

/// Covers: FN-2.2, CI-007, VP-006, IV-004, EX-1.2.
#[test]
fn test_verify_sealed_valid() {
    let machine = machine();
    let recorder = Recorder::new();
    let manager = builder()
        .observer(recorder.clone())
        .build(&platform(&machine))
        .unwrap();
    let bytes = weights(3_000_001);
    let shard = seal(&manager, "layers-0", &bytes);
    machine.record();

    let verified = manager.verify(&shard).unwrap();

    let launched = |call: &vram_sim::Call| call.function == Function::cuLaunchKernel;
    assert!(
        machine.stop_recording().iter().any(launched),
        "it was measured"
    );
    assert_eq!(verified.report.shard, *shard.id());
    assert_eq!(verified.report.verity, shard.verity_digest());
    assert_eq!(verified.report.size.0, 3_000_001);
    assert!(verified.report.simulated);
    assert!(verified.report.policy.verdict().accepts());
    assert_eq!(recorder.names(), ["allocated", "sealed", "verified"]);
    // The permit leads to the bytes.
    let address = verified.permit.device_address().unwrap().as_raw();
    assert!(machine.addresses().contains(&address));
    // The digest reads as it prints, and no shorter or longer.
    let printed = verified.report.verity.to_string();
    assert_eq!(
        printed.parse::<VerityDigest>().unwrap(),
        shard.verity_digest()
    );
    assert!(printed[1..].parse::<VerityDigest>().is_err());
    assert!(format!("{printed}0").parse::<VerityDigest>().is_err());
    // Others can check it, with the file and the public key.
    let challenge = Challenge::generate().unwrap();
    let key = SigningKey::generate(SignatureAlgorithm::Ed25519).unwrap();
    let shards = std::slice::from_ref(&shard);
    let evidence = manager
        .attest(shards, challenge, &key)
        .unwrap()
        .to_json()
        .unwrap();
    let mut expected = Expectations::new(std::time::SystemTime::now(), Some(challenge));
    let file = ExpectedShard::of_bytes(&bytes, Some(&challenge));
    expected.shards = Some([(id("layers-0"), file)].into());
    expected.least_profile = Profile::Development;
    expected.accept_unknown_confidential_compute = true;
    expected.accept_simulated = true;
    expected.accept_warnings = true;
    expected.accept_unproven_residency = true;
    verify_evidence(&evidence, key.verifying_key(), &expected).unwrap();

    // What passed once does not pass any more when a bit has changed, nor does anything after that.
    machine
        .flip_bit(allocation_of(&machine, &bytes), 1_234_567, 1)
        .unwrap();
    let changed = manager.verify(&shard).unwrap_err();
    assert!(matches!(changed, Error::Tampered { .. }), "{changed:?}");
    let stopped = manager.verify(&shard).unwrap_err();
    assert!(matches!(stopped, Error::Stopped { .. }), "{stopped:?}");
}

/// Covers: FN-2.2.
#[test]
fn verifying_copies_no_weights_to_the_host() {
    let machine = machine();
    let manager = manager(&machine);
    let bytes = weights(6 << 20);
    let shard = seal(&manager, "one", &bytes);
    machine.record();

    let _verified = manager.verify(&shard).unwrap();

    // One copy back: a hash for each 512 KiB, which is all that has room in the buffer.
    let calls = machine.stop_recording();
    let copies = calls
        .iter()
        .filter(|call| call.function == Function::cuMemcpyDtoHAsync_v2);
    assert_eq!(copies.count(), 1);
    assert_eq!(
        machine
            .physical_pages_containing(&bytes[1 << 20..(1 << 20) + 64])
            .unwrap(),
        1
    );
}

/// Covers: EX-1.2, EX-2.1, LO-1.
#[test]
fn one_bit_anywhere_is_found_and_located() {
    let bytes = weights(1_200_001);
    let last = bytes.len() - 1;
    for offset in [0, 1, 4095, 4096, 524_287, 524_288, 777_777, 1_048_576, last] {
        let machine = machine();
        let recorder = Recorder::new();
        let manager = builder()
            .observer(recorder.clone())
            .build(&platform(&machine))
            .unwrap();
        let shard = seal(&manager, "one", &bytes);
        let allocation = allocation_of(&machine, &bytes);
        machine
            .flip_bit(allocation, u64::try_from(offset).unwrap(), 6)
            .unwrap();

        let error = manager.verify(&shard).unwrap_err();

        let Error::Tampered { difference, .. } = &error else {
            panic!("{error:?}")
        };
        let block = u64::try_from(offset / 4096).unwrap();
        assert_eq!(difference.blocks, [block], "offset {offset}");
        assert_eq!(difference.changed_groups, 1);
        assert!(
            error.to_string().contains(&format!("block {block} (bytes")),
            "{error}"
        );
        assert!(error.is_fatal() && error.is_integrity_failure());
        assert_eq!(recorder.count("verification_failed"), 1);
        assert_eq!(recorder.count("verified"), 0);
    }
}

/// Covers: LO-1.
#[test]
fn damage_in_many_places_is_all_located() {
    let machine = machine();
    let manager = manager(&machine);
    let bytes = weights(4 << 20);
    let shard = seal(&manager, "one", &bytes);
    let allocation = allocation_of(&machine, &bytes);
    for block in [0, 127, 128, 500, 1023] {
        machine
            .flip_bit(allocation, block * 4096 + block, 0)
            .unwrap();
    }

    let error = manager.verify(&shard).unwrap_err();

    let Error::Tampered { difference, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(difference.blocks, [0, 127, 128, 500, 1023]);
    assert_eq!(difference.changed_groups, 4);
}

#[test]
fn padding_after_the_last_byte_is_not_the_shard() {
    let machine = machine();
    let manager = manager(&machine);
    let bytes = weights(5000);
    let shard = seal(&manager, "one", &bytes);
    let allocation = allocation_of(&machine, &bytes);

    machine.flip_bit(allocation, 5000, 0).unwrap();

    assert!(manager.verify(&shard).is_ok());
}

/// Covers: EX-1.2, EX-2.1.
#[test]
fn test_verify_record_changed_anywhere_is_refused() {
    let machine = machine();
    let manager = manager(&machine);
    let shard = seal(&manager, "one", &weights(5000));
    let sealed = shard.sealed_record();
    let changes: [fn(&mut SealedRecord); 7] = [
        |sealed| sealed.record.size += 1,
        |sealed| sealed.record.verity = VerityDigest::from_bytes([1; 32]),
        |sealed| sealed.record.content = None,
        |sealed| sealed.record.device.uuid[0] ^= 1,
        |sealed| sealed.record.sealed_at_unix_nanos += 1,
        |sealed| sealed.record.nonce[15] ^= 1,
        |sealed| sealed.record.shard_id = "two".parse().unwrap(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut presented = sealed.clone();
        change(&mut presented);
        let manager = another(&machine);
        let error = manager.verify_record(&shard, &presented).unwrap_err();
        assert!(
            matches!(error, Error::SealBroken { .. }),
            "change {number}: {error:?}"
        );
        assert!(manager.stop_reason().is_some(), "change {number}");
    }
    assert!(manager.verify_record(&shard, sealed).is_ok());
}

/// Another manager with the same key, on the same machine.
fn another(machine: &Machine) -> Manager {
    manager(machine)
}

/// Covers: EX-2.2, FN-2.2.
#[test]
fn a_replaced_tag_is_refused() {
    let machine = machine();
    let manager = manager(&machine);
    let shard = seal(&manager, "one", &weights(5000));
    let presented = SealedRecord {
        tag: SealTag::from_bytes(&[7; 32]).unwrap(),
        ..shard.sealed_record().clone()
    };

    let error = manager.verify_record(&shard, &presented).unwrap_err();

    assert!(matches!(error, Error::SealBroken { .. }), "{error:?}");
}

/// Covers: VU-2.
#[test]
fn the_record_of_another_seal_is_refused() {
    let machine = machine();
    let manager = manager(&machine);
    let bytes = weights(5000);
    let one = seal(&manager, "one", &bytes);
    let two = seal(&manager, "two", &bytes);

    let error = manager
        .verify_record(&one, two.sealed_record())
        .unwrap_err();

    assert!(matches!(error, Error::WrongRecord { .. }), "{error:?}");
    assert!(error.is_fatal());
}

/// Covers: CI-001.
#[test]
fn a_shard_sealed_under_another_workers_key_is_refused() {
    let machine = machine();
    let of = |worker: &str| {
        let token = Token::new(&[9; 32]).unwrap();
        let builder = Manager::builder().token(token, worker.parse().unwrap());
        builder
            .allow_simulated()
            .build(&platform(&machine))
            .unwrap()
    };
    let (ours, theirs) = (of("worker-0"), of("worker-1"));
    let shard = seal(&theirs, "one", &weights(5000));

    let error = ours.verify(&shard).unwrap_err();

    assert!(
        matches!(error, Error::KeyUnknown { key, .. } if key == theirs.key_id()),
        "{error:?}"
    );
    assert!(theirs.verify(&shard).is_ok());
}

/// Covers: CI-007.
#[test]
fn a_failure_stops_the_manager_for_every_shard() {
    let machine = machine();
    let manager = manager(&machine);
    let (bytes, other) = (weights(5000), weights(6000));
    let good = seal(&manager, "good", &other);
    let permit = manager.verify(&good).unwrap().permit;
    let bad = seal(&manager, "bad", &bytes);
    machine
        .flip_bit(allocation_of(&machine, &bytes), 0, 0)
        .unwrap();

    assert!(manager.verify(&bad).is_err());

    assert!(matches!(manager.verify(&good), Err(Error::Stopped { .. })));
    assert!(matches!(
        manager.verify_all([&good]),
        Err(Error::Stopped { .. })
    ));
    let sealed = manager.seal(SealRequest::bytes(id("next"), &[1]));
    assert!(matches!(sealed, Err(Error::Stopped { .. })));
    // A permit given before gives nothing out any more.
    assert!(matches!(
        permit.device_address(),
        Err(Error::Stopped { .. })
    ));
    assert!(matches!(permit.range(0..1), Err(Error::Stopped { .. })));
    // What else is wrong can still be found out.
    assert!(manager.inspect(&good).is_ok());
    assert!(matches!(manager.inspect(&bad), Err(Error::Tampered { .. })));
    assert!(
        manager
            .stop_reason()
            .unwrap()
            .contains("bad has changed in device memory")
    );
}

/// Covers: CI-007.
#[test]
fn one_bad_shard_among_three_is_named_and_no_permit_is_given() {
    let machine = machine();
    let manager = manager(&machine);
    let bytes = [weights(5000), weights(600_000), weights(7000)];
    let shards: Vec<_> = (0..3)
        .map(|n| seal(&manager, &format!("shard-{n}"), &bytes[n]))
        .collect();
    machine
        .flip_bit(allocation_of(&machine, &bytes[1]), 599_999, 7)
        .unwrap();

    let verification = manager.verify_all(&shards).unwrap();

    let passed: Vec<_> = verification
        .outcomes()
        .iter()
        .map(|(_, outcome)| outcome.is_ok())
        .collect();
    assert_eq!(passed, [true, false, true]);
    assert!(!verification.passed());
    assert!(verification.into_permits().is_err());
    assert!(manager.stop_reason().is_some());
}

#[test]
fn shards_of_all_sizes_are_measured_together_as_each_alone() {
    let model = vram_sim::DeviceModel::small(160 << 20);
    let machine = Machine::builder().device(model).build().unwrap();
    let manager = manager(&machine);
    let sizes = [
        1, 4096, 4097, 524_288, 524_289, 5, 3_000_000, 40, 70_000_000, 1_048_576,
    ];
    let data: Vec<_> = sizes.iter().map(|size| weights(*size)).collect();
    let shards: Vec<_> = data
        .iter()
        .enumerate()
        .map(|(n, bytes)| seal(&manager, &format!("shard-{n}"), bytes))
        .collect();

    let verification = manager.verify_all(&shards).unwrap();

    for ((_, outcome), bytes) in verification.outcomes().iter().zip(&data) {
        let report = outcome.as_ref().unwrap();
        let expected = hash_bytes(bytes, HashPlan::VERITY, &Salt::none());
        assert_eq!(report.verity, expected.verity.unwrap().digest());
        assert_eq!(report.size.0, bytes.len() as u64);
    }
}

#[test]
fn many_small_shards_are_hashed_in_two_launches() {
    let machine = machine();
    let manager = manager(&machine);
    let shards: Vec<_> = (0..20)
        .map(|n| seal(&manager, &format!("shard-{n}"), &weights(5000 + n)))
        .collect();
    machine.record();

    assert!(manager.verify_all(&shards).unwrap().passed());

    let calls = machine.stop_recording();
    let launches = calls
        .iter()
        .filter(|call| call.function == Function::cuLaunchKernel);
    assert_eq!(launches.count(), 2);
}

#[test]
fn every_changed_block_of_a_set_is_found_where_it_is() {
    let machine = machine();
    let manager = manager(&machine);
    let data: Vec<_> = (1..6).map(|n| weights(n * 300_000)).collect();
    let shards: Vec<_> = data
        .iter()
        .enumerate()
        .map(|(n, bytes)| seal(&manager, &format!("shard-{n}"), bytes))
        .collect();
    for (bytes, at) in [(&data[1], 599_999), (&data[4], 4096), (&data[4], 1_400_000)] {
        let id = allocation_of(&machine, bytes);
        machine.flip_bit(id, at, 0).unwrap();
    }

    let verification = manager.verify_all(&shards).unwrap();

    let changed: Vec<_> = verification
        .outcomes()
        .iter()
        .map(|(_, outcome)| match outcome {
            Ok(_) => vec![],
            Err(Error::Tampered { difference, .. }) => difference.blocks.clone(),
            Err(error) => panic!("{error}"),
        })
        .collect();
    assert_eq!(changed, [vec![], vec![146], vec![], vec![], vec![1, 341]]);
}

#[test]
fn all_shards_of_a_set_verify_and_are_permitted() {
    let machine = machine();
    let manager = manager(&machine);
    let shards: Vec<_> = (1..4)
        .map(|n| seal(&manager, &format!("shard-{n}"), &weights(n * 4097)))
        .collect();

    let verification = manager.verify_all(&shards).unwrap();

    assert!(verification.passed());
    let permits = verification.into_permits().unwrap();
    assert_eq!(permits.len(), 3);
    assert!(permits.iter().all(|permit| permit.device_address().is_ok()));
}

/// Covers: FZ-1.
#[test]
fn a_copy_into_a_frozen_shard_is_refused_by_the_driver_and_changes_nothing() {
    let machine = machine();
    let manager = manager(&machine);
    let shard = seal(&manager, "one", &weights(5000));
    let permit = manager.verify(&shard).unwrap().permit;
    let address = permit.device_address().unwrap().as_raw();

    let outsider = Outsider::new(&machine);

    for offset in [0, 4999, shard.mapped().0 - 1] {
        let copied = outsider.write(address + offset, &[0xff]);
        assert_eq!(copied, CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    assert!(manager.verify(&shard).is_ok());
    assert_eq!(manager.stop_reason(), None);
}

#[test]
fn a_kernel_that_writes_a_frozen_shard_is_stopped_by_the_device_and_stops_the_manager() {
    let machine = machine();
    let manager = manager(&machine);
    let shard = seal(&manager, "one", &weights(5000));
    let permit = manager.verify(&shard).unwrap().permit;
    let address = permit.device_address().unwrap().as_raw();

    let written = Outsider::new(&machine).write_by_kernel(address);

    assert_eq!(written, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS);
    let error = manager.verify(&shard).unwrap_err();
    assert!(
        matches!(error, Error::Memory(vram_alloc::Error::DeviceLost { .. })),
        "{error:?}"
    );
    assert!(
        manager
            .stop_reason()
            .unwrap()
            .contains("the device is lost")
    );
    assert!(permit.device_address().is_err(), "no permit outlives it");
    drop(permit);
    drop(shard);
}

/// Covers: EX-1.2.
#[test]
fn a_lost_device_is_fatal_and_nothing_hangs() {
    let machine = machine();
    let manager = manager(&machine);
    let shard = seal(&manager, "one", &weights(5000));
    machine.lose_context(0).unwrap();

    let error = manager.verify(&shard).unwrap_err();
    assert!(error.is_fatal() && !error.is_retriable(), "{error:?}");
    assert!(matches!(
        manager.seal(SealRequest::bytes(id("two"), &[1])),
        Err(Error::Stopped { .. })
    ));
    drop(shard);
    drop(manager);
}

/// Covers: TE-1.
#[test]
fn a_permit_reaches_tensors_by_name_and_no_further_than_the_shard() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, sample_safetensors()).unwrap();
    let machine = machine();
    let manager = manager(&machine);
    let shard = manager.seal(SealRequest::file(id("model"), &path)).unwrap();
    assert_eq!(shard.tensors().unwrap().len(), 2);

    let permit = manager.verify(&shard).unwrap().permit;

    let base = permit.device_address().unwrap().as_raw();
    let bias = permit.tensor("bias").unwrap();
    assert_eq!(bias.tensor.shape(), [4]);
    assert_eq!(bias.address.as_raw(), base + bias.tensor.range().start);
    let error = permit.tensor("weight2").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no tensor named \"weight2\"; it has 2 others"),
        "{error}"
    );
    let size = shard.size().0;
    assert!(permit.range(0..size).is_ok());
    for range in [0..size + 1, size..size + 1, u64::MAX - 1..u64::MAX] {
        assert!(permit.range(range).is_err());
    }
    #[expect(clippy::reversed_empty_ranges, reason = "the range that is refused")]
    let reversed = permit.range(2..1);
    assert!(reversed.is_err());
}
