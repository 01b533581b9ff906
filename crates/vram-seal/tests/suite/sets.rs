//! Sets of shards: their root tells every set from every other, and nobody's order matters but the shards' own.

use std::num::NonZeroU32;

use proptest::prelude::*;
use vram_seal::{SealRecord, SetMember, SetPosition, SetRoot, ShardSet, VerityDigest};

use crate::records::record;

type Members = Vec<(u64, [u8; 32])>;

fn members() -> impl Strategy<Value = Members> {
    prop::collection::vec((any::<u64>(), any::<[u8; 32]>()), 1..12)
}

fn member((size, verity): (u64, [u8; 32])) -> SetMember {
    let verity = VerityDigest::from_bytes(verity);
    SetMember { size, verity }
}

fn position(index: usize, total: usize) -> SetPosition {
    SetPosition::new(index.try_into().unwrap(), total.try_into().unwrap()).unwrap()
}

/// The set, with its members put in by that order.
fn set(members: &Members, order: impl IntoIterator<Item = usize>) -> ShardSet {
    let total = members.len();
    let mut set = ShardSet::new(NonZeroU32::new(total.try_into().unwrap()).unwrap());
    for index in order {
        set.insert(position(index, total), member(members[index]))
            .unwrap();
    }
    set
}

fn root(members: &Members) -> SetRoot {
    set(members, 0..members.len()).root().unwrap()
}

/// Records of a whole set, in order.
fn records() -> impl Strategy<Value = Vec<SealRecord>> {
    prop::collection::vec(record(), 1..6).prop_map(|mut records| {
        let total = records.len();
        for (index, record) in records.iter_mut().enumerate() {
            record.position = Some(position(index, total));
        }
        records
    })
}

proptest! {
    #[test]
    fn a_root_does_not_depend_on_the_order_in_which_shards_came(
        (members, order) in members().prop_flat_map(|members| {
            let order: Vec<usize> = (0..members.len()).collect();
            (Just(members), Just(order).prop_shuffle())
        }),
    ) {
        let shuffled = set(&members, order);

        prop_assert_eq!(shuffled.root().unwrap(), root(&members));
    }

    #[test]
    fn two_sets_have_one_root_only_if_they_are_equal(one in members(), other in members(), edit: prop::sample::Index) {
        prop_assert_eq!(root(&one) == root(&other), one == other);
        let mut edited = one.clone();
        let at = edit.index(one.len());
        edited[at].0 ^= 1;
        prop_assert_ne!(root(&edited), root(&one));
        edited[at] = one[at];
        edited[at].1[31] ^= 0x80;
        prop_assert_ne!(root(&edited), root(&one));
        let mut longer = one.clone();
        longer.push(one[at]);
        prop_assert_ne!(root(&longer), root(&one));
    }

    #[test]
    fn a_set_has_no_root_before_every_shard_is_there(members in members(), missing: prop::sample::Index) {
        let missing = missing.index(members.len());
        let mut partial = set(&members, (0..members.len()).filter(|index| *index != missing));
        prop_assert!(partial.root().is_err());

        let last = member(members[missing]);
        partial.insert(position(missing, members.len()), last).unwrap();
        prop_assert_eq!(partial.root().unwrap(), root(&members));
        prop_assert!(partial.insert(position(missing, members.len()), last).is_err());
    }

    #[test]
    fn records_verify_whole_and_in_order_and_no_other_way(
        records in records(),
        one: prop::sample::Index,
        other: prop::sample::Index,
        stranger in record(),
    ) {
        let root = SetRoot::of_records(&records).unwrap();
        prop_assert!(root.verify(&records).is_ok());
        let (one, other) = (one.index(records.len()), other.index(records.len()));
        let set = ShardSet::of_records(&records).unwrap();

        let mut fewer = records.clone();
        fewer.remove(one);
        prop_assert!(root.verify(&fewer).is_err() && set.verify(&fewer).is_err());
        let mut twice = records.clone();
        twice.insert(other, records[one].clone());
        prop_assert!(root.verify(&twice).is_err() && set.verify(&twice).is_err());
        if one != other {
            let mut swapped = records.clone();
            swapped.swap(one, other);
            prop_assert!(root.verify(&swapped).is_err() && set.verify(&swapped).is_err());
        }
        let mut changed = records.clone();
        changed[one].verity = stranger.verity;
        let same = records[one].verity == stranger.verity;
        prop_assert_eq!(root.verify(&changed).is_ok(), same);
        prop_assert_eq!(set.verify(&changed).is_ok(), same);
    }
}
