//! The tree over random data: against the naive one, in any pieces, and with a bit flipped.

use proptest::{prelude::*, sample::Index};
use vram_seal::{
    BlockHash, HashPlan, Salt, ShardDigests, ShardHasher, VerityDigest, hash_bytes, hash_reader,
    verity::{GROUP_SIZE, LeafPrints, Locator, Shape, finish_from_groups, leaf_hashes},
};

use crate::naive::NaiveTree;

/// Sizes near the tree's boundaries, and any others.
fn size() -> impl Strategy<Value = usize> {
    let near = |at: usize| (at.saturating_sub(2)..at + 3).boxed();
    prop_oneof![
        near(0),
        near(4096),
        near(8192),
        near(GROUP_SIZE),
        near(GROUP_SIZE + 4096),
        near(2 * GROUP_SIZE),
        0..3 * GROUP_SIZE,
    ]
}

/// Bytes that differ from block to block, cheaper to make than to draw one by one.
fn data() -> impl Strategy<Value = Vec<u8>> {
    (size(), any::<u64>()).prop_map(|(size, seed)| {
        let mut state = seed | 1;
        let mut bytes = Vec::with_capacity(size + 8);
        while bytes.len() < size {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(size);
        bytes
    })
}

fn salt() -> impl Strategy<Value = Salt> {
    prop_oneof![
        Just(Salt::none()),
        prop::collection::vec(any::<u8>(), 1..=32).prop_map(|salt| Salt::new(&salt).unwrap()),
    ]
}

fn hashes(blocks: &[[u8; 32]]) -> Vec<BlockHash> {
    blocks.iter().copied().map(BlockHash::from_bytes).collect()
}

proptest! {
    /// Covers: FN-2.3.
    #[test]
    fn agrees_with_a_naive_tree(data in data(), salt in salt()) {
        let naive = NaiveTree::new(&data, salt.as_bytes());
        let measured = hash_bytes(&data, HashPlan::VERITY, &salt).verity.unwrap();

        prop_assert_eq!(measured.size(), data.len() as u64);
        prop_assert_eq!(measured.root(), BlockHash::from_bytes(naive.root));
        prop_assert_eq!(measured.digest(), VerityDigest::from_bytes(naive.digest));
        prop_assert_eq!(measured.groups(), hashes(naive.groups()));
        let leaves = naive.levels.first().map_or(&[][..], Vec::as_slice);
        prop_assert_eq!(leaf_hashes(&data, &salt), hashes(leaves));
        let levels: Vec<_> = naive.levels.iter().map(|level| level.len() as u64).collect();
        prop_assert_eq!(Shape::new(data.len() as u64).levels().collect::<Vec<_>>(), levels);
    }

    #[test]
    fn pieces_do_not_matter(
        data in data(),
        salt in salt(),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let whole = hash_bytes(&data, HashPlan::BOTH, &salt);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
        cuts.extend([0, data.len()]);
        cuts.sort_unstable();

        let mut hasher = ShardHasher::new(HashPlan::BOTH, &salt);
        cuts.windows(2).for_each(|cut| hasher.update(&data[cut[0]..cut[1]]));
        prop_assert_eq!(hasher.finish(), whole.clone());
        prop_assert_eq!(hash_reader(data.as_slice(), HashPlan::BOTH, &salt).unwrap(), whole);
    }

    #[test]
    fn groups_measured_elsewhere_finish_alike(data in data(), salt in salt()) {
        let measured = hash_bytes(&data, HashPlan::VERITY, &salt).verity.unwrap();
        let groups = measured.groups().to_vec();
        prop_assert_eq!(finish_from_groups(groups, data.len() as u64, &salt).unwrap(), measured);
    }

    /// Covers: LO-1.
    #[test]
    fn a_flipped_bit_is_found_in_its_block(
        data in data().prop_filter("there is a bit to flip", |data| !data.is_empty()),
        salt in salt(),
        at in any::<Index>(),
        bit in 0..8,
    ) {
        let before = hash_bytes(&data, HashPlan::BOTH, &salt);
        let mut changed = data;
        let at = at.index(changed.len());
        changed[at] ^= 1_u8 << bit;
        let after = hash_bytes(&changed, HashPlan::BOTH, &salt);

        prop_assert_ne!(after.content, before.content);
        let (was, is) = (before.verity.unwrap(), after.verity.unwrap());
        prop_assert_ne!(was.digest(), is.digest());
        prop_assert_ne!(was.root(), is.root());

        let locator = Locator::new(was, before.prints.unwrap()).unwrap();
        let groups = locator.locate_groups(is.groups()).unwrap();
        prop_assert_eq!(groups.len(), 1);
        prop_assert_eq!(groups[0].get(), (at / GROUP_SIZE) as u64);
        let range = groups[0].byte_range(changed.len() as u64);
        let group = &changed[range.start as usize..range.end as usize];
        let blocks = locator.locate_blocks(groups[0], &leaf_hashes(group, &salt)).unwrap();
        prop_assert_eq!(blocks, [(at / 4096) as u64]);
    }

    #[test]
    fn another_salt_is_another_measurement(data in data(), one in salt(), other in salt()) {
        let digest = |salt| hash_bytes(&data, HashPlan::VERITY, salt).verity.unwrap().digest();
        prop_assert_eq!(digest(&one) == digest(&other), one == other);
    }
}

/// Large enough for a third level, and for pieces beyond the hasher's own buffer.
#[test]
fn a_tree_of_four_levels_in_any_pieces() {
    let data: Vec<u8> = (0..(64 << 20) + 4097_u32)
        .map(|at| (at ^ at >> 11) as u8)
        .collect();
    let salt = Salt::new(b"four levels").unwrap();
    let naive = NaiveTree::new(&data, salt.as_bytes());
    assert_eq!(naive.levels.len(), 4);

    let whole = hash_bytes(&data, HashPlan::BOTH, &salt);
    assert_eq!(
        whole.verity.as_ref().unwrap().digest().as_bytes(),
        &naive.digest
    );
    let in_pieces = |sizes: &[usize]| -> ShardDigests {
        let mut hasher = ShardHasher::new(HashPlan::BOTH, &salt);
        let mut rest = data.as_slice();
        for size in sizes.iter().cycle() {
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            hasher.update(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        hasher.finish()
    };
    // Whole batches, then a group less, a group and a byte, everything at once after one byte.
    for sizes in [
        &[16 << 20][..],
        &[8 << 20, (8 << 20) - GROUP_SIZE, 1],
        &[GROUP_SIZE + 1],
        &[1, 60 << 20],
    ] {
        assert_eq!(in_pieces(sizes), whole, "pieces of {sizes:?}");
    }
    assert_eq!(
        hash_reader(data.as_slice(), HashPlan::BOTH, &salt).unwrap(),
        whole
    );
}

#[test]
fn leaf_prints_of_measured_leaves_are_those_of_the_host() {
    let data = vec![3; 2 * GROUP_SIZE + 5];
    let sealed = hash_bytes(&data, HashPlan::VERITY, &Salt::none());
    let prints: LeafPrints = leaf_hashes(&data, &Salt::none()).into_iter().collect();
    assert_eq!(sealed.prints.unwrap(), prints);
}
