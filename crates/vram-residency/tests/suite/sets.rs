//! Sets of shards: whole, in order, and the ones that were meant, or refused.

use vram_residency::{Error, Manager, ModelFolder, SealRequest, SealedShard, set_root};
use vram_seal::{SetPosition, SetRefusal, SetRoot, VerityDigest};

use crate::support::*;

/// Parts of one set, told apart by their length.
fn parts(manager: &Manager, lengths: &[usize]) -> Vec<SealedShard> {
    let total = u32::try_from(lengths.len()).unwrap();
    let seal = |(index, length): (u32, &usize)| {
        let bytes = weights(*length);
        let position = SetPosition::new(index, total).unwrap();
        let request = SealRequest::bytes(id(&format!("part-{length}")), &bytes);
        manager.seal(request.position(position)).unwrap()
    };
    (0..).zip(lengths).map(seal).collect()
}

fn refusal(manager: &Manager, shards: &[&SealedShard], root: &SetRoot) -> SetRefusal {
    match manager.verify_set(shards.iter().copied(), root) {
        Err(Error::Seal(vram_seal::Error::Set(refusal))) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_set_is_verified_and_permitted() {
    let machine = machine();
    let manager = manager(&machine);
    let shards = parts(&manager, &[5000, 6000, 7000]);
    let root = set_root(&shards).unwrap();

    let verification = manager.verify_set(&shards, &root).unwrap();

    assert!(verification.passed());
    assert_eq!(verification.into_permits().unwrap().len(), 3);
}

/// Covers: SE-1.
#[test]
fn a_shard_missing_repeated_reordered_or_foreign_is_refused_and_nothing_is_measured() {
    let machine = machine();
    let recorder = Recorder::new();
    let builder = builder().observer(recorder.clone());
    let manager = builder.build(&platform(&machine)).unwrap();
    let shards = parts(&manager, &[5000, 6000, 7000]);
    let other = parts(&manager, &[5001, 6001, 7001]);
    let root = set_root(&shards).unwrap();
    let [a, b, c] = [&shards[0], &shards[1], &shards[2]];
    recorder.forget();

    assert_eq!(
        refusal(&manager, &[a, c], &root),
        SetRefusal::Missing {
            index: 1,
            missing: 1,
            total: 3
        }
    );
    assert_eq!(
        refusal(&manager, &[a, b, b], &root),
        SetRefusal::Repeated {
            shard: id("part-6000"),
            index: 1
        }
    );
    assert_eq!(
        refusal(&manager, &[b, a, c], &root),
        SetRefusal::Reordered {
            shard: id("part-6000"),
            index: 1,
            place: 0
        }
    );
    let foreign = refusal(&manager, &[a, &other[1], c], &root);
    assert!(matches!(foreign, SetRefusal::OtherRoot { .. }), "{foreign}");

    assert_eq!(recorder.names(), ["refused"; 4]);
    assert!(manager.stop_reason().is_none(), "no shard has changed");
    assert!(manager.verify_set(&shards, &root).unwrap().passed());
}

#[test]
fn a_changed_shard_of_a_set_is_found_in_its_outcome() {
    let machine = machine();
    let manager = manager(&machine);
    let shards = parts(&manager, &[5000, 6000]);
    let root = set_root(&shards).unwrap();
    let changed = allocation_of(&machine, &weights(6000));
    machine.flip_bit(changed, 100, 3).unwrap();

    let verification = manager.verify_set(&shards, &root).unwrap();

    let [first, second] = [0, 1].map(|n| &verification.outcomes()[n].1);
    assert!(first.is_ok());
    assert!(matches!(second, Err(Error::Tampered { .. })), "{second:?}");
    assert!(verification.into_permits().is_err());
}

#[test]
fn the_root_of_a_folder_is_that_of_its_files_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let [mut second, first] = [sample_safetensors(), sample_safetensors()];
    *second.last_mut().unwrap() ^= 1;
    for (name, content) in [("b.safetensors", &second), ("a.safetensors", &first)] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let machine = machine();
    let manager = manager(&machine);
    let found = ModelFolder::open(folder.path()).unwrap();

    let shards = manager.seal_folder(&found, None).unwrap();

    let mut expected = b"vram-residency/set-root/v1\x02\0\0\0".to_vec();
    for (index, content) in [(0_u32, &first), (1, &second)] {
        expected.extend(index.to_le_bytes());
        expected.extend(u64::try_from(content.len()).unwrap().to_le_bytes());
        expected.extend(VerityDigest::of(content).as_bytes());
    }
    let expected = *vram_seal::Digest::of(&expected).as_bytes();
    assert_eq!(set_root(&shards).unwrap(), SetRoot::from_bytes(expected));
}
