//! What makes a root, what is refused, and how it is named.

use std::{fs, path::Path};

use serde::Deserialize;

use super::*;
use crate::{Error, record::sample};

/// A set of three shards, as records.
fn three() -> Vec<SealRecord> {
    (0..3).map(|index| record(index, 3, index)).collect()
}

/// A record at this position, of bytes that are told apart by a number.
fn record(index: u32, total: u32, bytes: u32) -> SealRecord {
    SealRecord {
        shard_id: format!("shard-{bytes}").parse().unwrap(),
        size: u64::from(bytes) + 1000,
        verity: VerityDigest::of(&bytes.to_le_bytes()),
        position: Some(SetPosition::new(index, total).unwrap()),
        ..sample::full()
    }
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T>) -> SetRefusal {
    match outcome {
        Err(Error::Set(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// What the root, and the set that knows its shards, say of these records.
fn refusals(records: &[SealRecord]) -> [SetRefusal; 2] {
    let known = ShardSet::of_records(&three()).unwrap();
    let root = known.root().unwrap();
    [
        refusal(root.verify(records)),
        refusal(known.verify(records)),
    ]
}

#[test]
fn a_whole_set_in_order_verifies() {
    let records = three();
    let set = ShardSet::of_records(&records).unwrap();
    set.verify(&records).unwrap();
    set.root().unwrap().verify(&records).unwrap();
    assert_eq!(SetRoot::of_records(&records).unwrap(), set.root().unwrap());
}

#[test]
fn the_order_in_which_shards_are_gathered_does_not_count() {
    let records = three();
    let root = SetRoot::of_records(&records).unwrap();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut set = ShardSet::new(3.try_into().unwrap());
        for index in order {
            assert!(matches!(
                refusal(set.root()),
                SetRefusal::Missing { total: 3, .. }
            ));
            let record = &records[index];
            let member = SetMember::of(record);
            set.insert(record.position.unwrap(), member).unwrap();
        }
        assert_eq!(set.root().unwrap(), root);
    }
}

/// Covers: SE-1.
#[test]
fn index_total_size_and_digest_make_the_root_and_nothing_else_does() {
    let root = SetRoot::of_records(&three()).unwrap();
    let changed = |change: fn(&mut SealRecord)| {
        let mut records = three();
        change(&mut records[1]);
        SetRoot::of_records(&records).unwrap()
    };
    assert_ne!(changed(|record| record.size += 1), root);
    assert_ne!(changed(|record| record.size ^= 1 << 63), root);
    assert_ne!(
        changed(|record| record.verity = VerityDigest::of(b"other")),
        root
    );
    assert_eq!(changed(|record| record.nonce[0] ^= 1), root);
    assert_eq!(changed(|record| record.device.uuid[0] ^= 1), root);

    let mut swapped = three();
    let (one, two) = (swapped[1].position, swapped[2].position);
    (swapped[1].position, swapped[2].position) = (two, one);
    swapped.swap(1, 2);
    assert_ne!(SetRoot::of_records(&swapped).unwrap(), root, "the indices");
    let four: Vec<_> = (0..4).map(|index| record(index, 4, index)).collect();
    assert_ne!(SetRoot::of_records(&four).unwrap(), root, "the total");
}

/// Covers: SE-1.
#[test]
fn a_missing_shard_is_named() {
    for absent in 0..3 {
        let mut records = three();
        records.remove(absent);
        let index = u32::try_from(absent).unwrap();
        let expected = SetRefusal::Missing {
            index,
            missing: 1,
            total: 3,
        };
        assert_eq!(refusals(&records), [expected.clone(), expected]);
    }
    let [by_root, _] = refusals(&three()[2..]);
    assert_eq!(
        by_root.to_string(),
        "shard 0 is missing, 2 of 3 are: give all of the set"
    );
    assert_eq!(refusals(&[])[0], SetRefusal::Empty);
    assert_eq!(refusals(&[])[1], SetRefusal::Empty);
}

/// Covers: SE-1.
#[test]
fn a_repeated_shard_is_named() {
    let mut records = three();
    records[2] = records[0].clone();
    let expected = SetRefusal::Repeated {
        shard: "shard-0".parse().unwrap(),
        index: 0,
    };
    assert_eq!(refusals(&records), [expected.clone(), expected.clone()]);

    let mut records = three();
    records.push(records[0].clone());
    assert_eq!(refusals(&records), [expected.clone(), expected]);
}

/// Covers: SE-1.
#[test]
fn shards_given_in_another_order_are_named() {
    let mut records = three();
    records.swap(0, 2);
    let expected = SetRefusal::Reordered {
        shard: "shard-2".parse().unwrap(),
        index: 2,
        place: 0,
    };
    assert_eq!(refusals(&records), [expected.clone(), expected]);
}

#[test]
fn a_shard_sealed_at_anothers_position_is_named_by_the_set_that_knows_it() {
    let records = [record(0, 3, 0), record(1, 3, 2), record(2, 3, 1)];
    let [by_root, by_set] = refusals(&records);
    assert!(matches!(by_root, SetRefusal::OtherRoot { .. }));
    assert_eq!(
        by_set,
        SetRefusal::Misplaced {
            shard: "shard-2".parse().unwrap(),
            index: 1,
            belongs: 2,
        }
    );
}

#[test]
fn a_foreign_shard_is_named_by_the_set_that_knows_it_and_refused_by_the_root() {
    let mut records = three();
    records[1] = record(1, 3, 77);
    let [by_root, by_set] = refusals(&records);
    assert!(matches!(by_root, SetRefusal::OtherRoot { .. }));
    assert_eq!(
        by_set,
        SetRefusal::Foreign {
            shard: "shard-77".parse().unwrap(),
            index: 1,
        }
    );
}

#[test]
fn a_shard_of_a_set_of_another_size_or_of_none_is_named() {
    let mut records = three();
    records[1] = record(1, 4, 1);
    let expected = SetRefusal::OtherTotal {
        shard: "shard-1".parse().unwrap(),
        found: 4,
        expected: 3,
    };
    assert_eq!(refusals(&records), [expected.clone(), expected]);

    records[1].position = None;
    let expected = SetRefusal::NoPosition {
        shard: "shard-1".parse().unwrap(),
    };
    assert_eq!(refusals(&records), [expected.clone(), expected]);
}

#[test]
fn a_position_is_taken_once_and_only_in_its_own_set() {
    let mut set = ShardSet::new(3.try_into().unwrap());
    let member = SetMember::of(&sample::full());
    let position = |index, total| SetPosition::new(index, total).unwrap();
    set.insert(position(1, 3), member).unwrap();
    assert_eq!(
        refusal(set.insert(position(1, 3), member)),
        SetRefusal::PositionTwice { index: 1 }
    );
    assert_eq!(
        refusal(set.insert(position(1, 4), member)),
        SetRefusal::PositionTotal {
            found: 4,
            expected: 3
        }
    );
    assert_eq!(set.members().collect::<Vec<_>>(), [(1, member)]);
}

/// A total that nobody could gather costs nothing to refuse.
#[test]
fn the_greatest_total_is_refused_at_once() {
    let records = [record(0, u32::MAX, 0), record(u32::MAX - 1, u32::MAX, 1)];
    assert_eq!(
        refusal(SetRoot::of_records(&records)),
        SetRefusal::Missing {
            index: 1,
            missing: u32::MAX - 2,
            total: u32::MAX
        }
    );
}

#[test]
fn a_wrong_set_is_not_a_broken_seal() {
    let error = Error::from(SetRefusal::Empty);
    assert!(!error.is_fatal() && !error.is_retriable());
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    members: Vec<(u64, VerityDigest)>,
    #[serde(with = "hex::serde")]
    encoding: Vec<u8>,
    root: SetRoot,
}

/// The vectors of `docs/spec/set-root.md`, read from that page.
///
/// Covers: SE-1.
#[test]
fn roots_are_as_the_page_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/set-root.md");
    let page = fs::read_to_string(path).unwrap();
    let (_, block) = page.split_once("```json\n").unwrap();
    let vectors: Vec<Vector> = serde_json::from_str(block.split_once("```").unwrap().0).unwrap();
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let total = u32::try_from(vector.members.len()).unwrap();
        let mut set = ShardSet::new(total.try_into().unwrap());
        for (index, (size, verity)) in (0..).zip(vector.members) {
            let position = SetPosition::new(index, total).unwrap();
            set.insert(position, SetMember { size, verity }).unwrap();
        }
        assert_eq!(set.root().unwrap(), vector.root);
        assert_eq!(
            crate::Digest::of(&vector.encoding).as_bytes(),
            vector.root.as_bytes()
        );
    }
}

#[test]
fn a_set_knows_how_many_shards_it_will_have() {
    assert_eq!(ShardSet::new(3.try_into().unwrap()).total().get(), 3);
    assert_eq!(ShardSet::of_records(&three()).unwrap().total().get(), 3);
}
